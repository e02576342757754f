"""A chart of error against time, both on logarithmic scales, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 48
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333 } .ours { fill: #c2410c; font-weight: 600 }
circle { fill: #64748b } circle.ours { fill: #ea580c } line { stroke: #e2e8f0 } .title { font-weight: 600 }
path { fill: none; stroke: #ea580c; stroke-opacity: .4; stroke-width: 2 }
"""


@dataclass(frozen=True)
class Point:
    """A method with its seconds for a pair and its error, as a multiple of the reference's."""

    name: str
    seconds: float
    error: float
    ours: bool


def chart(points: Sequence[Point]) -> str:
    """The chart; a line joins those of flowcli's points that no faster one surpasses."""
    x = axis([point.seconds for point in points], LEFT, WIDTH - RIGHT)
    y = axis([point.error for point in points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<text class="title" x="{LEFT}" y="22">Error against time: lower left is better</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">seconds for a pair of 1024×436</text>',
        f'<text x="8" y="{TOP - 4}">error / DIS</text>',
    ]
    for value in ticks(point.seconds for point in points):
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>')
    for value in ticks(point.error for point in points):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    ours = frontier([point for point in points if point.ours])
    parts.append(f'<path d="M{" L".join(f"{x(each.seconds):.1f} {y(each.error):.1f}" for each in ours)}"/>')
    for point in points:
        kind = ' class="ours"' if point.ours else ""
        name = escape(f"flowcli {point.name}" if point.ours else point.name)
        right = x(point.seconds) > WIDTH * 0.75
        below = point.ours and (right or point not in ours)
        label = f'x="{x(point.seconds) + (-9 if right else 9):.1f}" y="{y(point.error) + (20 if below else -8):.1f}"'
        parts.append(f'<circle{kind} cx="{x(point.seconds):.1f}" cy="{y(point.error):.1f}" r="5"/>')
        parts.append(f'<text{kind} {label} text-anchor="{"end" if right else "start"}">{name}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *parts, "</svg>"])


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that have a lower error than every faster one, by time."""
    ordered = sorted(points, key=lambda point: point.seconds)
    return [
        point for number, point in enumerate(ordered) if all(point.error < other.error for other in ordered[:number])
    ]


def axis(values: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    """The position of a value between `start` and `end`, with a margin beside the least and greatest of `values`."""
    low, high = math.log(min(values) / 1.25), math.log(max(values) * 1.25)
    return lambda value: start + (end - start) * (math.log(value) - low) / (high - low)


def ticks(values: Iterable[float]) -> list[float]:
    """Round numbers among the values."""
    known = list(values)
    low, high = min(known) / 1.25, max(known) * 1.25
    rounds = (digit * 10.0**power for power in range(-5, 4) for digit in (1, 2, 5))
    return [value for value in rounds if low <= value <= high]
