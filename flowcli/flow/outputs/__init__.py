"""Where flow goes to: every file here, and every format that is saved, is a value of `--save`.

A file declares its `KIND`: a `Picture`, a `FlowFile` or `Records`, with what it is called. The first line of its
docstring is its help. A file whose name starts with `_` helps the others.
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
    Output,
    check_outputs,
    journal_folder,
    kind_of,
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
    "Output",
    "Part",
    "Sink",
    "check_outputs",
    "choose",
    "descriptions",
    "join_parts",
    "journal_folder",
    "kind_of",
    "missing_folders",
    "names_of",
    "open_sinks",
    "plan_outputs",
    "remove_stale",
    "report_path",
    "sink_names",
]


class Sink(Protocol):
    """One output while it is written. It must end with exactly one of `close`, `abort`, `finish_partial`."""

    def write(self, estimate: Estimate, /) -> None:
        """Adds the flow of the next pair."""

    def close(self) -> None:
        """Completes the output under its name."""

    def abort(self) -> None:
        """Removes what is unfinished."""

    def finish_partial(self) -> Path | None:
        """Keeps what is done after an interruption, and returns where it is; None where nothing is."""


def sink_names() -> tuple[str, ...]:
    """All values of `--save`."""
    return tuple(sorted(_files()))


def descriptions() -> dict[str, str]:
    """What each value of `--save` gives, for `--help`: read, not imported, because that takes a second."""
    texts = {name: file.read_text(encoding="utf-8") for name, file in sorted(_files().items())}
    return {name: (ast.get_docstring(ast.parse(text)) or name).splitlines()[0] for name, text in texts.items()}


def choose(text: str) -> tuple[str, ...]:
    """The outputs of a comma list, each once, in its order."""
    known = sink_names()
    chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in chosen:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            guess = f"did you mean {close[0]}? " if close else ""
            raise UsageError(f"--save does not know {name}", hint=f"{guess}it knows {', '.join(known)}")
    if not chosen:
        raise UsageError("--save names no output", hint=f"it knows {', '.join(known)}")
    return chosen


def join_parts(
    output: Output, parts: Sequence[Part], *, partial: bool = False, audio: Audio | None = None
) -> Path | None:
    """Makes an output that is one file of the parts that segments wrote; see `_joining`."""
    from flowcli.flow.outputs import _joining  # noqa: PLC0415 - loads PyAV

    return _joining.join_parts(output, parts, partial=partial, audio=audio)


def open_sinks(
    outputs: Sequence[Output],
    *,
    style: Style,
    rate: Fraction,
    tick: Fraction,
    encoding: Encoding = DEFAULT,
    pixel_aspect: Fraction = Fraction(1),
) -> list[Sink]:
    """The planned outputs, ready to be written: folders that cannot be are found here.

    For videos, `rate` is pairs per second, `tick` the unit of the pairs' times, and `pixel_aspect` the width of a pixel
    over its height.
    """
    from flowcli.flow.outputs._writers import open_sink  # noqa: PLC0415 - loads OpenCV and PyAV

    sinks: list[Sink] = []
    try:
        for output in outputs:
            sinks.append(
                open_sink(output, style=style, encoding=encoding, rate=rate, tick=tick, pixel_aspect=pixel_aspect)
            )
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise
    return sinks


def _files() -> dict[str, Path]:
    """The file that declares each value of `--save`."""
    here = [name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_")]
    saved = [name for name, each in formats.FORMATS.items() if each.saved]
    folders = {**dict.fromkeys(here, __path__[0]), **dict.fromkeys(saved, formats.__path__[0])}
    return {name: Path(folder) / f"{name}.py" for name, folder in folders.items()}
