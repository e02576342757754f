"""What changes from update to update: the motion features and the hidden state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import column, enlarged, fitted, heat, line, page, row, tiled, titled
from flowcli.inspection.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.inspection.canvas import Image, Map
    from flowcli.inspection.findings import Findings

COLUMNS_SHOWN = 8
"""How many updates a sheet shows at most."""
THUMB = (170, 150)
PANEL = 256


@dataclass(frozen=True, eq=False)
class Film:
    """One channel over the steps that it is shown at, and the range of its colours."""

    name: str
    maps: Sequence[Map]

    @property
    def low(self) -> float:
        """Its least value at any step."""
        return float(np.min(self.maps))

    @property
    def high(self) -> float:
        """Its greatest value at any step."""
        return float(np.max(self.maps))

    def shown(self, step: int) -> Image:
        """The map at one step."""
        return heat(self.maps[step], low=self.low, high=self.high)


def draw(findings: Findings) -> Iterator[Picture]:
    """`motion_features` and `hidden_state`, each as a sheet (.png) and a film (.gif) over the updates."""
    observation = findings.observation
    visible = observation.grid.visible
    flow = observation.config.motion_channels - 2
    names = {flow: "flow to the right, cells", flow + 1: "flow down, cells"}
    motion = [
        Film(
            names.get(channel, f"channel {channel}"), [u.motion_features[channel][visible] for u in observation.updates]
        )
        for channel in findings.channels.motion or ()
    ]
    steps = [f"update {number + 1}" for number in range(findings.iterations)]
    yield from both("motion_features", "Motion features", motion, steps)
    states = [observation.hidden, *(update.hidden for update in observation.updates)]
    hidden = [
        Film(f"channel {channel}", [state[channel][visible] for state in states])
        for channel in findings.channels.hidden or ()
    ]
    yield from both("hidden_state", "Hidden state of the GRU", hidden, ["at the start", *steps])


def both(name: str, title: str, films: Sequence[Film], steps: Sequence[str]) -> Iterator[Picture]:
    """The sheet and the film."""
    chosen = sorted({round(place) for place in np.linspace(0, len(steps) - 1, min(COLUMNS_SHOWN, len(steps)))})
    rows = [sheet_row(film, [steps[step] for step in chosen], chosen) for film in films]
    note = "Each channel in one range of colours for all updates, so that change is seen as change."
    yield Picture(f"{name}.png", [page(column(rows, gap=10), title, [note])])
    yield Picture(f"{name}.gif", [moment(title, films, step, label) for step, label in enumerate(steps)])


def sheet_row(film: Film, labels: Sequence[str], steps: Sequence[int]) -> Image:
    """One channel from left to right."""
    thumbs = [
        column([line(label, size=12), fitted(film.shown(step), *THUMB, smooth=False)], gap=0)
        for label, step in zip(labels, steps, strict=True)
    ]
    return titled(row(thumbs, gap=6), film.name, span(film))


def moment(title: str, films: Sequence[Film], step: int, label: str) -> Image:
    """All channels at one step."""
    factor = max(1, PANEL // max(films[0].maps[0].shape))
    panels = [titled(enlarged(film.shown(step), factor), film.name, span(film)) for film in films]
    return page(tiled(panels, columns=2 if len(panels) <= 4 else 4), title, [label])


def span(film: Film) -> str:
    """The range of a channel's colours."""
    return f"{film.low:.2f} to {film.high:.2f}"
