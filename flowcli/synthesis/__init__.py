"""Pairs of frames with exact optical flow, generated for training: textured layers that move before a camera."""

from flowcli.synthesis.recipe import Recipe
from flowcli.synthesis.scenes import Scenes, render
from flowcli.synthesis.textures import TextureBank

__all__ = ["Recipe", "Scenes", "TextureBank", "render"]
