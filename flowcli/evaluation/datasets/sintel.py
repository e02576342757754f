"""MPI Sintel: ROOT/training with clean, final and flow, optionally occlusions and invalid."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_flow, read_mask
from flowcli.evaluation.datasets._values import GroundTruth, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part

LAYOUT = "ROOT holds training/clean, training/final and training/flow, and for submissions test/clean and test/final"
PASSES = ("clean", "final")


def samples(root: Path, part: Part) -> list[Sample]:
    """Both passes, scene by scene; there is no split, so validation is on the training scenes."""
    base = layout.subfolder(root, "test" if part == "test" else "training", layout=LAYOUT)
    result: list[Sample] = []
    for name in PASSES:
        for scene in layout.subfolders(layout.subfolder(base, name, layout=LAYOUT)):
            frames = layout.numbered(scene, r"frame_(\d+)\.png")
            starts = layout.numbered(base / "flow" / scene.name, r"frame_(\d+)\.flo")
            ground_truth = partial(_ground_truth, base, scene.name, part=part)
            result += layout.consecutive(
                frames, name=f"{name}/{scene.name}", group=name, ground_truth=ground_truth, starts=starts
            )
    return layout.found(result, root, layout=LAYOUT)


def submission(sample: Sample) -> PurePath:
    """The file of a test sample's flow, as the benchmark's bundler expects it."""
    scene, frame = sample.first.parent, sample.first.stem.removeprefix("frame_")
    return PurePath(scene.parent.name, scene.name, f"frame{frame}.flo")


def _ground_truth(base: Path, scene: str, number: int, *, part: Part) -> Callable[[], GroundTruth] | None:
    if part == "test":
        return None
    name = f"{scene}/frame_{number:04d}"
    flow = base / "flow" / f"{name}.flo"
    must_exist(flow)
    return partial(_read, flow, *(base / mask / f"{name}.png" for mask in ("invalid", "occlusions")))


def _read(flow: Path, invalid: Path, occluded: Path) -> GroundTruth:
    # The masks are in separate archives and may be absent.
    masks = (read_mask(path) if path.parents[1].is_dir() else None for path in (invalid, occluded))
    return GroundTruth(flow, read_flow(flow), *masks)
