"""Draws the motion features and the hidden state over the updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.inspection.canvas import CLEAR, beside, column, decimal, enlarged, fitted, heat, line, row, tiled, titled
from flowcli.inspection.figures import as_figure
from flowcli.inspection.maps import hidden_sequences, motion_sequences
from flowcli.inspection.picture import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.inspection.canvas import Image
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.maps import ChannelSequence

    Named = tuple[str, ChannelSequence]

COLUMNS_SHOWN = 8
"""The maximum number of updates in a sheet."""
THUMB = (170, 150)
PANEL = 256


def draw(findings: Findings) -> Iterator[PictureFile]:
    """`motion_features` and `hidden_state`, each as a sheet (.png) and animated over the updates (.gif)."""
    observation = findings.observation
    flow = observation.config.motion_channels - 2
    names = {flow: ": flow to the right, cells", flow + 1: ": flow down, cells"}
    motion = [
        (f"channel {sequence.channel}{names.get(sequence.channel, '')}", sequence)
        for sequence in motion_sequences(observation, findings.channels)
    ]
    labels = [f"update {number + 1}" for number in range(findings.iterations)]
    yield from both("motion_features", motion, labels)
    hidden = [
        (f"channel {sequence.channel}", sequence) for sequence in hidden_sequences(observation, findings.channels)
    ]
    yield from both("hidden_state", hidden, ["initial", *labels])


def both(name: str, sequences: Sequence[Named], labels: Sequence[str]) -> Iterator[PictureFile]:
    """The sheet and the animation of channels whose maps have these labels."""
    chosen = shown_of(len(labels))
    rows = [sheet_row(label, sequence, [labels[index] for index in chosen], chosen) for label, sequence in sequences]
    height, width = sequences[0][1].maps[0].shape
    sheet = tiled(rows, columns=beside(width, height, usual=1), gap=16)
    yield PictureFile(f"{name}.png", [as_figure(name, sheet)])
    yield PictureFile(f"{name}.gif", [moment(name, sequences, index, label) for index, label in enumerate(labels)])


def shown_of(count: int) -> list[int]:
    """The indices of the states in a sheet: the first ones, where most happens, and the last."""
    return list(range(count)) if count <= COLUMNS_SHOWN else [*range(COLUMNS_SHOWN - 1), count - 1]


def sheet_row(title: str, sequence: ChannelSequence, labels: Sequence[str], indices: Sequence[int]) -> Image:
    """The chosen maps of one channel from left to right."""
    thumbs = [
        column([line(label, size=14), fitted(shown(sequence, index), *THUMB, smooth=False)], gap=0)
        for label, index in zip(labels, indices, strict=True)
    ]
    return titled(row(thumbs, gap=6), f"{title}; {span(sequence)}", size=CLEAR)


def moment(name: str, sequences: Sequence[Named], index: int, label: str) -> Image:
    """All channels at one index of their sequences."""
    factor = max(1, PANEL // max(sequences[0][1].maps[0].shape))
    panels = [titled(enlarged(shown(sequence, index), factor), title, span(sequence)) for title, sequence in sequences]
    return as_figure(name, tiled(panels, columns=2 if len(panels) <= 4 else 4), about=label)


def shown(sequence: ChannelSequence, index: int) -> Image:
    """One map of a channel in the colours of its range."""
    return heat(sequence.maps[index], low=sequence.low, high=sequence.high)


def span(sequence: ChannelSequence) -> str:
    """A channel's range of values, as text."""
    return f"{decimal(sequence.low)} to {decimal(sequence.high)}"
