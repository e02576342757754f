"""Generated training pairs with exact optical flow: moving textured layers seen by a moving camera."""

from flowcli.training.synthesis.scenes import Scenes, render
from flowcli.training.synthesis.settings import SceneSettings
from flowcli.training.synthesis.textures import TextureBank

__all__ = ["SceneSettings", "Scenes", "TextureBank", "render"]
