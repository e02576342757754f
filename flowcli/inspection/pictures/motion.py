"""What changes from update to update: the motion features and the hidden state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import column, decimal, enlarged, fitted, heat, line, page, row, tiled, titled
from flowcli.inspection.maps import hidden_films, motion_films
from flowcli.inspection.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.maps import Film

    Named = tuple[str, Film]

COLUMNS_SHOWN = 8
"""How many updates a sheet shows at most."""
THUMB = (170, 150)
PANEL = 256


def draw(findings: Findings) -> Iterator[Picture]:
    """`motion_features` and `hidden_state`, each as a sheet (.png) and a film (.gif) over the updates."""
    observation = findings.observation
    flow = observation.config.motion_channels - 2
    names = {flow: ": flow to the right, cells", flow + 1: ": flow down, cells"}
    motion = [
        (f"channel {film.channel}{names.get(film.channel, '')}", film)
        for film in motion_films(observation, findings.channels)
    ]
    steps = [f"update {number + 1}" for number in range(findings.iterations)]
    yield from both("motion_features", "Motion features", motion, steps)
    hidden = [(f"channel {film.channel}", film) for film in hidden_films(observation, findings.channels)]
    yield from both("hidden_state", "Hidden state of the GRU", hidden, ["at the start", *steps])


def both(name: str, title: str, films: Sequence[Named], steps: Sequence[str]) -> Iterator[Picture]:
    """The sheet and the film."""
    chosen = sorted({round(place) for place in np.linspace(0, len(steps) - 1, min(COLUMNS_SHOWN, len(steps)))})
    rows = [sheet_row(label, film, [steps[step] for step in chosen], chosen) for label, film in films]
    note = "Each channel in one range of colours for all updates, so that change is seen as change."
    yield Picture(f"{name}.png", [page(column(rows, gap=10), title, [note])])
    yield Picture(f"{name}.gif", [moment(title, films, step, label) for step, label in enumerate(steps)])


def sheet_row(title: str, film: Film, labels: Sequence[str], steps: Sequence[int]) -> Image:
    """One channel from left to right."""
    thumbs = [
        column([line(label, size=12), fitted(shown(film, step), *THUMB, smooth=False)], gap=0)
        for label, step in zip(labels, steps, strict=True)
    ]
    return titled(row(thumbs, gap=6), title, span(film))


def moment(title: str, films: Sequence[Named], step: int, label: str) -> Image:
    """All channels at one step."""
    factor = max(1, PANEL // max(films[0][1].maps[0].shape))
    panels = [titled(enlarged(shown(film, step), factor), name, span(film)) for name, film in films]
    return page(tiled(panels, columns=2 if len(panels) <= 4 else 4), title, [label])


def shown(film: Film, step: int) -> Image:
    """A channel at one step."""
    return heat(film.maps[step], low=film.low, high=film.high)


def span(film: Film) -> str:
    """The range of a channel's colours."""
    return f"{decimal(film.low)} to {decimal(film.high)}"
