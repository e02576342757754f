"""inspect.json: the data of an inspection, documented key by key in README.md beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.architecture import parts_of
from flowcli.inspection.explorer import averaging, feature_bits
from flowcli.inspection.figures import FIGURES, figure_of
from flowcli.inspection.loss import mean_error
from flowcli.inspection.maps import feature_maps, hidden_sequences, motion_sequences, upsampling_difference
from flowcli.inspection.reading import zoom
from flowcli.inspection.summary import ablation_sentence
from flowcli.system.json_text import Json
from flowcli.version import __version__
from raft_core.images import STRIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowcli.inspection.ablation import Ablation
    from flowcli.inspection.architecture import Part
    from flowcli.inspection.findings import Findings
    from flowcli.inspection.maps import ChannelSequence, Maps
    from flowcli.inspection.observation import Observation
    from flowcli.inspection.peaks import Peak
    from flowcli.inspection.reading import Lookup, Reading
    from flowcli.inspection.story import Story

SCHEMA = 1
DIGITS = 7
"""Significant digits: float32 has about 7."""


def record_of(findings: Findings, *, settings: Mapping[str, object], files: Sequence[str]) -> Json:
    """The content of inspect.json; `files` are the names of the other files in its folder."""
    observation, subject = findings.observation, findings.subject
    grid, config = observation.grid, observation.config
    padding = grid.padding
    content = {
        "flowcli": __version__,
        "schema": SCHEMA,
        "inputs": [str(path.absolute()) for path in subject.inputs],
        "frames": subject.frames,
        "width": grid.width,
        "height": grid.height,
        "weights": {"name": findings.weights.name, "sha256": findings.weights.sha256},
        "model": {
            "name": config.name,
            "levels": config.correlation_levels,
            "radius": config.lookup_radius,
            "feature_channels": config.feature_channels,
            "hidden_channels": config.hidden_channels,
            "context_channels": config.context_channels,
            "motion_channels": config.motion_channels,
        },
        "settings": dict(settings),
        "grid": {
            "cell": STRIDE,
            "rows": grid.rows,
            "columns": grid.columns,
            "padding": {"left": padding.left, "right": padding.right, "top": padding.top, "bottom": padding.bottom},
        },
        "max_flow": number(findings.scale.max_flow),
        "story": findings.story,
        "architecture": [part_record(part) for part in parts_of(config, grid)],
        "convergence": {
            "mean_update": numbers(findings.mean_updates),
            "loss_weight": numbers(findings.loss_weights),
            "share_of_loss": numbers(findings.loss_shares),
            "epe": None if findings.errors is None else numbers(findings.errors),
        },
        "features": {name: feature_record(maps) for name, maps in feature_maps(observation).items()},
        "motion_features": [sequence_record(sequence) for sequence in motion_sequences(observation, findings.channels)],
        "hidden_state": [sequence_record(sequence) for sequence in hidden_sequences(observation, findings.channels)],
        "upsampling": upsampling_record(observation),
        "refinement": refinement_record(findings),
        "ablations": [ablation_record(ablation, findings) for ablation in findings.ablations],
        "pixels": [
            pixel_record(reading, story, findings)
            for reading, story in zip(findings.readings, findings.stories, strict=True)
        ],
        "figures": figure_records(files),
        "explorer": {
            "features": f"{feature_bits(observation)}-bit fixed point",
            "averaged_over": averaging(observation),
        },
        "files": list(files),
    }
    return Json(content, compact=True)


def feature_record(maps: Maps) -> dict[str, object]:
    """The range of values of every channel."""
    return {"low": numbers(maps.min(axis=(1, 2))), "high": numbers(maps.max(axis=(1, 2)))}


def sequence_record(sequence: ChannelSequence) -> dict[str, object]:
    """A channel that is shown over the updates, and its range of values."""
    return {"channel": sequence.channel, "low": number(sequence.low), "high": number(sequence.high)}


def upsampling_record(observation: Observation) -> dict[str, object]:
    """The method of upsampling, and the difference between convex and bilinear flow in px."""
    difference = upsampling_difference(observation)
    return {
        "method": observation.config.upsampling,
        "difference": None
        if difference is None
        else {"mean": number(difference.mean()), "maximum": number(difference.max())},
    }


def refinement_record(findings: Findings) -> dict[str, object] | None:
    """How far refinement moves the flow, in px, and the error after it; None for weights whose flow is not refined."""
    refined, ground_truth = findings.observation.refined, findings.subject.ground_truth
    if refined is None:
        return None
    moved = np.linalg.norm(refined - findings.observation.flow, axis=2)
    return {
        "moved": {"mean": number(moved.mean()), "maximum": number(moved.max())},
        "epe": None if ground_truth is None else number(mean_error(refined, ground_truth)),
    }


def part_record(part: Part) -> dict[str, object]:
    """A box of the diagram."""
    return {"name": part.name, "step": part.step, "title": part.title, "layers": part.layers, "output": part.output}


def ablation_record(ablation: Ablation, findings: Findings) -> dict[str, object]:
    """A run with parts switched off."""
    return {
        "without": list(ablation.switches.parts),
        "radius": ablation.switches.radius,
        "change": numbers(ablation.changes),
        "epe": None if ablation.errors is None else numbers(ablation.errors),
        "sentence": ablation_sentence(ablation, findings),
    }


def figure_records(files: Sequence[str]) -> list[dict[str, object]]:
    """The figures that there are, each with its files."""
    records = []
    for figure in FIGURES.values():
        own = [file for file in files if figure_of(file) == figure]
        if own:
            facts = {"number": figure.number, "title": figure.title, "caption": figure.caption}
            records.append({**facts, "article": figure.article, "files": own})
    return records


def pixel_record(reading: Reading, story: Story, findings: Findings) -> dict[str, object]:
    """The record of one pixel."""
    truth = findings.truth_at(reading.pixel)
    return {
        "x": reading.pixel.x,
        "y": reading.pixel.y,
        "kind": reading.pixel.kind,
        "why": reading.pixel.why,
        "story": story.steps,
        "cell": {"row": reading.cell.row, "column": reading.cell.column},
        "flow": numbers(reading.flow[-1]),
        "truth": None if truth is None else numbers(truth),
        "error": None if truth is None else numbers(np.linalg.norm(reading.flow - truth, axis=1)),
        "peaks": [peak_record(peak, reading) for peak in reading.peaks],
        "levels": [level_record(reading, level) for level in range(len(reading.responses))],
        "updates": [update_record(reading, story, update) for update in range(len(reading.flow))],
        "end": numbers(reading.trajectory[-1]),
        "upsampling_weights": numbers(reading.weights),
        "upsampling_flow": numbers(reading.around),
    }


def peak_record(peak: Peak, reading: Reading) -> dict[str, object]:
    """The peak of a level, as an offset from the cell, and how far it is from where the flow ends."""
    x, y = peak.place
    return {
        "level": peak.level,
        "offset": [number(x - reading.cell.column), number(y - reading.cell.row)],
        "distance": number(peak.distance(reading.trajectory[-1])),
        "runner_up": number(peak.runner_up),
    }


def level_record(reading: Reading, level: int) -> dict[str, object]:
    """The response map of a level, its range, and the range of the lookups in it."""
    response = reading.responses[level]
    low, high = reading.lookup_range(level)
    return {
        "level": level,
        "rows": response.shape[0],
        "columns": response.shape[1],
        "minimum": number(response.min()),
        "maximum": number(response.max()),
        "lookup_low": number(low),
        "lookup_high": number(high),
        "response": numbers(response),
    }


def update_record(reading: Reading, story: Story, update: int) -> dict[str, object]:
    """One update at one pixel, numbered from 1: its lookups, what the GRU did with them, and the resulting flow."""
    return {
        "update": update + 1,
        "center": numbers(reading.trajectory[update]),
        "delta": numbers(reading.deltas[update]),
        "cell_flow": numbers(reading.coarse_flow[update]),
        "flow": numbers(reading.flow[update]),
        "sentence": story.updates[update],
        "motion_features": numbers(reading.motion[update]),
        "gates": {"update": numbers(reading.update_gate[update]), "reset": numbers(reading.reset_gate[update])},
        "hidden": numbers(reading.hidden[update + 1]),
        "lookups": [lookup_record(lookup, reading) for lookup in reading.lookups[update]],
    }


def lookup_record(lookup: Lookup, reading: Reading) -> dict[str, object]:
    """One level of one lookup; its center as (x, y), and as (row, column) like in the article."""
    x, y = lookup.center
    _, (left, top) = zoom(reading.responses[lookup.level], lookup.center, lookup.radius)
    return {
        "level": lookup.level,
        "center": [number(x), number(y)],
        "row_column": [number(y), number(x)],
        "zoom_from": {"row": top, "column": left},
        "window": numbers(lookup.window),
        "strongest": lookup.strongest,
    }


def numbers(values: object) -> object:
    """An array as nested lists of numbers; what is not finite becomes None."""
    array = np.asarray(values)
    return number(array) if array.ndim == 0 else [numbers(part) for part in array]


def number(value: object) -> float | None:
    """A number rounded to 7 significant digits, without -0; None if it is not finite."""
    rounded = float(f"{float(value):.{DIGITS}g}") + 0.0  # type: ignore[arg-type]
    return rounded if np.isfinite(rounded) else None
