"""Error where plain scenes show nothing: skies, walls and backdrops with noise, as images and as H.264."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import torch

from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.settings import Settings
from flowcli.model.weights import embedded, find, load, present

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]
    Scene = tuple[Picture, Picture, tuple[float, float], NDArray[np.bool_]]

HEIGHT, WIDTH = 192, 256
NOISE = (0, 1, 2, 4, 8)
ENCODINGS = ("images", "crf 8", "crf 18", "crf 28")
PAN = 4


def run() -> None:
    """Prints the mean error in px in the plain part: of every embedded model, by its updates alone and by default."""
    names = [name for name, path in present().items() if path.parent in embedded()]
    print(f"mean error in px in the plain part, by noise of {', '.join(map(str, NOISE))} grey levels")
    for name in names:
        bare = FlowEstimator(load(find(name)), device=torch.device("cpu"), settings=Settings(iterations=12))
        for way, estimator in {"12 updates": bare, "by default": estimator_for(find(name), device="cpu")}.items():
            for title, scene in scenes().items():
                for encoding in ENCODINGS:
                    errors = [error_in(estimator, scene, encoding, noise) for noise in NOISE]
                    print(f"{name:18} {way} {title:12} {encoding:8}", *map("{:7.2f}".format, errors), flush=True)


def scenes() -> dict[str, Scene]:
    """Both frames of every scene, the flow of its plain part, and where that is."""
    rows, columns = np.mgrid[:HEIGHT, : WIDTH + PAN].astype(np.float32)
    gradient = np.dstack([120 + rows * 0.2, 150 + rows * 0.2, 180 + rows * 0.3])
    ground = np.repeat(40 + 200 * texture()[..., np.newaxis], 3, axis=2)
    sky = np.where((rows < 0.7 * HEIGHT)[..., np.newaxis], gradient, ground)
    wall = np.full_like(gradient, (140, 150, 145))
    above = rows[:, :WIDTH] < 0.7 * HEIGHT
    discs = [np.hypot(rows - 90, columns - x)[..., np.newaxis] < 30 for x in (100, 108)]
    backdrop, moved = (
        np.where(disc, np.roll(ground, x, axis=1), wall)[:, :WIDTH] for disc, x in zip(discs, (0, 8), strict=True)
    )
    around = ~(discs[0] | discs[1])[:, :WIDTH, 0]
    return {
        "still sky": (sky[:, :WIDTH], sky[:, :WIDTH], (0, 0), np.ones_like(above)),
        "panned sky": (sky[:, :WIDTH], sky[:, PAN:], (-PAN, 0), above & (columns[:, :WIDTH] > PAN)),
        "still wall": (wall[:, :WIDTH], wall[:, :WIDTH], (0, 0), np.ones_like(above)),
        "backdrop": (backdrop, moved, (0, 0), around),
    }


def texture() -> Picture:
    """A grey pattern with details of several sizes, from 0 to 1."""
    dice = np.random.default_rng(0)
    noise = [dice.normal(size=(HEIGHT, WIDTH + PAN)).astype(np.float32) for _ in range(3)]
    waves = sum(cv2.GaussianBlur(part, (0, 0), size) * size for part, size in zip(noise, (1.5, 4, 10), strict=True))
    low, high = float(np.min(waves)), float(np.max(waves))
    return np.asarray((waves - low) / (high - low), np.float32)


def error_in(estimator: FlowEstimator, scene: Scene, encoding: str, noise: float) -> float:
    """The mean error in px in the plain part of a scene."""
    dice = np.random.default_rng(1)
    frames = [np.clip(frame + dice.normal(0, 1, frame.shape) * noise, 0, 255).astype(np.uint8) for frame in scene[:2]]
    if encoding != "images":
        frames = encoded(frames, crf=encoding.removeprefix("crf "))
    flow = estimator.flow_between(*frames)
    return float(np.linalg.norm(flow - scene[2], axis=2)[scene[3]].mean())


def encoded(frames: list[NDArray[np.uint8]], *, crf: str) -> list[NDArray[np.uint8]]:
    """The frames after H.264."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": crf})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
