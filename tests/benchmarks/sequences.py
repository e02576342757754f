"""Sequences of frames whose exact flow is known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from flowcli.media.demo_clip import fan_flow, fan_frames
from flowcli.media.frames import Frame

PAIRS = Path(__file__).parents[3] / "shared" / "pairs"
HEIGHT, WIDTH = 288, 384

Point = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sequence:
    """Frames, and the exact flow of each to the next with the mask of known pixels; None across a cut."""

    name: str
    frames: list[Frame]
    ground_truths: list[tuple[NDArray[np.float32], NDArray[np.bool_]] | None]


def sequences() -> list[Sequence]:
    """All sequences; Sintel's only where the shared pairs exist."""
    slow = layered("layers, 3 px", speed=3, count=16, seed=1)
    fast = layered("layers, 25 px", speed=25, count=16, seed=2)
    known = [fan(24), slow, fast, cut(slow, fast)]
    return known + [alley(version) for version in ("clean", "final") if PAIRS.exists()]


def fan(count: int) -> Sequence:
    """The demo's turning fan."""
    ground_truths = [fan_flow(index, height=HEIGHT, width=WIDTH) for index in range(count - 1)]
    return Sequence(
        "fan", list(fan_frames(count, HEIGHT, WIDTH)), [(known.flow, known.visible) for known in ground_truths]
    )


def layered(name: str, *, speed: float, count: int, seed: int, height: int = HEIGHT, width: int = WIDTH) -> Sequence:
    """Three ellipses and the wall behind, at constant velocities of 0.5 to 1.2 times `speed` px a frame."""
    dice = np.random.default_rng(seed)
    velocities = [speed * factor * direction(dice) for factor in (0.5, 0.8, 1.0, 1.2)]
    textures = [texture(dice) for _ in velocities]
    ellipses = [ellipse(dice, velocity, count, (width, height)) for velocity in velocities[1:]]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    frames, tops = [], []
    for index in range(count):
        image = sampled(textures[0], x - index * velocities[0][0], y - index * velocities[0][1])
        top = np.zeros((height, width), int)
        for layer, (centre, radii) in enumerate(ellipses, start=1):
            u, v = velocities[layer]
            offset = np.hypot((x - centre[0] - index * u) / radii[0], (y - centre[1] - index * v) / radii[1])
            alpha = np.clip((1 - offset) * min(radii) + 0.5, 0, 1)[..., None]
            image = alpha * sampled(textures[layer], x - index * u, y - index * v) + (1 - alpha) * image
            top[alpha[..., 0] > 0.5] = layer
        frames.append(Frame(index, Fraction(index, 24), np.rint(image).clip(0, 255).astype(np.uint8)))
        tops.append(top)
    everywhere = np.ones((height, width), bool)
    ground_truths = [(np.array(velocities, np.float32)[top], everywhere) for top in tops[:-1]]
    return Sequence(name, frames, ground_truths)


def cut(before: Sequence, after: Sequence) -> Sequence:
    """Two sequences with a cut between them."""
    images = [frame.image for frame in (*before.frames, *after.frames)]
    frames = [Frame(number, Fraction(number, 24), image) for number, image in enumerate(images)]
    return Sequence(f"{before.name} | {after.name}", frames, [*before.ground_truths, None, *after.ground_truths])


def alley(version: str) -> Sequence:
    """The first frames of Sintel's alley_1."""
    folders = sorted(PAIRS.glob(f"sintel_{version}_alley_1_*"))
    images = [folder / "frame1.png" for folder in folders] + [folders[-1] / "frame2.png"]
    frames = [
        Frame(index, Fraction(index, 24), cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
        for index, path in enumerate(images)
    ]
    known = [np.load(folder / "flow.npz") for folder in folders]
    return Sequence(f"alley_1 {version}", frames, [(stored["flow"], stored["valid"].astype(bool)) for stored in known])


def direction(dice: np.random.Generator) -> Point:
    """A random unit vector."""
    angle = dice.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def ellipse(dice: np.random.Generator, velocity: Point, count: int, size: tuple[int, int]) -> tuple[Point, Point]:
    """An ellipse's first centre, from which it is near the middle half-way through, and its radii, both (x, y)."""
    middle = np.array(size) * dice.uniform(0.3, 0.7, 2)
    return middle - velocity * count / 2, dice.uniform(40, 90, 2)


def texture(dice: np.random.Generator) -> NDArray[np.float32]:
    """Coloured noise at several scales that repeats at its borders."""
    side = 256
    total = np.zeros((side, side, 3), np.float32)
    for cells in (8, 16, 32, 64, 128):
        noise = np.tile(dice.normal(0, 1, (cells, cells, 3)).astype(np.float32), (3, 3, 1))
        grown = cv2.resize(noise, (3 * side, 3 * side), interpolation=cv2.INTER_CUBIC)
        total += grown[side : 2 * side, side : 2 * side] * (8 / cells) ** 0.5
    return 128 + 45 * total / total.std() + dice.uniform(-40, 40, 3).astype(np.float32)


def sampled(image: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """A repeating image sampled at (x, y)."""
    x, y = (np.ascontiguousarray(place, np.float32) for place in (x, y))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP), np.float32)
