"""Motion statistics of every pair in JSON; of a batch, a table too.

Speed, direction, camera, errors, cuts.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from flowcli.flow.camera import CameraMotion
from flowcli.flow.colour import MOVING
from flowcli.flow.drawing import leaving
from flowcli.flow.estimate import Stamp
from flowcli.flow.kinds import Records
from flowcli.flow.naming import Naming
from flowcli.flow.photometric import photometric_error
from flowcli.flow.statistics import STILL, MotionStatistics
from flowcli.system.files import write_whole
from flowcli.system.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.naming import Part


_UNITS = {
    "magnitude": "px per pair",
    "speed": "px per second",
    "dominant_direction": "degrees clockwise from the right; 90 is down",
    "photometric_error": "grey levels",
    "occluded": "not confirmed by the backward flow, or leaving the frame",
    "leaving": "flow that leads out of the frame, or is unknown",
    "moving": f"from {MOVING} px on",
    "camera": "mean px per pair of the homography that most flow follows, its zoom, and clockwise degrees; "
    "own: flow less camera motion",
    "still": f"less than {100 * STILL:.1f} % of the pixels moving",
}


def measure(estimate: Estimate) -> dict[str, Any]:
    """The record of one pair."""
    motion = MotionStatistics.of(estimate.flow)
    pair = estimate.pair
    seconds = abs(pair.second.time - pair.first.time)
    camera = CameraMotion.of(estimate.flow)
    before, after = photometric_error(estimate.start.image, estimate.end.image, estimate.flow)
    magnitude = {"mean": motion.mean, "median": motion.median, "p95": motion.p95}
    per_second = {name: None if value is None or not seconds else value / seconds for name, value in magnitude.items()}
    return {
        **Stamp.of(estimate).record(),
        "magnitude": _rounded(magnitude),
        "speed": _rounded(per_second),
        "known_fraction": round(motion.known, 4),
        "moving_fraction": round(motion.moving, 4),
        "dominant_direction": None if motion.direction is None else round(motion.direction, 1),
        "camera": {field.name: None for field in fields(CameraMotion)} if camera is None else _rounded(asdict(camera)),
        "occluded_fraction": None if estimate.occlusion is None else round(float(estimate.occlusion.mean()), 4),
        "leaving_fraction": round(float(leaving(estimate.flow).mean()), 4),
        "photometric_error": _rounded({"before": before, "after": after}),
        "still": motion.still,
    }


def compose(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes all records, and their means over the pairs without a cut."""
    within = [record for record in records if not record["cut"]]
    summary = {
        "pairs": len(records),
        "cuts": len(records) - len(within),
        "still": sum(record["still"] for record in within),
        "magnitude": {name: _mean(within, "magnitude", name) for name in ("mean", "median", "p95")},
        "speed": {name: _mean(within, "speed", name) for name in ("mean", "median", "p95")},
        "moving_fraction": _mean(within, "moving_fraction"),
        "camera": {field.name: _mean(within, "camera", field.name) for field in fields(CameraMotion)},
        "photometric_error": {name: _mean(within, "photometric_error", name) for name in ("before", "after")},
    }
    content = {"units": _UNITS, "summary": summary, "pairs": list(records)}
    write_whole(path, (json_text(content) + "\n").encode())


def join(parts: Sequence[Part], path: Path) -> None:
    """Concatenates the records of several files."""
    compose([record for part in parts for record in json.loads(part.path.read_bytes())["pairs"]], path)


def _rounded(values: dict[str, Any]) -> dict[str, float | None]:
    return {
        name: None if value is None or not math.isfinite(value) else round(float(value), 4)
        for name, value in values.items()
    }


def _mean(records: Sequence[dict[str, Any]], *keys: str) -> float | None:
    values = []
    for record in records:
        value: Any = record
        for key in keys:
            value = value[key]
        if value is not None:
            values.append(value)
    return round(statistics.fmean(values), 4) if values else None


KIND = Records(measure, compose, Naming("stats", ".json", video=".json"), join)
