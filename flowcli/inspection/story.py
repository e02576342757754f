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
EDGE = 8.0
"""Px: from this difference on, the flow of 3 x 3 cells has an edge."""
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
        f"cell have a mean cosine of {likeness:.2f} with those of the cells around it, {verdict}."
    )


def correlated(reading: Reading) -> str:
    """Where the peaks of the levels lie, and which of them agree with the flow."""
    end, (finest, *_) = reading.trajectory[-1], reading.peaks
    away = np.array(finest.place) - (reading.cell.column, reading.cell.row)
    rival = f"elsewhere the response reaches {100 * finest.runner_up:.0f} % of that peak"
    clear = "a rival" if finest.runner_up >= RIVAL else "no rival"
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
    """Which levels' windows held the match and pointed to it at first, and from which update on level 0's held it."""
    end, peak = reading.trajectory[-1], np.array(reading.peaks[0].place, np.float32)
    matched = reading.peaks[0].distance(end) <= 1
    place, name = (peak, "level 0's peak") if matched else (end, "the flow's end")
    sentence = f"At update 1 {name} lies {seen_at(reading, 0, place)}"
    within = [reading.lookups[update][0].covers(place) for update in all_of(reading)]
    since = next((update + 1 for update in all_of(reading) if all(within[update:])), None)
    if since == 1:
        sentence += "; it stays inside"
    elif since is not None:
        sentence += f"; from update {since} on, it lies inside level 0's window"
    if not matched:
        distance = reading.peaks[0].distance(end)
        ever = any(reading.lookups[update][0].covers(peak) for update in all_of(reading))
        fate = "in its window for a time" if ever else "never in its window"
        sentence += f". Level 0's peak, {distance:.1f} cells from there, was {fate}"
    return sentence + "."


def seen_at(reading: Reading, update: int, place: Point) -> str:
    """Where a place lies as the levels' windows see it at an update, and which of them respond most strongly there."""
    covering = [lookup for lookup in reading.lookups[update] if lookup.covers(place)]
    inside = [lookup.level for lookup in covering]
    told = [lookup.level for lookup in covering if lookup.points_to(place)]
    if not inside:
        return "outside all windows"
    if inside[0] == 0:
        where = "inside level 0's window"
    else:
        where = f"outside level 0's window, inside that of {listed(inside).lower()}"
    if not told:
        return f"{where}; no level responds most strongly there"
    return f"{where}; {listed(told).lower()} respond{'s' * (len(told) == 1)} most strongly there"


def updated(reading: Reading) -> str:
    """How far the updates went, whether they overshot, when they settled, and how much the GRU replaced."""
    deltas = np.linalg.norm(reading.deltas, axis=1)
    total = float(np.linalg.norm(reading.trajectory[-1] - reading.trajectory[0]))
    settled = next((i for i in all_of(reading) if (deltas[i:] <= SETTLED).all()), None)
    left = float(np.linalg.norm(reading.trajectory[-1] - reading.trajectory[1]))
    parts = [f"The flow changed by {total:.1f} cells; update 1 moved it by {deltas[0]:.1f} and left {left:.1f}"]
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
    gru = f"The GRU renewed {first:.0f} % of the hidden state at update 1 and {final:.0f} % at the last (update gate)"
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
    sentence += at_edge(reading, learned=learned)
    if truth is not None:
        error = float(np.linalg.norm(reading.flow[-1] - truth))
        sentence += f". The truth is {vector(truth, 1)} px, an error of {error:.1f} px"
    return sentence + "."


def at_edge(reading: Reading, *, learned: bool) -> str:
    """How much of the weight is on the main cell's side of an edge; empty if no edge runs through the 3 x 3 cells."""
    main = np.nan_to_num(reading.around).reshape(9, 2)[np.argmax(reading.weights)]
    apart = np.linalg.norm(reading.around - main, axis=2)
    widest = float(np.nanmax(apart))
    if widest < EDGE:
        return ""
    side = apart <= widest / 2
    sentence = (
        f". The flow of these cells differs by up to {widest:.1f} px, as at an edge: those on the side of the one with "
        f"most weight have {100 * reading.weights[side].sum():.0f} % of it"
    )
    return sentence + f", with bilinear weights {100 * reading.bilinear_weights[side].sum():.0f} %" * learned


def update_sentence(reading: Reading, update: int) -> str:
    """What one update did: its length, the levels that it followed, its distance from the end, and the GRU's gates."""
    delta = reading.deltas[update]
    renewed, used = (100 * float(gate[update].mean()) for gate in (reading.update_gate, reading.reset_gate))
    gru = (
        f"The GRU renewed {renewed:.0f} % of the hidden state (update gate); its candidate saw {used:.0f} % of the old "
        "one (reset gate)."
    )
    if float(np.linalg.norm(delta)) < STILL:
        return f"Update {update + 1} stood still. {gru}"
    levels = followed(reading, update)
    whom = f"following {listed(levels).lower()}" if levels else "in a direction that no level proposed"
    over = overshoot(reading, update)
    left = float(np.linalg.norm(reading.trajectory[-1] - reading.trajectory[update + 1]))
    rest = f"it overshot by {over:.1f} cells" if over > SETTLED else f"{left:.1f} cells remain"
    return f"Update {update + 1} moved by {vector(delta)} cells, {whom}; {rest}. {gru}"


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
