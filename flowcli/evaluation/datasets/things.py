"""FlyingThings3D: ROOT with frames_cleanpass or frames_finalpass, and optical_flow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_ground_truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import GroundTruth, Part, Sample

LAYOUT = "ROOT holds frames_cleanpass or frames_finalpass, and optical_flow, each with TRAIN/A/0000 (and TEST)"
PASSES = {"clean": "frames_cleanpass", "final": "frames_finalpass"}
DIRECTIONS = {"into_future": ("OpticalFlowIntoFuture", 1), "into_past": ("OpticalFlowIntoPast", -1)}
# As in princeton-vl's training; the right camera's sequences show the same motion.
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
                ground_truth = partial(_ground_truth, flows / place / direction / CAMERA, file)
                name = f"{group}/{place.as_posix()}/{direction}"
                images = layout.numbered(scene / CAMERA, r"(\d+)\.(?:png|webp)")
                result += layout.consecutive(images, name=name, group=group, ground_truth=ground_truth, step=step)
    return layout.found(result, root, layout=LAYOUT)


def _scenes(half: Path) -> list[Path]:
    """The scenes in the folders A, B and C; none where the folder of a pass is absent."""
    return [scene for letter in layout.subfolders(half) for scene in layout.subfolders(letter)] if half.is_dir() else []


def _ground_truth(folder: Path, file: str, number: int) -> Callable[[], GroundTruth]:
    path = folder / f"{file}_{number:04d}_{CAMERA[0].upper()}.pfm"
    must_exist(path)
    return partial(read_ground_truth, path)
