"""Pairs of frames with exact optical flow, generated for training: textured layers that move before a camera."""

from flowcli.training.synthesis.scenes import Scenes, render
from flowcli.training.synthesis.settings import SceneSettings
from flowcli.training.synthesis.textures import TextureBank

__all__ = ["SceneSettings", "Scenes", "TextureBank", "render"]
