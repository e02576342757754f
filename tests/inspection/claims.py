"""What the sentences about a pixel claim, said again from the tensors in inspect.json; places are in px."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

STILL, SETTLED, RIVAL, EDGE = 0.05, 0.1, 0.9, 8
Pixel = dict[str, Any]


def middle(place: np.ndarray, level: int) -> np.ndarray:
    """A place in cells of a level as a point of the padded frame in px."""
    return (np.asarray(place, float) + 0.5) * 8 * 2**level


def peaks(pixel: Pixel) -> list[np.ndarray]:
    """The middles of the strongest cells of all levels, (x, y) in px."""
    found = []
    for level in pixel["levels"]:
        response = np.array(level["response"])
        row, column = np.unravel_index(response.argmax(), response.shape)
        found.append(middle(np.array((column, row)), level["level"]))
    return found


def correlate(pixel: Pixel, radius: int) -> str:
    end, found = middle(pixel["end"], 0), peaks(pixel)
    own = middle(np.array((pixel["cell"]["column"], pixel["cell"]["row"])), 0)
    away = (found[0] - own) / 8
    response = np.array(pixel["levels"][0]["response"])
    rows, columns = np.indices(response.shape)
    row, column = np.unravel_index(response.argmax(), response.shape)
    outside = np.maximum(abs(rows - row), abs(columns - column)) > radius
    share = (response[outside].max() - response.mean()) / (response.max() - response.mean())
    apart = [np.abs(peak - end).max() / 8 for peak in found]
    agree = [level for level, distance in enumerate(apart) if distance <= 2**level]
    text = (
        f"Over the whole second frame, level 0 peaks ({away[0]:+.0f}, {away[1]:+.0f}) cells from the cell; elsewhere "
        f"the response reaches {100 * max(share, 0):.0f} % of that peak, {'a' if share >= RIVAL else 'no'} rival. "
        f"{levels(agree)} agree{'s' * (len(agree) <= 1)} with where the flow ends"
    )
    others = [f"level {level} peaks {apart[level]:.1f} cells from there" for level in range(4) if level not in agree]
    return text + ("; " + ", ".join(others) if others else "") + "."


def look_up(pixel: Pixel, radius: int) -> str:
    end, peak = middle(pixel["end"], 0), peaks(pixel)[0]
    matched = np.abs(peak - end).max() <= 8
    place, name = (peak, "level 0's peak") if matched else (end, "the flow's end")

    def inside(update: int, level: int, point: np.ndarray) -> bool:
        center = np.array(pixel["updates"][update]["lookups"][level]["center"])
        low, high = ((center + shift) * 8 * 2**level for shift in (-radius, radius + 1))
        return bool(((low <= point) & (point <= high)).all())

    def told(level: int) -> bool:
        lookup = pixel["updates"][0]["lookups"][level]
        best = lookup["strongest"]
        there = best and middle(np.array(lookup["center"]) + best, level)
        return bool(best) and np.abs(there - place).max() <= 8 * 2**level

    count = len(pixel["updates"])
    first = [level for level in range(4) if inside(0, level, place)]
    within = [inside(update, 0, place) for update in range(count)]
    since = next((update + 1 for update in range(count) if all(within[update:])), None)
    text = f"At update 1 {name} lies "
    if not first:
        text += "outside all windows"
    else:
        near = "inside level 0's window"
        text += near if first[0] == 0 else f"outside level 0's window, inside that of {levels(first).lower()}"
        pointing = [level for level in first if told(level)]
        text += f"; {levels(pointing).lower()} respond{'s' * (len(pointing) <= 1)} most strongly there"
    if since is not None:
        text += "; it stays inside" if since == 1 else f"; from update {since} on, it lies inside level 0's window"
    if not matched:
        ever = any(inside(update, 0, peak) for update in range(count))
        text += f". Level 0's peak, {np.abs(peak - end).max() / 8:.1f} cells from there, was "
        text += "in its window for a time" if ever else "never in its window"
    return text + "."


def overshoots(pixel: Pixel) -> list[float]:
    """How far every update went beyond the flow's end, in cells."""
    end, found = np.array(pixel["end"]), []
    for update in pixel["updates"]:
        way = end - update["center"]
        far = float(np.linalg.norm(way))
        found.append(float(np.dot(update["delta"], way) / far - far) if far else 0.0)
    return found


def gates(update: dict[str, Any], kind: str) -> str:
    return f"{100 * np.mean(update['gates'][kind]):.0f} %"


def update_step(pixel: Pixel) -> str:
    updates, end = pixel["updates"], np.array(pixel["end"])
    lengths = [float(np.linalg.norm(update["delta"])) for update in updates]
    start, after = np.array(updates[0]["center"]), np.add(updates[0]["center"], updates[0]["delta"])
    total, left = float(np.linalg.norm(end - start)), float(np.linalg.norm(end - after))
    text = f"The flow changed by {total:.1f} cells; update 1 moved it by {lengths[0]:.1f} and left {left:.1f}"
    over = overshoots(pixel)
    if max(over) > SETTLED:
        text += f", update {int(np.argmax(over)) + 1} overshot by {max(over):.1f} cells"
    long = [number for number, length in enumerate(lengths, start=1) if length > SETTLED]
    if long and long[-1] == len(lengths):
        text += f", the last one still moved by {lengths[-1]:.2f} cells"
    else:
        text += f", after update {long[-1]} none" if long else ", none"
        text += " moved it by more than 0.1 cells"
    first, final = (gates(updates[at], "update") for at in (0, -1))
    return f"{text}. The GRU renewed {first} of the hidden state at update 1 and {final} at the last (update gate)."


def one_update(pixel: Pixel, number: int) -> str:
    update, end = pixel["updates"][number - 1], np.array(pixel["end"])
    delta = np.array(update["delta"])
    gru = (
        f"The GRU renewed {gates(update, 'update')} of the hidden state (update gate); its candidate saw "
        f"{gates(update, 'reset')} of the old one (reset gate)."
    )
    if np.linalg.norm(delta) < STILL:
        return f"Update {number} stood still. {gru}"
    found = []
    for lookup in update["lookups"]:
        best = lookup["strongest"]
        if best and any(best) and delta @ best >= np.cos(np.pi / 6) * np.linalg.norm(delta) * np.linalg.norm(best):
            found.append(lookup["level"])
    whom = f"following {levels(found).lower()}" if found else "in a direction that no level proposed"
    over, left = overshoots(pixel)[number - 1], np.linalg.norm(end - update["center"] - delta)
    rest = f"it overshot by {over:.1f} cells" if over > SETTLED else f"{left:.1f} cells remain"
    moved = "({:+.2f}, {:+.2f})".format(*(delta.round(2) + 0.0))
    return f"Update {number} moved by {moved} cells, {whom}; {rest}. {gru}"


def upsample(pixel: Pixel) -> str:
    """The part of the sentence that follows from the record: the largest weights, and their share beside an edge."""
    weights, flows = (
        np.array(pixel["upsampling_weights"]).ravel(),
        np.array(pixel["upsampling_flow"], float).reshape(9, 2),
    )
    largest = " and ".join(f"{100 * weight:.0f} %" for weight in sorted(weights)[:-3:-1] if weight >= 0.005)
    apart = np.linalg.norm(flows - np.nan_to_num(flows)[weights.argmax()], axis=1)
    if np.nanmax(apart) < EDGE:
        return largest
    side = 100 * weights[apart <= np.nanmax(apart) / 2].sum()
    return f"{largest}; {np.nanmax(apart):.1f} px, {side:.0f} %"


def upsample_claims(sentence: str) -> str:
    """The same, as the sentence claims it."""
    largest = " and ".join(re.findall(r"\d+ %", sentence.partition(":")[0]))
    edge = re.search(r"differs by up to ([\d.]+ px), as at an edge: .*? have (\d+ %) of it", sentence)
    return largest + (f"; {edge[1]}, {edge[2]}" if edge else "")


def levels(found: list[int]) -> str:
    """Levels in words."""
    if not found:
        return "No level"
    if len(found) == 1:
        return f"Level {found[0]}"
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:
        return f"Levels {found[0]} to {found[-1]}"
    return f"Levels {', '.join(map(str, found[:-1]))} and {found[-1]}"


def pairs_of(pixel: Pixel, radius: int) -> list[tuple[str, str]]:
    """What is said of a pixel, and what its tensors say."""
    story = pixel["story"]
    return [
        (story["correlate"], correlate(pixel, radius)),
        (story["look_up"], look_up(pixel, radius)),
        (story["update"], update_step(pixel)),
        (upsample_claims(story["upsample"]), upsample(pixel)),
        *((update["sentence"], one_update(pixel, update["update"])) for update in pixel["updates"]),
    ]
