"""What happened at a pixel, in sentences derived from its numbers: one for each step of RAFT and for each update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.reading import Reading

    Point = Float[NDArray[np.float32], " 2"]

STILL = 0.05
"""Cells: a shorter update stands still."""
SETTLED = 0.1
"""Cells: the flow has settled before the first of the updates that are all at most this long."""
FOLLOWS = 30.0
"""Degrees: an update follows a level whose proposal is at most this far from its direction."""
DISTINCT, ALIKE = 0.5, 0.8
"""Mean cosines with the cells around: a cell is distinct up to the first, and hardly different from the second on."""
RIVAL = 0.9
"""From this share of the peak on, another place rivals it."""
NEIGHBOURS = (
    ("the one above left", "the one above", "the one above right"),
    ("the one to the left", "its own", "the one to the right"),
    ("the one below left", "the one below", "the one below right"),
)


@dataclass(frozen=True)
class Story:
    """Sentences about one pixel: `steps` by encode, correlate, look_up, update and upsample; one per update."""

    steps: dict[str, str]
    updates: tuple[str, ...]


def story_of(reading: Reading, *, learned: bool, truth: Point | None = None) -> Story:
    """The story of a reading; `learned` states whether upsampling is, `truth` is the ground truth in px."""
    steps = {
        "encode": encoded(reading),
        "correlate": correlated(reading),
        "look_up": looked_up(reading),
        "update": updated(reading),
        "upsample": upsampled(reading, learned=learned, truth=truth),
    }
    return Story(steps, tuple(update_sentence(reading, update) for update in range(len(reading.deltas))))


def encoded(reading: Reading) -> str:
    """How far the features of the cell differ from those around it."""
    likeness = reading.likeness
    if likeness <= DISTINCT:
        verdict = "so it can be told from them"
    elif likeness < ALIKE:
        verdict = "so it is partly like them"
    else:
        verdict = "so it can hardly be told from them"
    return (
        f"The pixel lies in row {reading.cell.row}, column {reading.cell.column} of the 1/8 grid. The features of this "
        f"cell have a cosine of {likeness:.2f} with those of the cells around it, {verdict}."
    )


def correlated(reading: Reading) -> str:
    """Where the peaks of the levels lie, and which of them agree with the flow."""
    end, (finest, *_) = reading.trajectory[-1], reading.peaks
    away = np.array(finest.place) - (reading.cell.column, reading.cell.row)
    rival = f"elsewhere the response reaches {100 * finest.runner_up:.0f} % of it"
    clear = "a rival" if finest.runner_up >= RIVAL else "less"
    agree = [peak.level for peak in reading.peaks if peak.distance(end) <= 2**peak.level]
    others = [peak for peak in reading.peaks if peak.level not in agree]
    sentence = (
        f"Over the whole second frame, level 0 peaks {vector(away, 0)} cells from the cell; {rival}, {clear}. "
        f"{listed(agree)} {'agree' if len(agree) > 1 else 'agrees'} with where the flow ends"
    )
    if others:
        sentence += "; " + ", ".join(f"level {p.level} peaks {p.distance(end):.1f} cells from there" for p in others)
    return sentence + "."


def looked_up(reading: Reading) -> str:
    """Which level's window held the match, and from which update on level 0's did."""
    end, peak = reading.trajectory[-1], np.array(reading.peaks[0].place, np.float32)
    matched = reading.peaks[0].distance(end) <= 1
    place, name = (peak, "level 0's peak") if matched else (end, "the flow's end")
    seen = [
        [covers(reading, update, level, place) for level in range(len(reading.peaks))] for update in all_of(reading)
    ]
    first = [level for level, inside in enumerate(seen[0]) if inside]
    since = next((update + 1 for update in all_of(reading) if all(row[0] for row in seen[update:])), None)
    if first and first[0] == 0:
        sentence = (
            f"{name} lies inside level 0's window from update 1 on"
            if since == 1
            else f"{name} lies inside level 0's window at update 1"
        )
    elif first:
        saw = f"level {first[0]} saw it" if len(first) == 1 else f"{listed(first).lower()} saw it"
        sentence = f"At update 1 {name} lies outside level 0's window; {saw}"
    else:
        sentence = f"At update 1 {name} lies outside all windows"
    if since is not None and since > 1:
        sentence += f"; from update {since} on, level 0 sees it"
    if not matched:
        distance = reading.peaks[0].distance(end)
        ever = any(covers(reading, update, 0, peak) for update in all_of(reading))
        fate = "seen but left" if ever else "never in its window"
        sentence += f". Level 0's peak, {distance:.1f} cells from there, was {fate}"
    return capital(sentence) + "."


def updated(reading: Reading) -> str:
    """How far the updates went, whether they overshot, when they settled, and how much the GRU replaced."""
    deltas = np.linalg.norm(reading.deltas, axis=1)
    total = float(np.linalg.norm(reading.trajectory[-1] - reading.trajectory[0]))
    settled = next((i for i in all_of(reading) if (deltas[i:] <= SETTLED).all()), None)
    parts = [f"The flow changed by {total:.1f} cells; update 1 made {deltas[0]:.1f} of them"]
    over = [(update + 1, overshoot(reading, update)) for update in all_of(reading)]
    over = [(update, amount) for update, amount in over if amount > SETTLED]
    if over:
        update, amount = max(over, key=lambda one: one[1])
        parts.append(f"update {update} overshot by {amount:.1f} cells")
    if settled is None:
        parts.append(f"the last one still moved by {deltas[-1]:.2f} cells")
    elif settled == 0:
        parts.append("none moved it by more than 0.1 cells")
    else:
        parts.append(f"after update {settled} none moved it by more than 0.1 cells")
    first, final = (100 * float(reading.update_gate[update].mean()) for update in (0, -1))
    gru = f"The GRU renewed {first:.0f} % of the hidden state at update 1, {final:.0f} % at the last (its update gate)"
    return f"{', '.join(parts)}. {gru}."


def upsampled(reading: Reading, *, learned: bool, truth: Point | None) -> str:
    """Which cells the pixel's flow is made of, and what ground truth says."""
    order = np.argsort(-reading.weights, axis=None)[:2]
    shares = [
        f"{NEIGHBOURS[place // 3][place % 3]} {100 * reading.weights.flat[place]:.0f} %"
        for place in order.tolist()
        if reading.weights.flat[place] >= 0.005
    ]
    apart = float(np.linalg.norm(reading.flow[-1] - reading.bilinear))
    how = "Learned weights" if learned else "Bilinear weights"
    sentence = f"{how} mix the flow of 3 x 3 cells, most from {' and '.join(shares)}: {vector(reading.flow[-1], 1)} px"
    if learned:
        sentence += f", {apart:.1f} px from what bilinear upsampling gives"
    if truth is not None:
        error = float(np.linalg.norm(reading.flow[-1] - truth))
        sentence += f". The truth is {vector(truth, 1)} px, an error of {error:.1f} px"
    return sentence + "."


def update_sentence(reading: Reading, update: int) -> str:
    """What one update did: its length, the levels that it followed, and its distance from the end."""
    delta = reading.deltas[update]
    length = float(np.linalg.norm(delta))
    left = float(np.linalg.norm(reading.trajectory[-1] - reading.trajectory[update + 1]))
    if length < STILL:
        return f"Update {update + 1} stood still."
    levels = followed(reading, update)
    whom = f"following {listed(levels).lower()}" if levels else "where no level's strongest response lies"
    over = overshoot(reading, update)
    rest = f"it overshot by {over:.1f} cells" if over > SETTLED else f"{left:.1f} cells remain"
    return f"Update {update + 1} moved by {vector(delta)} cells, {whom}; {rest}."


def followed(reading: Reading, update: int) -> list[int]:
    """The levels whose strongest response lies in the direction of an update, within 30 degrees."""
    direction = complex(*reading.deltas[update].tolist())
    offsets = [(lookup.level, lookup.strongest) for lookup in reading.lookups[update]]
    return [
        level
        for level, offset in offsets
        if offset not in (None, (0, 0)) and abs(np.angle(complex(*offset).conjugate() * direction, deg=True)) <= FOLLOWS
    ]


def overshoot(reading: Reading, update: int) -> float:
    """How far an update went beyond the flow's end, along the direction from its start to that end, in cells."""
    rest = reading.trajectory[-1] - reading.trajectory[update]
    distance = float(np.linalg.norm(rest))
    return float(reading.deltas[update] @ rest) / distance - distance if distance > 0 else 0.0


def covers(reading: Reading, update: int, level: int, place: Point) -> bool:
    """Whether the points that an update read at a level reach as far as a place, (x, y) in cells of level 0."""
    reach = reading.lookups[update][level].radius * 2**level
    return bool((np.abs(place - reading.trajectory[update]) <= reach).all())


def all_of(reading: Reading) -> range:
    """The indices of the updates."""
    return range(len(reading.deltas))


def listed(levels: Sequence[int]) -> str:
    """Levels in words, such as "Level 3", "Levels 0 to 2" or "Levels 0 and 3"."""
    if not levels:
        return "No level"
    if len(levels) == 1:
        return f"Level {levels[0]}"
    if len(levels) > 2 and list(levels) == list(range(levels[0], levels[-1] + 1)):
        return f"Levels {levels[0]} to {levels[-1]}"
    return f"Levels {', '.join(map(str, levels[:-1]))} and {levels[-1]}"


def capital(sentence: str) -> str:
    """The sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]
