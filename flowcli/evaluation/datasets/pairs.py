"""Your own pairs: ROOT/NAME with frame1.png, frame2.png and flow.npz or flow.flo."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from flowcli.errors import SourceError
from flowcli.evaluation.datasets import _layout as layout
from flowcli.evaluation.datasets._reading import must_exist, read_flow, read_ground_truth
from flowcli.evaluation.datasets._values import GroundTruth, Sample
from flowcli.flow.formats import npz

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.evaluation.datasets._values import Part

LAYOUT = "give a folder that holds NAME/frame1.png, NAME/frame2.png and NAME/flow.npz or NAME/flow.flo"


def samples(root: Path, part: Part) -> list[Sample]:
    """Every pair, sorted by name; its group is in manifest.json, or is the part of its name before the first `_`."""
    layout.no_test("pairs", part)
    folders = [folder for folder in layout.subfolders(layout.folder(root, layout=LAYOUT)) if _holds_a_pair(folder)]
    groups = _read_groups(root / "manifest.json")
    result = [_sample(folder, groups.get(folder.name, folder.name.split("_")[0])) for folder in folders]
    return layout.found(result, root, layout=LAYOUT)


def _holds_a_pair(folder: Path) -> bool:
    return any((folder / part).is_file() for part in ("frame1.png", "frame2.png", "flow.npz", "flow.flo"))


def _sample(folder: Path, group: str) -> Sample:
    first, second = folder / "frame1.png", folder / "frame2.png"
    must_exist(first)
    must_exist(second)
    for name, read in (("flow.npz", _read_npz), ("flow.flo", read_ground_truth)):
        if (folder / name).is_file():
            return Sample(folder.name, group, first, second, partial(read, folder / name))
    raise SourceError(f"{folder} has neither flow.npz nor flow.flo", hint=LAYOUT)


def _read_groups(manifest: Path) -> dict[str, str]:
    if not manifest.is_file():
        return {}
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        return {name: str(entry["group"]) for name, entry in entries.items() if "group" in entry}
    except (ValueError, TypeError, AttributeError, OSError) as error:
        hint = 'write {"NAME": {"group": "GROUP"}, ...}, or remove the file to group pairs by the start of their names'
        raise SourceError(f"{manifest} is not a manifest of pairs: {error}", hint=hint) from error


def _read_npz(path: Path) -> GroundTruth:
    return GroundTruth(path, read_flow(path), occluded=npz.read_mask(path, "occ"))
