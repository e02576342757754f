"""Messages and progress on stderr, results on stdout, and the log file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowcli.errors import FlowcliError, OutputError
from flowcli.system.clock import seconds_waited
from flowcli.system.json_text import Json
from flowcli.system.log import LOG, open_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


T = TypeVar("T")

SECONDS_BETWEEN_LINES = 30

BAR: dict[str, Any] = {"smoothing": 0.1, "dynamic_ncols": True, "leave": False}
"""The options of progress bars."""

COLOURS = {"error": "1;31", "hint": "36", "note": "33"}
"""The ANSI styles of the words that begin lines on a terminal."""


class Table(Protocol):
    """A result that is shown as a table, or as JSON."""

    def rows(self) -> list[list[str]]:
        """The table: a header, then a row for each item."""

    def text(self) -> str:
        """The whole result as JSON."""


class Facts(Protocol):
    """A result that is shown as a list of names and values, or as JSON."""

    def facts(self) -> dict[str, str]:
        """The values by name."""

    def text(self) -> str:
        """The whole result as JSON."""


class ScoreTables(Protocol):
    """Scores of several methods, shown as tables, CSV or JSON."""

    def tables(self, worst: int) -> list[list[list[str]]]:
        """Tables, each a header and rows; the last one lists at most `worst` of the worst items, if any."""

    def notes(self) -> list[str]:
        """The conditions for comparing the figures, one per line."""

    def csv(self) -> str:
        """The scores as CSV, a line for each method and item."""

    def text(self) -> str:
        """The scores as JSON."""


class Console:
    """Writes the messages and results of one run.

    `quiet` leaves only results and errors, `verbose` adds details, `json` prints the report instead of the paths.
    `log_file` gets a copy of every message, quiet or not, with its time. Raises OutputError where the log file cannot
    be written, UsageError where it is a file that flowcli did not write.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, json: bool = False, log_file: Path | None = None
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose and not quiet
        self.json = json
        self._title = ""
        if log_file is not None:
            open_log(log_file)

    def progress_of(self, title: str) -> Console:
        """A console that shows progress under this title, unless this one is quiet, and says nothing else."""
        console = Console(quiet=True)
        console._title = "" if self.quiet else printable(title)
        return console

    def say(self, text: str) -> None:
        """Writes one line to stderr, unless `quiet`."""
        write_line(text, shown=not self.quiet)

    def detail(self, text: str) -> None:
        """Writes one line to stderr if `verbose`."""
        write_line(text, shown=self.verbose)

    def follow(self, items: Iterable[T], *, total: int | None, unit: str) -> Iterator[T]:
        """The same items, while progress is shown: a bar on a terminal, at most one line every 30 s elsewhere."""
        from tqdm import tqdm  # noqa: PLC0415 - not needed to print an error

        if self.quiet and not self._title:
            yield from items
            return
        if sys.stderr.isatty():
            yield from tqdm(items, total=total, unit=unit, desc=shortened(self._title), **BAR)
            return
        started = reported = time.monotonic()
        for number, item in enumerate(items, start=1):
            yield item
            now = time.monotonic()
            if now - reported >= SECONDS_BETWEEN_LINES:
                rate = number / (now - started)
                left = f", about {(total - number) / rate:.0f} s left" if total and total > number else ""
                title = f"{self._title}: " * bool(self._title)
                write_line(f"{title}{number} {unit}s done, {rate:.2f} {unit}s/s{left}")
                reported = now

    def conclude(self, result: Result) -> None:
        """Prints results on stdout, notes and a summary on stderr; then raises `result.problem` where there is one."""
        if self.json and result.report:
            print_result(result.report.text())
        else:
            for path in result.outputs:
                self.show(path)
        for note in result.notes:
            self.say(f"note: {note}")
        self.say(result.summary if result.seconds is None else f"{result.summary}; {seconds_waited():.1f} s in all")
        if result.problem:
            raise result.problem

    def show(self, path: Path) -> None:
        """Prints the path of an output on stdout, unless `json`."""
        if not self.json:
            print_result(printable(str(path)))

    def facts(self, result: Facts) -> None:
        """Prints names and values, one per line, or JSON, on stdout."""
        if self.json:
            print_result(result.text())
            return
        facts = result.facts()
        width = max(map(len, facts))
        print_result("\n".join(f"{name:<{width}}  {printable(value)}" for name, value in facts.items()))

    def table(self, result: Table) -> None:
        """Prints a table, or JSON, on stdout."""
        print_result(result.text() if self.json else columns(result.rows()))

    def scores(self, scores: ScoreTables, *, csv: bool = False, worst: int = 0) -> None:
        """Prints scores on stdout: JSON, CSV, or tables followed by their notes."""
        if self.json or csv:
            print_result(scores.text() if self.json else scores.csv())
            return
        print_result("\n".join([*map(columns, scores.tables(worst)), *scores.notes()]))


def coloured(text: str) -> str:
    """A line with its first word in colour if that is one of `COLOURS`, on a terminal without NO_COLOR only."""
    word, colon, rest = text.partition(":")
    if word not in COLOURS or not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{COLOURS[word]}m{word}{colon}\x1b[0m{rest}"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text in columns; columns of numbers are aligned right, and the first row is a header."""
    from rich.console import Console as Terminal  # noqa: PLC0415 - only tables need it
    from rich.table import Table as Drawing  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    header, *rows = rows
    drawing = Drawing(box=None, pad_edge=False)
    for number, title in enumerate(header):
        measures = number > 0 and all(is_measure(row[number]) for row in rows)
        drawing.add_column(Text(title), justify="right" if measures else "left", overflow="fold")
    for row in rows:
        drawing.add_row(*(Text(printable(cell)) for cell in row))
    terminal = Terminal()
    with terminal.capture() as drawn:
        terminal.print(drawing)
    return drawn.get()


def shortened(text: str, *, width: int = 32) -> str | None:
    """The end of a text, which tells clips apart, at most so wide; None for an empty one."""
    return (text if len(text) <= width else f"...{text[3 - width :]}") or None


def is_measure(cell: str) -> bool:
    """Whether a table's cell is a number, with or without a unit, or marks a missing one."""
    return cell in {"", "nan", "inf", "–"} or cell[0].isdecimal()


def write_line(text: str, *, shown: bool = True) -> None:
    """Writes one line to the log and, if `shown`, to stderr; a closed stderr is no error."""
    LOG.info(printable(text))
    if shown:
        with contextlib.suppress(OSError):
            print(coloured(printable(text)), file=sys.stderr, flush=True)


def print_result(text: str) -> None:
    """Prints a result on stdout; raises OutputError where that cannot be written."""
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        # The reader has ended, as `| head` does. Python flushes stdout once more at its end, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"stdout cannot be written: {reason}", hint="send it elsewhere") from error


def printable(text: str) -> str:
    """Text with control characters escaped, so that a file's name cannot control the terminal."""
    return "".join(
        f"\\x{code_of(character):02x}" if unicodedata.category(character).startswith("C") else character
        for character in text
    )


def code_of(character: str) -> int:
    """A character's code point, or the byte behind a surrogate by which Python holds bytes that are not UTF-8."""
    code = ord(character)
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code


@dataclass(frozen=True)
class Result:
    """The outputs of a command, its summary and report, and a `problem` that did not stop it, raised at the end.

    `seconds` are those of computing, if the summary states them: the whole wait is then stated too.
    """

    outputs: tuple[Path, ...]
    summary: str
    report: Json | None = None
    problem: FlowcliError | None = None
    notes: tuple[str, ...] = ()
    seconds: float | None = None
