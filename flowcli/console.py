"""What a person sees: progress and messages on stderr, results on stdout."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import unicodedata
from typing import TYPE_CHECKING, TypeVar

from flowcli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from flowcli.comparison import Scores
    from flowcli.run import Result

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 30


class Console:
    """Tells of one run; `quiet` leaves results and errors only, `json` prints the report instead of the paths."""

    def __init__(self, *, quiet: bool = False, json: bool = False) -> None:
        self.quiet = quiet
        self.json = json

    def say(self, text: str) -> None:
        """One line of information on stderr."""
        if not self.quiet:
            tell(text)

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
        if self.json:
            hand_over(result.report)
        else:
            for path in result.outputs:
                self.show(path)
        self.say(result.summary)
        if result.problem:
            raise result.problem

    def show(self, path: Path) -> None:
        """The path of something that was made, on stdout."""
        if not self.json:
            hand_over(printable(str(path)))

    def table(self, scores: Scores) -> None:
        """Scores as a table, or as JSON, on stdout."""
        if self.json:
            hand_over(scores.text())
            return
        from rich.console import Console as Terminal  # noqa: PLC0415 - only tables need it
        from rich.table import Table  # noqa: PLC0415

        header, *rows = scores.rows()
        table = Table(box=None, pad_edge=False)
        for number, title in enumerate(header):
            table.add_column(title, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*row)
        terminal = Terminal()
        with terminal.capture() as drawn:
            terminal.print(table)
        hand_over(drawn.get())


def tell(text: str) -> None:
    """One line on stderr, if anyone can still read it: a closed terminal must not turn a stop into a crash."""
    with contextlib.suppress(OSError):
        print(printable(text), file=sys.stderr, flush=True)


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
        character if not unicodedata.category(character).startswith("C") else f"\\x{ord(character):02x}"
        for character in text
    )
