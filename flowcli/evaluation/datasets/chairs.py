"""FlyingChairs: ROOT with data and the split in FlyingChairs_train_val.txt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_ground_truth
from flowcli.evaluation.datasets._values import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part

LAYOUT = "ROOT holds data/00001_img1.ppm … and FlyingChairs_train_val.txt, a line of 1 (train) or 2 for each pair"
SPLITS = ("FlyingChairs_train_val.txt", "chairs_split.txt")  # the publisher's name, and princeton-vl's
LABELS = {"training": "1", "validation": "2"}


def samples(root: Path, part: Part) -> list[Sample]:
    """The pairs of the part, by the split file."""
    layout.no_test("chairs", part)
    data = layout.subfolder(root, "data", layout=LAYOUT)
    flows = list(layout.numbered(data, r"(\d+)_flow\.flo").values())
    labels = _split(root)
    if len(labels) != len(flows):
        raise SourceError(f"{root} has {len(flows)} flows, but {len(labels)} lines in its split", hint=LAYOUT)
    result = []
    for flow, label in zip(flows, labels, strict=True):
        if label == LABELS[part]:
            number = flow.name.removesuffix("_flow.flo")
            first, second = (data / f"{number}_img{frame}.ppm" for frame in (1, 2))
            must_exist(first)
            must_exist(second)
            result.append(Sample(number, "chairs", first, second, partial(read_ground_truth, flow)))
    return layout.found(result, root, layout=LAYOUT)


def _split(root: Path) -> list[str]:
    """The label of every pair, 1 or 2."""
    path = next((root / name for name in SPLITS if (root / name).is_file()), None)
    if path is None:
        raise SourceError(f"{root} has no {SPLITS[0]}", hint=LAYOUT)
    labels = path.read_text(encoding="ascii", errors="replace").split()
    if set(labels) - {"1", "2"}:
        raise SourceError(f"{path} has lines other than 1 and 2", hint=LAYOUT)
    return labels
