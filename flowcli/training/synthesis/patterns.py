"""Textures and cut-outs generated in code: noise, patterns and blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray


def generate_textures(count: int, side: int, *, seed: int) -> NDArray[np.uint8]:
    """RGB textures (count, side, side, 3): clouds, rectangles, cells, stripes, checks and dots in turn."""
    random = np.random.default_rng(seed)
    makers = (_clouds, _rectangles, _cells, _clouds, _stripes, _rectangles, _checks, _dots)
    textures = [_coloured(random, makers[i % len(makers)](random, side)) for i in range(count)]
    return np.stack(textures)


def generate_cutouts(textures: NDArray[np.uint8], side: int, *, seed: int) -> NDArray[np.uint8]:
    """RGBA cut-outs (count, side, side, 4): each texture with a blob for its opacity."""
    random = np.random.default_rng(seed + 1)
    cutouts = []
    for texture in textures:
        blob = _noise(random, side, cells=4)
        ys, xs = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        height = 1.0 - 1.6 * np.hypot(xs, ys) + 0.3 * blob
        alpha = (height * side / 4 + 0.5).clip(0, 1) * 255
        shrunk = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
        cutouts.append(np.dstack([shrunk, alpha.astype(np.uint8)]))
    return np.stack(cutouts)


def _noise(random: np.random.Generator, side: int, *, cells: int) -> NDArray[np.float32]:
    coarse = random.standard_normal((cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _coloured(random: np.random.Generator, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A pattern in a gradient of three random colours, with grain."""
    values = (values - values.min()) / max(float(np.ptp(values)), 1e-6)
    stops = random.uniform(0, 255, (3, 3))
    middle = random.uniform(0.3, 0.7)
    channels = [np.interp(values, [0, middle, 1], stops[:, channel]) for channel in range(3)]
    grain = random.standard_normal(values.shape) * random.uniform(0, 6)
    return (np.stack(channels, axis=-1) + grain[..., None]).clip(0, 255).astype(np.uint8)


def _clouds(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    """The sum of noise at several scales; `roughness` is the ratio of amplitudes from one to the next finer."""
    roughness = random.uniform(0.5, 1.0)
    octaves = [roughness**k * _noise(random, side, cells=4 << k) for k in range(6) if 4 << k <= side]
    return np.asarray(np.sum(octaves, axis=0), np.float32)


def _rectangles(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    canvas = _noise(random, side, cells=6) * 0.3
    for _ in range(90):
        size = side * np.exp(random.uniform(np.log(0.02), np.log(0.25), 2))
        pose = (tuple(random.uniform(0, side, 2)), tuple(size), random.uniform(0, 180) if random.random() < 0.3 else 0)
        corners = cv2.boxPoints(pose).astype(np.int32)
        cv2.fillPoly(canvas, [corners], float(random.standard_normal()), lineType=cv2.LINE_AA)
    return canvas


def _cells(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    """The distance to the nearest of random points, as in cellular textures."""
    seeds = np.full((side, side), 255, np.uint8)
    count = int(random.integers(40, 500))
    seeds[random.integers(side, size=count), random.integers(side, size=count)] = 0
    distance = cv2.distanceTransform(seeds, cv2.DIST_L2, 5).astype(np.float32)
    return np.asarray(np.sqrt(distance) + 0.15 * _clouds(random, side), np.float32)


def _waves(random: np.random.Generator, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The phases of two slightly bent waves in perpendicular directions."""
    ys, xs = np.mgrid[:side, :side].astype(np.float32)
    angle = random.uniform(0, np.pi)
    step = 2 * np.pi / random.uniform(6, 40)
    bend = random.uniform(0, 2) * _noise(random, side, cells=4)
    across = (np.cos(angle) * xs + np.sin(angle) * ys) * step + bend
    along = (np.cos(angle) * ys - np.sin(angle) * xs) * step * random.uniform(0.5, 1.5) + bend
    return across, along


def _with_clouds(random: np.random.Generator, pattern: NDArray[np.float32]) -> NDArray[np.float32]:
    """A regular pattern plus noise, so that no two parts of it are equal."""
    return np.asarray(pattern + random.uniform(0.05, 0.3) * _clouds(random, len(pattern)), np.float32)


def _stripes(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    across, _ = _waves(random, side)
    return _with_clouds(random, np.tanh(np.sin(across) * random.uniform(1, 6)))


def _checks(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    across, along = _waves(random, side)
    return _with_clouds(random, np.tanh(np.sin(across) * np.sin(along) * random.uniform(2, 8)))


def _dots(random: np.random.Generator, side: int) -> NDArray[np.float32]:
    across, along = _waves(random, side)
    return _with_clouds(random, np.tanh((np.sin(across) + np.sin(along) - 0.7) * random.uniform(2, 6)))
