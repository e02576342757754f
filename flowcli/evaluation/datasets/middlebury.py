"""Middlebury's pairs with public ground truth: ROOT with other-data and other-gt-flow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_ground_truth
from flowcli.evaluation.datasets._values import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part

LAYOUT = "ROOT holds other-data/NAME/frame10.png, frame11.png and other-gt-flow/NAME/flow10.flo"


def samples(root: Path, part: Part) -> list[Sample]:
    """Every sequence that has ground truth."""
    layout.no_test("middlebury", part)
    frames = layout.subfolder(root, "other-data", layout=LAYOUT)
    flows = layout.subfolder(root, "other-gt-flow", layout=LAYOUT)
    result = []
    for folder in layout.subfolders(flows):
        first, second = (frames / folder.name / f"frame{number}.png" for number in (10, 11))
        for path in (first, second, folder / "flow10.flo"):
            must_exist(path)
        ground_truth = partial(read_ground_truth, folder / "flow10.flo")
        result.append(Sample(folder.name, "middlebury", first, second, ground_truth))
    return layout.found(result, root, layout=LAYOUT)
