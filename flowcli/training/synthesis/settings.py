"""Every knob of the scene generator in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneSettings:
    """How often each thing happens in generated scenes, as a probability from 0 (off) to 1 (always).

    The first four exclude each other and share out the scenes; what they leave is general motion.
    """

    static: float = 0.05
    subpixel: float = 0.10
    sideways: float = 0.05
    """Horizontal shifts of 20 to 100 px (at 288 px height), as between the views of a stereo pair."""
    approaching: float = 0.05
    """Zoom about the centre with strong perspective, as from a moving car."""
    background_only: float = 0.15
    fewest_objects: int = 3
    most_objects: int = 14
    cutouts: float = 0.35
    """Objects with a photographed outline, where the bank has any."""
    generated_textures: float = 0.10
    flat: float = 0.03
    faint: float = 0.05
    """Layers with almost no texture."""
    bent: float = 0.60
    """Layers that deform smoothly on top of their motion."""
    joined: float = 0.15
    """Objects that move together with the one behind them."""
    carried: float = 0.50
    """Objects whose motion adds to the camera's rather than replacing it."""
    fog: float = 0.15
    shadows: float = 0.20
    defocus: float = 0.15
    motion_blur: float = 0.30
