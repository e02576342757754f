"""FlyingThings3D: ROOT with frames_cleanpass or frames_finalpass, and optical_flow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, plain_truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part, Sample, Truth

LAYOUT = "ROOT holds frames_cleanpass or frames_finalpass, and optical_flow, each with TRAIN/A/0000 (and TEST)"
PASSES = {"clean": "frames_cleanpass", "final": "frames_finalpass"}
DIRECTIONS = {"into_future": ("OpticalFlowIntoFuture", 1), "into_past": ("OpticalFlowIntoPast", -1)}
# As the published models were trained; the right camera's sequences show the same motion.
CAMERA = "left"


def samples(root: Path, part: Part) -> list[Sample]:
    """Every pass and direction of the left camera: TRAIN to train on, TEST to validate on."""
    layout.no_test("things", part)
    flows = layout.subfolder(root, "optical_flow", layout=LAYOUT)
    layout.subfolder(root, *PASSES.values(), layout=LAYOUT)
    half = "TRAIN" if part == "training" else "TEST"
    result: list[Sample] = []
    for group, frames in PASSES.items():
        for scene in _scenes(root / frames / half):
            place = scene.relative_to(root / frames)
            for direction, (file, step) in DIRECTIONS.items():
                truth = partial(_truth, flows / place / direction / CAMERA, file)
                name = f"{group}/{place.as_posix()}/{direction}"
                pictures = layout.numbered(scene / CAMERA, r"(\d+)\.(?:png|webp)")
                result += layout.consecutive(pictures, name=name, group=group, truth=truth, step=step)
    return layout.found(result, root, layout=LAYOUT)


def _scenes(half: Path) -> list[Path]:
    """The scenes of letters A, B and C; none where a pass was not unpacked."""
    return [scene for letter in layout.subfolders(half) for scene in layout.subfolders(letter)] if half.is_dir() else []


def _truth(folder: Path, file: str, number: int) -> Callable[[], Truth]:
    path = folder / f"{file}_{number:04d}_{CAMERA[0].upper()}.pfm"
    must_exist(path)
    return partial(plain_truth, path)
