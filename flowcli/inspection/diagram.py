"""The diagram of RAFT, its boxes filled with this pair's tensors: as shapes, which a picture and an SVG draw alike."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import colour_flow
from flowcli.inspection.architecture import ARROWS, LOOP, PLACES, SIZE, parts_of
from flowcli.inspection.canvas import INK, MUTED, fitted, heat_of, spread, text_width
from flowcli.inspection.channels import most_active
from flowcli.system.opencv import cv2
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowcli.inspection.architecture import Part
    from flowcli.inspection.canvas import Image, Map
    from flowcli.inspection.findings import Findings

NAME = "architecture.svg"
FILLS = {
    "encode": (229, 240, 252),
    "correlate": (253, 240, 222),
    "look_up": (252, 231, 231),
    "update": (232, 244, 232),
    "upsample": (240, 233, 250),
    None: (246, 247, 249),
}
"""The colour of a box by its step."""
MARGIN = 12
"""From the edge of a box to its text, in px."""
TITLE, LINE, LEADING = 18, 16, 21
"""The sizes of text, and the distance of lines, in px."""
WIDER = 1.15
"""The text of browsers is up to so many times as wide as OpenCV's."""


@dataclass(frozen=True)
class Text:
    """A line of text whose baseline starts at a point."""

    text: str
    left: float
    base: float
    size: int
    bold: bool
    muted: bool


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """An image whose upper left corner is at a point."""

    image: Image
    left: int
    top: int


@dataclass(frozen=True, eq=False)
class Box:
    """A part with its place (left, top, width, height) and what is drawn in it."""

    part: Part
    place: tuple[int, int, int, int]
    texts: tuple[Text, ...]
    thumbnails: tuple[Thumbnail, ...]


def boxes_of(findings: Findings) -> list[Box]:
    """Every box of the diagram: title, layers, size of the output, and thumbnails in the room that is left."""
    images = thumbnails_of(findings)
    boxes = []
    for part in parts_of(findings.observation.config, findings.observation.grid):
        left, top, width, height = PLACES[part.name]
        head, foot = lines_of(part.layers, width), lines_of([part.output], width)
        texts = [Text(part.title, left + MARGIN, top + 24, TITLE, bold=True, muted=False)]
        below = top + 24 + LEADING * len(head)
        above = top + height - 10 - LEADING * (len(foot) - 1)
        texts += [
            Text(text, left + MARGIN, below - LEADING * (len(head) - 1 - number), LINE, bold=False, muted=True)
            for number, text in enumerate(head)
        ]
        texts += [
            Text(text, left + MARGIN, above + LEADING * number, LINE, bold=False, muted=False)
            for number, text in enumerate(foot)
        ]
        room = (left + MARGIN, below + 10, width - 2 * MARGIN, above - LEADING - below - 10)
        boxes.append(Box(part, PLACES[part.name], tuple(texts), arranged(images.get(part.name, []), room)))
    return boxes


def lines_of(texts: Iterable[str], width: int) -> list[str]:
    """The texts in lines that fit a box of this width, broken after commas."""
    lines = []
    for text in texts:
        line, *parts = text.split(", ")
        for part in parts:
            if text_width(f"{line}, {part}", size=LINE) * WIDER > width - 2 * MARGIN:
                lines.append(f"{line},")
                line = part
            else:
                line = f"{line}, {part}"
        lines.append(line)
    return lines


def thumbnails_of(findings: Findings) -> dict[str, list[list[Image]]]:
    """Rows of thumbnails for every part."""
    observation, subject = findings.observation, findings.subject
    visible, config = observation.grid.visible, observation.config
    reading = findings.readings[0] if findings.readings else None
    first, end = observation.updates[0], observation.updates[-1]

    def maps(values: Map, channels: tuple[int, ...]) -> list[Image]:
        return [spread(values[channel][visible]) for channel in channels]

    def flow(values: Map) -> Image:
        cells = np.ascontiguousarray(FACTOR * values[:, *visible].transpose(1, 2, 0))
        return colour_flow(cells, scale=findings.scale)

    features, hidden, context = (
        most_active([values])[:3] for values in (observation.first_features, observation.hidden, observation.context)
    )
    motion = most_active([first.motion_features[: config.motion_channels - 2]])[:3]
    found = {
        "frames": [[subject.first], [subject.second]],
        "feature_encoder": [maps(observation.first_features, features), maps(observation.second_features, features)],
        "context_encoder": [maps(observation.hidden, hidden), maps(observation.context, context)],
        "motion_encoder": [maps(first.motion_features, motion), maps(end.motion_features, motion)],
        "gru": [maps(first.hidden, hidden), maps(end.hidden, hidden)],
        "flow_head": [[flow(first.delta)]],
        "flow": [[colour_flow(observation.flow, scale=findings.scale)]],
    }
    if reading is not None:
        found["volume"] = halves([heat_of(response) for response in reading.responses])
        found["lookup"] = halves([heat_of(lookup.window) for lookup in reading.lookups[0]])
        around = np.nan_to_num(reading.around)
        found["upsampling"] = [[heat_of(reading.weights), colour_flow(around, scale=findings.scale)]]
    return found


def halves(images: list[Image]) -> list[list[Image]]:
    """The images in two rows."""
    middle = (len(images) + 1) // 2
    return [part for part in (images[:middle], images[middle:]) if part]


def arranged(rows: list[list[Image]], room: tuple[int, int, int, int]) -> tuple[Thumbnail, ...]:
    """The images in rows, or each row as a column if they get larger so, in a room (left, top, width, height)."""
    if len({len(images) for images in rows}) > 1:
        return filled(rows, room)
    choices = [filled(some, room) for some in (rows, [list(column) for column in zip(*rows, strict=True)])]
    return max(choices, key=lambda placed: sum(thumb.image.size for thumb in placed))


def filled(rows: list[list[Image]], room: tuple[int, int, int, int]) -> tuple[Thumbnail, ...]:
    """The images in rows that fill a room."""
    left, top, width, height = room
    gap = 6
    placed = []
    for images in rows:
        high = (height - gap * (len(rows) - 1)) // len(rows)
        wide = (width - gap * (len(images) - 1)) // len(images)
        small = [fitted(image, wide, high, smooth=image.shape[0] > high) for image in images]
        start = left
        for image in small:
            placed.append(Thumbnail(image, start, top))
            start += image.shape[1] + gap
        top += max(image.shape[0] for image in small) + gap
    return tuple(placed)


def svg(findings: Findings) -> str:
    """The diagram as SVG, every part a group, and a button if it belongs to a step; it holds no script."""
    width, height = SIZE
    left, top, wide, high = LOOP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<defs><marker id="arrowhead" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="arrow-tip" d="M0 0 L10 5 L0 10 z" fill="#707682"/></marker></defs>',
        f'<rect class="loop" x="{left}" y="{top}" width="{wide}" height="{high}" rx="10" fill="none" '
        'stroke="#707682" stroke-dasharray="7 6"/>',
        svg_text(caption(findings)),
    ]
    for points in ARROWS:
        path = " L".join(f"{x} {y}" for x, y in points)
        lines.append(
            f'<path class="arrow" d="M{path}" fill="none" stroke="#707682" stroke-width="2" '
            'marker-end="url(#arrowhead)"/>'
        )
    return "\n".join([*lines, *map(svg_box, boxes_of(findings)), "</svg>", ""])


def svg_box(box: Box) -> str:
    """One part as a group."""
    left, top, width, height = box.place
    title = escape(box.part.title)
    step = f' data-step="{box.part.step}" tabindex="0" role="button" aria-label="{title}"' if box.part.step else ""
    lines = [
        f'<g class="part" id="part-{box.part.name}"{step}>',
        f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="8" '
        f'fill="rgb{FILLS[box.part.step]}" stroke="#b8bcc4"/>',
        *map(svg_text, box.texts),
    ]
    for thumb in box.thumbnails:
        high, wide = thumb.image.shape[:2]
        _, data = cv2.imencode(".png", np.ascontiguousarray(thumb.image[..., ::-1]))
        uri = f"data:image/png;base64,{b64encode(data.tobytes()).decode()}"
        lines.append(f'<image x="{thumb.left}" y="{thumb.top}" width="{wide}" height="{high}" href="{uri}"/>')
    return "\n".join([*lines, "</g>"])


def svg_text(text: Text) -> str:
    """A line of text."""
    colour = "rgb" + str(MUTED if text.muted else INK)
    weight = ' font-weight="bold"' if text.bold else ""
    kind = "name" if text.bold else "note"
    return (
        f'<text class="{kind}" x="{text.left}" y="{text.base}" font-size="{text.size}" fill="{colour}"{weight}>'
        f"{escape(text.text)}</text>"
    )


def caption(findings: Findings) -> Text:
    """The caption of the frame around what is repeated."""
    left, top, _, height = LOOP
    text = f"Update, repeated {findings.iterations} times: its step moves the flow, the next lookup is where that leads"
    return Text(text, left + 124, top + height - 12, LINE, bold=True, muted=True)
