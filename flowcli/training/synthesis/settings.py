"""The settings of the scene generator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneSettings:
    """The probabilities of effects in generated scenes, from 0 (never) to 1 (always).

    The first four are exclusive kinds of motion; the other scenes have general motion.
    """

    static: float = 0.06
    subpixel: float = 0.10
    sideways: float = 0.05
    """Horizontal shifts of 20 to 100 px (at 288 px height), as between the views of a stereo pair."""
    approaching: float = 0.05
    """Zoom about a point near the centre with strong perspective, as from a moving car."""
    background_only: float = 0.15
    fewest_objects: int = 3
    most_objects: int = 14
    cutouts: float = 0.35
    """Objects that are cut-outs, if the texture bank has any."""
    generated_textures: float = 0.10
    flat: float = 0.03
    faint: float = 0.05
    """Layers with almost no texture."""
    bent: float = 0.60
    """Layers with a smooth deformation in addition to their motion."""
    joined: float = 0.15
    """Objects with the same motion as the object behind them."""
    carried: float = 0.50
    """Objects whose motion is relative to the camera's."""
    fog: float = 0.15
    shadows: float = 0.20
    defocus: float = 0.15
    motion_blur: float = 0.30
    plain: float = 0.15
    """Backgrounds without texture, half of them on one side of a horizon only."""
    particles: float = 0.02
    """Scenes of small bright particles on black."""
    still_camera: float = 0.10
    """Scenes with texture in which the camera stands still; of plain ones most do."""
    rolling: float = 0.06
    """Cameras that also roll about their axis."""
    noise: float = 0.25
    """Sensor noise, of each frame's own; in still and plain scenes it is more frequent."""
    compressed: float = 0.15
    low_light: float = 0.04
