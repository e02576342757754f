"""KITTI 2015 or 2012, sparse: ROOT/training with image_2 or colored_0, flow_occ, flow_noc."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_flow
from flowcli.evaluation.datasets._values import GroundTruth, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part

LAYOUT = "ROOT holds training/flow_occ with training/image_2 (2015) or training/colored_0 or image_0 (2012)"
PADDING = "bottom"
# 2012 has frames in colour and in grey.
FRAMES = {"image_2": "kitti2015", "colored_0": "kitti2012", "image_0": "kitti2012"}


def samples(root: Path, part: Part) -> list[Sample]:
    """Every pair 000000_10.png, 000000_11.png; there is no split, so validation is on the training pairs."""
    base = layout.subfolder(root, "testing" if part == "test" else "training", layout=LAYOUT)
    frames = layout.subfolder(base, *FRAMES, layout=LAYOUT)
    result = []
    for first in layout.numbered(frames, r"(\d+)_10\.png").values():
        second = first.with_name(first.name.replace("_10.", "_11."))
        must_exist(second)
        ground_truth = None
        if part != "test":
            must_exist(base / "flow_occ" / first.name)
            ground_truth = partial(_read, base / "flow_occ" / first.name, base / "flow_noc" / first.name)
        result.append(Sample(first.stem, FRAMES[frames.name], first, second, ground_truth))
    return layout.found(result, root, layout=LAYOUT)


def submission(sample: Sample) -> PurePath:
    """The file of a test sample's flow in a submission: in the folder `flow` for 2015, at the top for 2012."""
    name = f"{sample.first.stem}.png"
    return PurePath("flow", name) if sample.group == "kitti2015" else PurePath(name)


def _read(everywhere: Path, visible: Path) -> GroundTruth:
    """The flow of `flow_occ`; occluded where `flow_noc`, which excludes pixels that leave the frame, has no flow."""
    occluded = np.isnan(read_flow(visible)[..., 0]) if visible.parent.is_dir() else None
    return GroundTruth(everywhere, read_flow(everywhere), occluded=occluded)
