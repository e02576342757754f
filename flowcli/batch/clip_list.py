"""Reads a list of clips: one path per line, or a table (CSV, JSONL) with options for each clip."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from flowcli.batch.clips import chosen, named
from flowcli.errors import SourceError, UsageError
from flowcli.media.kinds import is_video
from flowcli.media.sources import check_name
from flowcli.pipeline.request import BATCH, PATH, WORK, Request
from flowcli.system.options import declared, marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowcli.batch.clips import Clip
    from flowcli.system.options import Option

SHARED = marked(Request, PATH, WORK, BATCH)
"""The fields of a Request that are the same for all clips of a batch."""
OPTIONS = {name: option for name, option in declared(Request).items() if name not in SHARED}
"""The options that can differ between clips, by field."""
BY_NAME = {option.name.replace("-", "_"): option for option in OPTIONS.values()} | OPTIONS
"""The same options by their name on the command line, with underscores, and by field."""


def read_list(path: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Clip]:
    """The clips that a list names, in its order; paths are relative to its folder and must be below it.

    `NAME.csv` has a column `path` and `NAME.jsonl` an object with `path` in every line; other columns and keys are
    options as the command line spells them. Any other file has a path in every line. `include` and `exclude` are globs.
    Raises SourceError if the list cannot be read or no clip remains, UsageError for an invalid entry.
    """
    if is_video(path):
        raise UsageError(f"{path} is a video, not a folder or a list", hint=f"use `flowcli video {quote(str(path))}`")
    root = path.parent
    rows: dict[Path, dict[str, Any]] = {}
    for number, row in enumerate(rows_of(path), start=1):
        where = f"{path}, entry {number}"
        place = inside(root, row.pop("path", None), where)
        if place in rows:
            raise UsageError(f"{where}: {place} is listed twice", hint="list each clip once")
        rows[place] = options_of(row, where)
    places = {clip.path: clip for clip in named(root, (root / place for place in rows))}
    clips = [replace(places[root / place], options=options) for place, options in rows.items()]
    return chosen(clips, path, include=include, exclude=exclude)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The entries of a list; raises SourceError if it cannot be read."""
    try:
        # Bytes of a file name that are not UTF-8 are kept, as in names read from a folder.
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        if "\0" in text:
            raise ValueError("it is not text")
        if path.suffix.lower() == ".csv":
            return [
                {name: value for name, value in row.items() if value}
                for row in csv.DictReader(io.StringIO(text), strict=True)
            ]
        lines = [line for line in text.splitlines() if line.strip()]
        if path.suffix.lower() != ".jsonl":
            return [{"path": line} for line in lines]
        rows = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="a list is text, CSV or JSONL") from error
    if not all(isinstance(row, dict) for row in rows):
        raise SourceError(f"{path} has lines that are not objects", hint='write {"path": "a.mp4", "skip": 2} in each')
    return rows


def inside(root: Path, text: object, where: str) -> Path:
    """A listed path, relative to `root`; raises UsageError if it is not a path below `root`."""
    if not isinstance(text, str) or not text:
        raise UsageError(f"{where} has no path", hint="a table needs a column `path`")
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
