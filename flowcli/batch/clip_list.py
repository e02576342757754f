"""Reads a list of clips: one path per line, or a table (CSV, JSONL) with options for each clip.

A row of a table may also name two images, `first` and `second`, and what outputs are called, `name`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from flowcli.batch.clips import Clip, chosen, named
from flowcli.errors import SourceError, UsageError
from flowcli.media.kinds import is_video
from flowcli.media.sources import check_name
from flowcli.pipeline.request import BATCH, PATH, WORK, Request
from flowcli.system.options import declared, marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowcli.system.options import Option

SHARED = marked(Request, PATH, WORK, BATCH)
"""The fields of a Request that are the same for all clips of a batch."""
OPTIONS = {name: option for name, option in declared(Request).items() if name not in SHARED}
"""The options that can differ between clips, by field."""
BY_NAME = {option.name.replace("-", "_"): option for option in OPTIONS.values()} | OPTIONS
"""The same options by their name on the command line, with underscores, and by field."""


def read_list(path: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Clip]:
    """The clips that a list names, in its order; paths are relative to its folder and must be below it.

    `NAME.csv` has a column `path` and `NAME.jsonl` an object with `path` in every line, or `first` and `second`, two
    images, and perhaps a `name` for the outputs; other columns and keys are options as the command line spells them. A
    video may be listed for several places: outputs are called after their `start` or `name`. Any other file has a path
    in every line. `include` and `exclude` are globs. Raises SourceError if the list cannot be read or no clip remains,
    UsageError for an invalid entry.
    """
    if is_video(path):
        raise UsageError(f"{path} is a video, not a folder or a list", hint=f"use `flowcli video {quote(str(path))}`")
    root = path.parent
    entries = [Entry.of(root, row, f"{path}, entry {number}") for number, row in enumerate(rows_of(path), start=1)]
    places = {clip.path: clip for clip in named(root, {root / entry.place: None for entry in entries})}
    listed = Counter(entry.place for entry in entries)
    clips: dict[Path, Clip] = {}
    for entry in entries:
        clip = entry.clip(root, places[root / entry.place], alone=listed[entry.place] == 1)
        output = clip.folder / clip.name
        if output in clips:
            other = clips[output]
            same = other.inputs == clip.inputs
            problem = "is listed twice" if same else f"would have the outputs of {other.path.name}: {clip.name}"
            raise UsageError(
                f"{entry.where}: {entry.place} {problem}",
                hint="list each clip once, or give each place of a video another `start` or `name`",
            )
        clips[output] = clip
    return chosen(clips.values(), path, include=include, exclude=exclude)


@dataclass(frozen=True)
class Entry:
    """An entry of a list: the path of its clip, or of the first of two images, its options, and the name it gives."""

    where: str
    place: Path
    options: Mapping[str, Any]
    second: Path | None = None
    name: str | None = None

    @classmethod
    def of(cls, root: Path, row: dict[str, Any], where: str) -> Entry:
        """The entry of a row; raises UsageError for invalid values."""
        first, second, name = row.pop("first", None), row.pop("second", None), row.pop("name", None)
        if (first is None) != (second is None) or (first is not None and "path" in row):
            raise UsageError(f"{where} names one image of two", hint="write `first` and `second`, or `path`")
        if name is not None and (not isinstance(name, str) or name in {"", ".", ".."} or re.search(r"[/\\\0]", name)):
            raise UsageError(f"{where}: {name} is not a name for outputs", hint="a name has no folders")
        place = inside(root, row.pop("path", None) if first is None else first, where)
        other = None if second is None else inside(root, second, where)
        return cls(where, place, options_of(row, where), other, name)

    def clip(self, root: Path, usual: Clip, *, alone: bool) -> Clip:
        """The clip of this entry; `usual` is that of its path, whose name and key it has if it is `alone` with it."""
        name = self.name
        if name is None and self.second is not None:
            name = f"{self.place.stem}_{self.second.stem}"
        if name is None and not alone:
            start = str(self.options.get("start") or "#0").replace("#", "frame").replace(":", "-")
            name = f"{usual.name}_at_{start}"
        second = None if self.second is None else root / self.second
        key = usual.key if name is None else (self.place.parent / name).as_posix()
        return replace(usual, key=key, name=name or usual.name, options=self.options, second=second)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The entries of a list; raises SourceError if it cannot be read."""
    try:
        # Bytes of a file name that are not UTF-8 are kept, as in names read from a folder.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        if "\0" in text:
            raise ValueError("it is not text")
        if path.suffix.lower() == ".csv":
            table = csv.DictReader(io.StringIO(text), strict=True)
            check_columns(table.fieldnames or ())
            return [{name: value for name, value in row.items() if value} for row in table]
        # Names may have other line separators of Unicode in them, at which `splitlines` would break them.
        lines = [line for line in re.split("\r?\n", text) if line.strip()]
        if path.suffix.lower() != ".jsonl":
            return [{"path": line} for line in lines]
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="a list is text, CSV or JSONL") from error
    if not all(isinstance(row, dict) for row in rows):
        raise SourceError(f"{path} has lines that are not objects", hint='write {"path": "a.mp4", "skip": 2} in each')
    return rows


def check_columns(names: Sequence[str]) -> None:
    """Raises ValueError for a header of columns that are named twice, or are not separated by commas."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"it has two columns {name}")
        if ";" in name or "\t" in name:
            raise ValueError("its columns are not separated by commas")


def inside(root: Path, text: object, where: str) -> Path:
    """A listed path, relative to `root`; raises UsageError if it is not a path below `root`."""
    if not isinstance(text, str) or not text:
        raise UsageError(f"{where} has no path", hint="a table needs a column `path`, or `first` and `second`")
    if "\0" in text:
        raise UsageError(f"{where}: {text} is not a path", hint="check the list")
    check_name(root / text)
    place = Path(os.path.relpath(root / text, root))
    if place.parts[:1] in {(), ("..",)}:
        raise UsageError(f"{where}: {text} is not below {root}", hint="put the list into a folder above its clips")
    return place


def options_of(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options of a row, by field of Request; raises UsageError for an unknown option or an invalid value."""
    found = {}
    for spelled, value in row.items():
        name = str(spelled).lstrip("-").replace("-", "_")
        option = BY_NAME.get(name)
        if option is None:
            reason = "applies to the whole batch" if name in SHARED else "is not an option of flowcli video"
            raise UsageError(f"{where}: {spelled} {reason}", hint=f"options of a clip are {', '.join(OPTIONS)}")
        if option.field in found:
            raise UsageError(f"{where}: {spelled} is given twice", hint="check the list")
        if value is not None:
            found[option.field] = value_of(option, value, f"{where}: {spelled} {value}")
    return found


def value_of(option: Option, value: object, what: str) -> str | int | float | bool:
    """The value of an option, parsed from a cell of a table; raises UsageError, starting with `what`, if invalid."""
    try:
        if isinstance(value, dict | list):
            raise TypeError
        parsed: str | int | float | bool = option.parse(str(value).strip())
    except (ValueError, TypeError) as error:
        raise UsageError(f"{what} is not a valid {option.type.__name__}", hint="check the list") from error
    return parsed
