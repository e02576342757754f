"""What a person sees: progress and messages on stderr, results on stdout."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
import traceback
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from flowcli.errors import FlowcliError, OutputError, UsageError
from flowcli.system.json_text import Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


T = TypeVar("T")

SECONDS_BETWEEN_LINES = 30

LOG = logging.getLogger("flowcli")
LOG.propagate = False


class Table(Protocol):
    """A result that is shown as a table, or as JSON."""

    def rows(self) -> list[list[str]]:
        """A header, then a row for each item."""

    def text(self) -> str:
        """The whole result as JSON."""


class Facts(Protocol):
    """A result that is shown as a list of facts, or as JSON."""

    def facts(self) -> dict[str, str]:
        """What each fact is called, and what it is."""

    def text(self) -> str:
        """The whole result as JSON."""


class ScoreTables(Protocol):
    """Scores of several methods, as whoever shows them needs them."""

    def tables(self, worst: int) -> list[list[list[str]]]:
        """Tables, each a header and rows; the last one lists so many of the `worst` items, if any."""

    def notes(self) -> list[str]:
        """What must be known to compare the figures, a line each."""

    def csv(self) -> str:
        """A line for each method and item."""

    def text(self) -> str:
        """All of it as JSON."""


class Console:
    """Tells of one run.

    `quiet` leaves results and errors only, `verbose` adds how it is done, `json` prints the report instead of the
    paths. `log_file` gets a copy of all that is told, quiet or not, with times.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, json: bool = False, log_file: Path | None = None
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose and not quiet
        self.json = json
        if log_file is not None:
            keep_log(log_file)

    def say(self, text: str) -> None:
        """One line of information on stderr."""
        tell(text, shown=not self.quiet)

    def detail(self, text: str) -> None:
        """One line that only who asks for more wants to read."""
        tell(text, shown=self.verbose)

    def follow(self, items: Iterable[T], *, total: int | None, unit: str) -> Iterator[T]:
        """The same items, with rate and time left: a bar on a terminal, a line every 30 s elsewhere."""
        from tqdm import tqdm  # noqa: PLC0415 - not needed to print an error

        if self.quiet:
            yield from items
            return
        if sys.stderr.isatty():
            yield from tqdm(items, total=total, unit=unit, smoothing=0.1, dynamic_ncols=True, leave=False)
            return
        started = told = time.monotonic()
        for number, item in enumerate(items, start=1):
            yield item
            now = time.monotonic()
            if now - told >= SECONDS_BETWEEN_LINES:
                rate = number / (now - started)
                left = f", about {(total - number) / rate:.0f} s left" if total and total > number else ""
                self.say(f"{number} {unit}s done, {rate:.2f} {unit}s/s{left}")
                told = now

    def conclude(self, result: Result) -> None:
        """Ends a run: results on stdout, one line of summary on stderr; raises what went wrong but was survived."""
        if self.json and result.report:
            hand_over(result.report.text())
        else:
            for path in result.outputs:
                self.show(path)
        for note in result.notes:
            self.say(f"note: {note}")
        self.say(result.summary)
        if result.problem:
            raise result.problem

    def show(self, path: Path) -> None:
        """The path of something that was made, on stdout."""
        if not self.json:
            hand_over(printable(str(path)))

    def facts(self, result: Facts) -> None:
        """What is known of one thing, a fact a line, or JSON, on stdout."""
        if self.json:
            hand_over(result.text())
            return
        facts = result.facts()
        width = max(map(len, facts))
        hand_over("\n".join(f"{name:<{width}}  {printable(value)}" for name, value in facts.items()))

    def table(self, result: Table) -> None:
        """A table, or JSON, on stdout."""
        hand_over(result.text() if self.json else columns(result.rows()))

    def scores(self, scores: ScoreTables, *, csv: bool = False, worst: int = 0) -> None:
        """Scores as JSON, as CSV, or as tables with what must be known to compare them, on stdout."""
        if self.json or csv:
            hand_over(scores.text() if self.json else scores.csv())
            return
        hand_over("\n".join([*map(columns, scores.tables(worst)), *scores.notes()]))


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text in columns, numbers to the right; the first row is a header."""
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


def is_measure(cell: str) -> bool:
    """Whether a table's cell is a number, perhaps with a unit, or stands for a missing one."""
    return cell in {"", "nan", "inf", "–"} or cell[0].isdecimal()


def tell(text: str, *, shown: bool = True) -> None:
    """One line on stderr, if anyone can still read it: a closed terminal must not turn a stop into a crash."""
    LOG.info(printable(text))
    if shown:
        with contextlib.suppress(OSError):
            print(printable(text), file=sys.stderr, flush=True)


def log_traceback() -> None:
    """The exception being handled, for the log file; file names that are not text are escaped."""
    LOG.debug(traceback.format_exc().encode(errors="backslashreplace").decode())


class LogFile(logging.FileHandler):
    """A log whose failures do not stop a run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Does nothing: what could not be written is tried again when the file is closed."""


def keep_log(path: Path) -> None:
    """Appends what is told from now on to a file.

    Raises OutputError where it cannot be written, UsageError where it is anything but a log of earlier runs.
    """
    try:
        if path.is_file():
            with path.open("rb") as file:
                beginning = file.read(11)
            if beginning and not re.match(rb"\d{4}-\d\d-\d\d ", beginning):
                raise UsageError(f"{path} is no log of flowcli's", hint="choose another --log-file")
        handler = LogFile(path, encoding="utf-8")
    except OSError as error:
        raise log_error(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.DEBUG)


def close_log() -> None:
    """Completes the log file, if there is one; raises OutputError where it could not be written."""
    LOG.setLevel(logging.NOTSET)
    for handler in list(LOG.handlers):
        LOG.removeHandler(handler)
        try:
            handler.close()
        except OSError as error:
            raise log_error(Path(getattr(handler, "baseFilename", "the log")), error) from error


def log_error(path: Path, error: OSError) -> OutputError:
    """The failure to write a log file."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"{path} cannot be written: {reason}", hint="choose another --log-file")


def hand_over(text: str) -> None:
    """A result on stdout."""
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        # The reader went away, as `| head` does. What is left would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"stdout cannot be written: {reason}", hint="send it elsewhere") from error


def printable(text: str) -> str:
    """Text that cannot move the cursor or break the terminal, whatever a file is called."""
    return "".join(
        f"\\x{number_of(character):02x}" if unicodedata.category(character).startswith("C") else character
        for character in text
    )


def number_of(character: str) -> int:
    """A character's number; that of a byte which is no text, and which Python holds as a surrogate, is its own."""
    number = ord(character)
    return number - 0xDC00 if 0xDC80 <= number <= 0xDCFF else number


@dataclass(frozen=True)
class Result:
    """What a command wrote, what it says of that, and the `problem` it got past, which is raised in the end."""

    outputs: tuple[Path, ...]
    summary: str
    report: Json | None = None
    problem: FlowcliError | None = None
    notes: tuple[str, ...] = ()
