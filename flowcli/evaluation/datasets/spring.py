"""Spring: ROOT/train/0001 with frame_left, flow_FW_left etc.; .flo5 files need h5py."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_flow
from flowcli.evaluation.datasets._values import GroundTruth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part, Sample

LAYOUT = "ROOT holds train/0001/frame_left/frame_left_0001.png and train/0001/flow_FW_left/flow_FW_left_0001.flo5"
DIRECTIONS = {"forward": ("FW", 1), "backward": ("BW", -1)}


def samples(root: Path, part: Part) -> list[Sample]:
    """Every scene in both directions; a camera or direction whose folder is absent is left out."""
    layout.no_test("spring", part)
    result: list[Sample] = []
    for scene in layout.subfolders(layout.subfolder(root, "train", layout=LAYOUT)):
        for camera in ("left", "right"):
            frames = layout.numbered(scene / f"frame_{camera}", rf"frame_{camera}_(\d+)\.png")
            for group, (way, step) in DIRECTIONS.items():
                flows = scene / f"flow_{way}_{camera}"
                if frames and flows.is_dir():
                    name = f"{scene.name}/{group}"
                    starts = layout.numbered(flows, rf"{flows.name}_(\d+)\.flo5")
                    result += layout.consecutive(
                        frames,
                        name=name,
                        group=group,
                        ground_truth=partial(_ground_truth, flows),
                        step=step,
                        starts=starts,
                    )
    return layout.found(result, root, layout=LAYOUT)


def _ground_truth(flows: Path, number: int) -> Callable[[], GroundTruth]:
    path = flows / f"{flows.name}_{number:04d}.flo5"
    must_exist(path)
    return partial(_read, path)


def _read(path: Path) -> GroundTruth:
    # Flow is stored at twice the frames' resolution, in px of the frames; the publisher's loader subsamples it too.
    return GroundTruth(path, read_flow(path)[::2, ::2])
