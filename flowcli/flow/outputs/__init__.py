"""The kinds of output: every module here, and every format that is saved, is a value of `--save`.

A module declares its `KIND`: a `Picture`, a `FlowFile` or `Records`, with its file names. The first line of its
docstring is its help. Modules whose names start with `_` are helpers.
"""

from __future__ import annotations

import ast
import pkgutil
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flowcli.errors import UsageError
from flowcli.flow import formats
from flowcli.flow.naming import Part
from flowcli.flow.outputs._naming import (
    MP4,
    OVERWRITING,
    Output,
    check_outputs,
    journal_folder,
    kind_of,
    missing_files,
    missing_folders,
    names_of,
    plan_outputs,
    remove_stale,
    report_path,
)
from flowcli.media.encoding import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.media.encoding import Encoding
    from flowcli.media.frames import Audio

__all__ = [
    "MP4",
    "OVERWRITING",
    "Output",
    "OutputWriter",
    "Part",
    "check_outputs",
    "choose",
    "descriptions",
    "join_parts",
    "journal_folder",
    "kind_of",
    "missing_files",
    "missing_folders",
    "names_of",
    "open_writers",
    "output_names",
    "plan_outputs",
    "remove_stale",
    "report_path",
]


class OutputWriter(Protocol):
    """One output while it is written; it must end with exactly one of `close`, `abort`, `finish_partial`."""

    def write(self, estimate: Estimate, /) -> None:
        """Adds the flow of the next pair."""

    def close(self) -> None:
        """Completes the output under its final name."""

    def abort(self) -> None:
        """Removes unfinished files."""

    def finish_partial(self) -> Path | None:
        """Completes the output after an interruption and returns its path; None if it is empty."""


def output_names() -> tuple[str, ...]:
    """All values of `--save`, sorted."""
    return tuple(sorted(_files()))


def descriptions(*, video: bool = True) -> dict[str, str]:
    """The help of each value of `--save` for a video or, if not `video`, for a pair of images.

    Read from the modules without importing them, which takes a second.
    """
    modules = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in sorted(_files().items())}
    return {
        name: (ast.get_docstring(module) or name).splitlines()[0]
        for name, module in modules.items()
        if video or not _needs_video(module)
    }


def _needs_video(module: ast.Module) -> bool:
    """Whether a module's output is of videos only, as the `pairs` of its `Naming` says."""
    return any(isinstance(node, ast.keyword) and node.arg == "pairs" for node in ast.walk(module))


def choose(text: str) -> tuple[str, ...]:
    """The outputs of a comma-separated list, in order, each once; raises UsageError for unknown ones."""
    known = output_names()
    chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in chosen:
        if name not in known:
            close = get_close_matches(name, set(known) - set(chosen), n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            raise UsageError(f"--save {name} is not known", hint=f"{guess}use {', '.join(known)}")
    if not chosen:
        raise UsageError("--save names no output", hint=f"use {', '.join(known)}")
    return chosen


def join_parts(
    output: Output, parts: Sequence[Part], *, partial: bool = False, audio: Audio | None = None
) -> Path | None:
    """Joins the parts that segments wrote into a single-file output; see `_joining`."""
    from flowcli.flow.outputs import _joining  # noqa: PLC0415 - loads PyAV

    return _joining.join_parts(output, parts, partial=partial, audio=audio)


def open_writers(
    outputs: Sequence[Output],
    *,
    style: Style,
    rate: Fraction,
    tick: Fraction,
    encoding: Encoding = DEFAULT,
    pixel_aspect: Fraction = Fraction(1),
) -> list[OutputWriter]:
    """The writers of planned outputs; raises OutputError where a folder cannot be written.

    For videos, `rate` is pairs per second, `tick` the unit of the pairs' times in seconds, and `pixel_aspect` the width
    of a pixel over its height.
    """
    from flowcli.flow.outputs._writers import open_writer  # noqa: PLC0415 - loads OpenCV

    writers: list[OutputWriter] = []
    try:
        for output in outputs:
            writers.append(
                open_writer(output, style=style, encoding=encoding, rate=rate, tick=tick, pixel_aspect=pixel_aspect)
            )
    except BaseException:
        for writer in writers:
            writer.abort()
        raise
    return writers


def _files() -> dict[str, Path]:
    """The module file of each value of `--save`."""
    here = [name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_")]
    saved = [name for name, each in formats.FORMATS.items() if each.saved]
    folders = {**dict.fromkeys(here, __path__[0]), **dict.fromkeys(saved, formats.__path__[0])}
    return {name: Path(folder) / f"{name}.py" for name, folder in folders.items()}
