"""Tables as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.system.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 24
"""The characters of the longest words that are not broken."""

BETWEEN = 2
"""The spaces between two columns."""


@dataclass
class Column:
    """The cells of a column below its title, whether they are numbers, and its width in characters."""

    title: str
    cells: Sequence[str]
    measures: bool
    width: int

    @property
    def least(self) -> int:
        """The width that breaks no number, and no word of at most `WHOLE` characters; titles of numbers may break."""
        if self.measures:
            return max(map(len, self.cells))
        return min(WHOLE, max(len(word) for cell in [self.title, *self.cells] for word in [*cell.split(), ""]))


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text in columns as wide as the terminal; columns of numbers are aligned right; the first row is a header.

    Where they do not fit, the widest columns are folded; what still does not fit is longer than the terminal's lines.
    """
    from rich.console import Console  # noqa: PLC0415 - only tables need it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    terminal = Console()
    drawing = Table(box=None, padding=(0, BETWEEN, 0, 0), pad_edge=False)
    shown = fitting([[printable(cell) for cell in row] for row in rows], terminal.width)
    for column in shown:
        title = Text(column.title)
        drawing.add_column(title, justify="right" if column.measures else "left", overflow="fold", width=column.width)
    for cells in zip(*(column.cells for column in shown), strict=True):
        drawing.add_row(*map(Text, cells))
    terminal.width = max(terminal.width, width_of(shown))
    with terminal.capture() as drawn:
        terminal.print(drawing)
    return drawn.get()


def fitting(rows: Sequence[Sequence[str]], width: int) -> list[Column]:
    """The columns of a table, the widest ones narrowed until they fit into `width` or would break words."""
    found: list[Column] = []
    for title, *cells in zip(*rows, strict=True):
        measures = bool(found) and bool(cells) and all(map(is_measure, cells))
        found.append(Column(title, cells, measures, max(map(len, [title, *cells]))))
    while width_of(found) > width and (wider := [column for column in found if column.width > column.least]):
        max(wider, key=lambda column: column.width).width -= 1
    return found


def width_of(columns: Sequence[Column]) -> int:
    """The characters of a line of these columns."""
    return sum(column.width for column in columns) + BETWEEN * (len(columns) - 1)


def is_measure(cell: str) -> bool:
    """Whether a table's cell is a number, with or without a unit, or marks a missing one."""
    return cell in {"", "nan", "inf", "–"} or cell[0].isdecimal()
