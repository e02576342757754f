"""TartanAir: ROOT/ENVIRONMENT/Easy/P000 with image_left and flow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_flow
from flowcli.evaluation.datasets._values import GroundTruth
from flowcli.flow.formats import npy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part, Sample

LAYOUT = "ROOT holds ENVIRONMENT/Easy/P000/image_left/000000_left.png and …/P000/flow/000000_000001_flow.npy"
# The mask's value where the second frame shows the pixel; the others mark kinds of occlusion and out of frame.
VISIBLE = 0
_MASK = "an .npy file of whole numbers, (height, width)"


def samples(root: Path, part: Part) -> list[Sample]:
    """Every trajectory, grouped by difficulty."""
    layout.no_test("tartanair", part)
    layout.folder(root, layout=LAYOUT)
    result: list[Sample] = []
    for environment in layout.subfolders(root):
        for difficulty in layout.subfolders(environment):
            for trajectory in layout.subfolders(difficulty):
                frames = layout.numbered(trajectory / "image_left", r"(\d+)_left\.png")
                name = trajectory.relative_to(root).as_posix()
                flows = trajectory / "flow"
                starts = layout.numbered(flows, r"(\d+)_\d+_flow\.npy")
                result += layout.consecutive(
                    frames, name=name, group=difficulty.name, ground_truth=partial(_ground_truth, flows), starts=starts
                )
    return layout.found(result, root, layout=LAYOUT)


def _ground_truth(flows: Path, number: int) -> Callable[[], GroundTruth]:
    pair = f"{number:06d}_{number + 1:06d}"
    must_exist(flows / f"{pair}_flow.npy")
    return partial(_read, flows / f"{pair}_flow.npy", flows / f"{pair}_mask.npy")


def _read(flow: Path, mask: Path) -> GroundTruth:
    occluded = np.not_equal(npy.read_array(mask, axes=2, kinds="biu", kind=_MASK), VISIBLE) if mask.is_file() else None
    return GroundTruth(flow, read_flow(flow), occluded=occluded)
