"""HD1K, sparse: ROOT with hd1k_input and hd1k_flow_gt."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_ground_truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flowcli.evaluation.datasets._values import GroundTruth, Part, Sample

LAYOUT = "ROOT holds hd1k_input/image_2 and hd1k_flow_gt/flow_occ, with files SEQUENCE_FRAME.png"


def samples(root: Path, part: Part) -> list[Sample]:
    """Every pair of every sequence; there is no split, so validation is on the training pairs."""
    layout.no_test("hd1k", part)
    frames = layout.subfolder(root, "hd1k_input/image_2", layout=LAYOUT)
    flows = layout.subfolder(root, "hd1k_flow_gt/flow_occ", layout=LAYOUT)
    result: list[Sample] = []
    sequences = sorted({match[1] for file in frames.iterdir() if (match := re.fullmatch(r"(\d+)_\d+\.png", file.name))})
    for sequence in sequences:
        images = layout.numbered(frames, rf"{sequence}_(\d+)\.png")
        ground_truth = partial(_ground_truth, flows, sequence)
        result += layout.consecutive(images, name=sequence, group="hd1k", ground_truth=ground_truth)
    return layout.found(result, root, layout=LAYOUT)


def _ground_truth(flows: Path, sequence: str, number: int) -> Callable[[], GroundTruth]:
    path = flows / f"{sequence}_{number:04d}.png"
    must_exist(path)
    return partial(read_ground_truth, path)
