"""RAFT's augmentation of datasets' pairs, dense and sparse (princeton-vl/RAFT core/utils/augmentor.py).

It takes one pair at a time, as datasets' frames differ in size; `generated` takes batches of generated pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, UInt8
    from numpy.random import Generator
    from numpy.typing import NDArray

    from flowcli.training.recipes import DatasetShare

    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Flow = Float[NDArray[np.float32], "height width 2"]
    Mask = Bool[NDArray[np.bool_], "height width"]

# Probabilities; `STRETCH` is the largest exponent of 2.
RESIZED, STRETCHED, STRETCH = 0.8, 0.8, 0.2
MIRRORED, UPSIDE_DOWN = 0.5, 0.1
ASYMMETRIC, ERASED = 0.2, 0.5
# The range of brightness, contrast and saturation, relative, and that of hue in turns.
DENSE_JITTER, SPARSE_JITTER = (0.4, 0.5 / math.pi), (0.3, 0.3 / math.pi)
# Corners of sparse crops are drawn up to so many px (down, across) beyond the borders and clipped, so that crops at the
# borders are more frequent.
SPARSE_MARGIN = (20, 50)


@dataclass(frozen=True, eq=False)
class Pair:
    """The images of a pair, the flow between them in px, and the mask of known flow."""

    first: Image
    second: Image
    flow: Flow
    valid: Mask


def augment_pair(pair: Pair, share: DatasetShare, *, crop: tuple[int, int], random: Generator) -> Pair:
    """An augmented crop of (height, width): colour jitter, erased boxes, resizing, mirroring, crop, in this order.

    `share` gives the range of scales and the kind, dense or sparse; frames smaller than the crop are enlarged.
    """
    first, second = colour_jitter(pair.first, pair.second, share, random)
    changed = Pair(first, erase(second, random), pair.flow, pair.valid)
    changed = resize(changed, draw_scale(changed, share, crop, random), sparse=share.sparse)
    if share.flip and random.random() < MIRRORED:
        changed = mirror(changed)
    if share.flip and not share.sparse and random.random() < UPSIDE_DOWN:
        changed = upside_down(changed)
    return cut(changed, *draw_corner(changed, share, crop, random), crop)


def colour_jitter(first: Image, second: Image, share: DatasetShare, random: Generator) -> tuple[Image, Image]:
    """Both images with the same colour jitter, or, in one of five dense pairs, each with its own."""
    strength, hue = SPARSE_JITTER if share.sparse else DENSE_JITTER
    if not share.sparse and random.random() < ASYMMETRIC:
        return jitter(first, strength, hue, random), jitter(second, strength, hue, random)
    both = jitter(np.concatenate([first, second]), strength, hue, random)
    return both[: len(first)], both[len(first) :]


def jitter(image: Image, strength: float, hue: float, random: Generator) -> Image:
    """The image with brightness, contrast, saturation and hue changed in random order, rounded to 8 bits after each."""
    factors = random.uniform(1 - strength, 1 + strength, 3)
    turn = random.uniform(-hue, hue)
    for change in random.permutation(4):
        if change == 3:
            image = turn_hue(image, turn)
        else:
            grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)[..., np.newaxis]
            other = (np.float32(0), np.float32(round(float(grey.mean()))), grey)[change]
            mixed = image * np.float32(factors[change]) + other * np.float32(1 - factors[change])
            image = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)
    return image


def turn_hue(image: Image, turns: float) -> Image:
    """The image with its hues rotated by `turns`."""
    colours = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), np.uint8)
    colours[..., 0] += np.uint8(round(turns * 256) % 256)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB_FULL), np.uint8)


def erase(second: Image, random: Generator) -> Image:
    """The second image, in half of the pairs with one or two boxes of 50 to 99 px filled with its mean colour."""
    if random.random() >= ERASED:
        return second
    erased = second.copy()
    height, width = second.shape[:2]
    colour = second.reshape(-1, 3).mean(axis=0)
    for _ in range(random.integers(1, 3)):
        left, top = random.integers(width), random.integers(height)
        across, down = random.integers(50, 100, 2)
        erased[top : top + down, left : left + across] = colour
    return erased


def draw_scale(pair: Pair, share: DatasetShare, crop: tuple[int, int], random: Generator) -> tuple[float, float]:
    """The factors (across, down) of resizing: at least enough for the crop, and equal for sparse pairs."""
    height, width = pair.first.shape[:2]
    room = 1 if share.sparse else 8
    least = max((crop[0] + room) / height, (crop[1] + room) / width)
    scale = 2 ** random.uniform(*share.scale)
    across = down = scale
    if not share.sparse and random.random() < STRETCHED:
        across, down = (scale * 2 ** random.uniform(-STRETCH, STRETCH) for _ in range(2))
    if random.random() >= RESIZED:
        # princeton-vl/RAFT fails on frames that are not resized and smaller than the crop.
        fits = height >= crop[0] and width >= crop[1]
        return (1.0, 1.0) if fits else (least, least)
    return max(across, least), max(down, least)


def resize(pair: Pair, scale: tuple[float, float], *, sparse: bool) -> Pair:
    """The pair resized, with its flow scaled; sparse flow is moved to the nearest pixels, not interpolated."""
    across, down = scale
    if (across, down) == (1.0, 1.0):
        return pair
    first, second = (np.asarray(interpolated(image, scale), np.uint8) for image in (pair.first, pair.second))
    factors = np.array([across, down], np.float32)
    if sparse:
        flow, valid = scatter(pair.flow * factors, pair.valid, scale, (first.shape[1], first.shape[0]))
        return Pair(first, second, flow, valid)
    flow = np.asarray(interpolated(pair.flow, scale), np.float32) * factors
    # Flow interpolated from any unknown pixel is unknown.
    known = np.asarray(interpolated(pair.valid.astype(np.float32), scale))
    return Pair(first, second, flow, np.greater(known, 0.999))


def interpolated(values: NDArray[Any], scale: tuple[float, float]) -> NDArray[Any]:
    """An array (height, width, ...) resized bilinearly by factors (across, down); its values are not scaled."""
    return np.asarray(cv2.resize(values, None, fx=scale[0], fy=scale[1], interpolation=cv2.INTER_LINEAR))


def scatter(flow: Flow, valid: Mask, scale: tuple[float, float], size: tuple[int, int]) -> tuple[Flow, Mask]:
    """Sparse flow at the nearest pixels of the resized grid, and its mask; as published, row and column 0 are empty."""
    rows, columns = np.nonzero(valid)
    x = np.rint(columns * scale[0]).astype(int)
    y = np.rint(rows * scale[1]).astype(int)
    width, height = size
    inside = (x > 0) & (x < width) & (y > 0) & (y < height)
    moved = np.zeros((height, width, 2), np.float32)
    known = np.zeros((height, width), np.bool_)
    moved[y[inside], x[inside]] = flow[rows[inside], columns[inside]]
    known[y[inside], x[inside]] = True
    return moved, known


def mirror(pair: Pair) -> Pair:
    """The pair mirrored left to right, with the sign of horizontal flow changed."""
    flow = pair.flow[:, ::-1] * np.array([-1, 1], np.float32)
    return Pair(pair.first[:, ::-1], pair.second[:, ::-1], flow, pair.valid[:, ::-1])


def upside_down(pair: Pair) -> Pair:
    """The pair mirrored top to bottom, with the sign of vertical flow changed."""
    return Pair(pair.first[::-1], pair.second[::-1], pair.flow[::-1] * np.array([1, -1], np.float32), pair.valid[::-1])


def draw_corner(pair: Pair, share: DatasetShare, crop: tuple[int, int], random: Generator) -> tuple[int, int]:
    """The top and left of a random crop, in px."""
    spare = [side - cropped for side, cropped in zip(pair.first.shape[:2], crop, strict=True)]
    if not share.sparse:
        return int(random.integers(max(spare[0], 1))), int(random.integers(max(spare[1], 1)))
    down, across = SPARSE_MARGIN
    top = random.integers(0, spare[0] + down)
    left = random.integers(-across, spare[1] + across)
    return int(np.clip(top, 0, spare[0])), int(np.clip(left, 0, spare[1]))


def cut(pair: Pair, top: int, left: int, crop: tuple[int, int]) -> Pair:
    """The crop of (height, width) of the pair at `top` and `left`."""
    window = slice(top, top + crop[0]), slice(left, left + crop[1])
    parts: list[NDArray[Any]] = [pair.first, pair.second, pair.flow, pair.valid]
    return Pair(*(np.ascontiguousarray(part[window]) for part in parts))
