"""The figures of an inspection: their numbers, titles and captions, and the figures of the article that they follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.inspection.canvas import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowcli.inspection.canvas import Image


@dataclass(frozen=True)
class Figure:
    """A figure: `name` is that of its files without pixel, level and suffix; `article` names the article's figures."""

    name: str
    number: int
    title: str
    caption: str
    article: str | None = None


_ENTRIES = (
    (
        "architecture",
        "RAFT, filled with this pair",
        "Every box is a part of this model with its layers, the size of its output and thumbnails. Lookup: update 1.",
        "figures 1, 3",
    ),
    ("flow", "Flow and the inspected pixels", "The pixels that the other figures look at.", "figures 5, 7"),
    (
        "features",
        "Outputs of the encoders",
        "Every channel in colours from its 1st percentile (blue) to its 99th (yellow).",
        "figure 6",
    ),
    (
        "context",
        "Hidden state and context",
        "Both come from the context encoder. The hidden state passes a tanh and is what the updates change; the "
        "context passes a ReLU and is an input of every update, always the same.",
        "figure 6",
    ),
    (
        "pyramid",
        "Correlation pyramid",
        "The correlation of the pixel's cell with every cell of the second frame, and its means over 2, 4 and 8 cells. "
        "The red square is one cell at the correspondence after the last update; where it is cut off, it lies at the "
        "border of the level.",
        "figure 2",
    ),
    (
        "search",
        "Where RAFT searched",
        "The second frame, brighter where the correlation is higher. White: the window of the first lookup; orange: "
        "the window after the last update; red: the trajectory. RAFT divides the correspondence by 2, 4 and 8 without "
        "a half-cell shift, so coarser windows are offset to the right and down.",
    ),
    (
        "level",
        "The correspondence moves over a response map",
        "White: the window of the lookup; red: the correspondence; orange: its trajectory so far.",
        "figures 8 to 10",
    ),
    (
        "lookup",
        "Lookups, proposals and steps",
        "For every level: the responses around the correspondence, and the values read at whole offsets from it; grey "
        "lies outside the map, where RAFT reads 0. Orange: the offset of the strongest response, the proposal; blue: "
        "the step of the update.",
        "figure 11",
    ),
    (
        "steps",
        "Proposal and step in all cells",
        "Orange: the offset of level 0's strongest response; blue: the step of the update. The chart gives, for every "
        "level, the mean cosine between the two in the cells that move by more than 0.1 cells.",
        "figure 11",
    ),
    (
        "motion_features",
        "Motion features",
        "The output of the motion encoder: what the GRU is told about the lookups and the flow. Each channel has one "
        "range of colours for all updates.",
        "figure 12",
    ),
    (
        "hidden_state",
        "Hidden state of the GRU",
        "What the GRU remembers from update to update. Each channel has one range of colours for all updates.",
    ),
    (
        "upsampling",
        "Upsampling from cells to pixels",
        "Learned (convex) upsampling predicts, for every pixel, the weights of the 3 x 3 cells around it, so that "
        "edges can stay sharp; bilinear upsampling has fixed ones.",
        "figure 4",
    ),
    ("convergence", "Convergence, and how the loss weighs it", "How the flow settles, update by update."),
    (
        "ablations",
        "Without a part of RAFT",
        "The flow of the same model with a part switched off, its values 0, and how far it is from the full model's.",
    ),
    (
        "refinement",
        "Refinement after RAFT",
        "Passes that lower a variational energy of brightness, gradient and smoothness near the flow, and a small "
        "network between them, correct it. They are not part of RAFT.",
    ),
)

FIGURES = {name: Figure(name, number, *rest) for number, (name, *rest) in enumerate(_ENTRIES, start=1)}
"""Every figure by its name, in the order of reading."""


def figure_of(file: str) -> Figure | None:
    """The figure that a file of an inspection belongs to; None if it is no picture."""
    match = re.fullmatch(r"(?:pixel_\d+_\d+/)?([a-z_]+?)(?:_\d+)?\.(?:png|gif|svg)", file)
    return FIGURES.get(match[1]) if match else None


def as_figure(name: str, image: Image, *, about: str = "", notes: Sequence[str] = (), margin: int = 18) -> Image:
    """A finished picture: an image below the number and title of its figure, what it is `about`, and its caption.

    `notes` are further sentences about this one.
    """
    figure = FIGURES[name]
    title = f"Figure {figure.number}. {figure.title}" + f", {about}" * bool(about)
    return page(image, title, [figure.caption, *notes], margin=margin)
