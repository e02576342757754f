"""Messages and progress on stderr, results on stdout, and the log file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from flowcli.errors import FlowcliError, OutputError
from flowcli.system.clock import seconds_waited
from flowcli.system.json_text import Json
from flowcli.system.log import LOG, open_log
from flowcli.system.tables import columns
from flowcli.system.terminal import counted, folded, message, printable, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


T = TypeVar("T")

SECONDS_BETWEEN_LINES = 30


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
        if self.quiet and not self._title:
            yield from items
            return
        if sys.stderr.isatty():
            from flowcli.system.progress import Bar  # noqa: PLC0415 - not needed to print an error

            title = shortened(self._title)
            yield from Bar(items, total=total, unit=unit, desc=title, smoothing=0.1, dynamic_ncols=True, leave=False)
            return
        started = reported = time.monotonic()
        for number, item in enumerate(items, start=1):
            yield item
            now = time.monotonic()
            if now - reported >= SECONDS_BETWEEN_LINES:
                rate = number / (now - started)
                left = f", about {(total - number) / rate:.0f} s left" if total and total > number else ""
                title = f"{self._title}: " * bool(self._title)
                pace = f"{rate:.2f} {unit}s/s" if rate >= 0.1 else f"{1 / rate:.0f} s per {unit}"
                write_line(f"{title}{counted(number, unit)} done, {pace}{left}")
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
        self.summarise(result.summary)
        if result.problem:
            raise result.problem

    def summarise(self, text: str) -> None:
        """Writes a summary to stderr with the seconds that the user waited, unless `quiet`."""
        write_line(f"{text}; {seconds_waited():.1f} s in all", shown=not self.quiet, style="summary")

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
        print_result("\n".join(fact(name, printable(value), width) for name, value in facts.items()))

    def table(self, result: Table) -> None:
        """Prints a table, or JSON, on stdout."""
        print_result(result.text() if self.json else columns(result.rows()))

    def scores(self, scores: ScoreTables, *, csv: bool = False, worst: int = 0) -> None:
        """Prints scores on stdout: JSON, CSV, or tables followed by their notes."""
        if self.json or csv:
            print_result(scores.text() if self.json else scores.csv())
            return
        notes = [folded(note, sys.stdout) for note in scores.notes()]
        print_result("\n".join([*map(columns, scores.tables(worst)), *notes]))


def fact(name: str, value: str, width: int) -> str:
    """A line of a name and its value; on a terminal the name is coloured, and the value's lines begin in one column."""
    title = styled(name, "problem" if name.startswith("problem ") else "name", sys.stdout)
    return title + " " * (width + 2 - len(name)) + folded(value, sys.stdout, indent=width + 2)


def shortened(text: str, *, width: int = 32) -> str | None:
    """The end of a text, which tells clips apart, at most so wide; None for an empty one."""
    return (text if len(text) <= width else f"...{text[3 - width :]}") or None


def write_line(text: str, *, shown: bool = True, style: str | None = None) -> None:
    """Writes one line to the log and, if `shown`, to stderr, in a style of `terminal`; a closed stderr is no error."""
    LOG.info(printable(text))
    if shown:
        with contextlib.suppress(OSError):
            print(message(printable(text), sys.stderr, style=style), file=sys.stderr, flush=True)


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


@dataclass(frozen=True)
class Result:
    """The outputs of a command, its summary and report, and a `problem` that did not stop it, raised at the end."""

    outputs: tuple[Path, ...]
    summary: str
    report: Json | None = None
    problem: FlowcliError | None = None
    notes: tuple[str, ...] = ()
