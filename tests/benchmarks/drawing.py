"""CPU time of drawing full-HD flow on one core, in ms: every kind of picture, the minimum of several rounds."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from flowcli.flow import drawing
from flowcli.flow.colour import ColourScale, colour_flow, colour_speed
from flowcli.flow.legend import with_legend

HEIGHT, WIDTH, ROUNDS = 1080, 1920, 9


def run() -> None:
    """Prints a line for each kind of picture."""
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    flow = cv2.GaussianBlur(random.normal(size=(HEIGHT, WIDTH, 2)).astype(np.float32), (0, 0), 20) * 200
    first = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    second = np.roll(first, 3, axis=1)
    scale = ColourScale(8)
    occluded = flow[..., 0] > 6
    kinds: dict[str, Callable[[], object]] = {
        "flow": lambda: colour_flow(flow, scale=scale),
        "flow, gamma 2 on black": lambda: colour_flow(flow, scale=ColourScale(8, gamma=2, dark=True)),
        "magnitude": lambda: colour_speed(flow, scale=scale),
        "overlay": lambda: drawing.overlay(first, flow, scale=scale),
        "arrows": lambda: drawing.arrows(first, flow, scale=scale),
        "warp": lambda: drawing.warp(first, second, flow, occluded=occluded),
        "legend": lambda: with_legend(first, scale),
    }
    for name, draw in kinds.items():
        print(f"{name}: {best_of(draw):.0f} ms")


def best_of(draw: Callable[[], object]) -> float:
    """The minimum CPU time in ms of all rounds but the first, which fills caches."""
    taken = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        draw()
        taken.append(1000 * (time.process_time() - started))
    return min(taken[1:])
