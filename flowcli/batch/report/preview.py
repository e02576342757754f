"""The preview of a clip in a batch's report: its speed over time, and small pictures of its fastest pair."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.flow.colour import ColourScale, colour_flow, magnitude
from flowcli.flow.kinds import Highlight, Records
from flowcli.flow.naming import Naming
from flowcli.flow.outputs._naming import Output
from flowcli.flow.statistics import MotionStatistics
from flowcli.system.files import write_whole
from flowcli.system.json_text import json_text
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.flow.estimate import Estimate
    from flowcli.flow.naming import Part


SIDE = 240
"""The longer side of a picture in px."""
GRID = 100
"""Motion is measured on a grid of at least so many rows and columns, or on all pixels."""
_QUALITY = 75


def preview_at(path: Path) -> Output:
    """The preview output at `path`."""
    return Output("preview", path, KIND, numbered=False)


def measure(estimate: Estimate) -> dict[str, Any]:
    """The motion of one pair."""
    motion = MotionStatistics.of(coarse(estimate.flow))
    return {
        "time": float(estimate.pair.own.time),
        "cut": estimate.pair.cut,
        "mean": rounded(motion.mean),
        "fast": rounded(motion.p95),
        "moving": rounded(motion.moving),
        "direction": rounded(motion.direction),
    }


def show(estimate: Estimate) -> dict[str, Any]:
    """The pictures of one pair."""
    flow, frame = estimate.flow, estimate.start.image
    height, width = flow.shape[:2]
    scale = ColourScale.covering([magnitude(coarse(flow))])
    shrink = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_NEAREST), np.float32)
    return {
        "poster": {
            "frame": picture(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)),
            "flow": picture(colour_flow(small, scale=scale)),
            "scale": rounded(scale.max_flow),
        }
    }


def coarse(flow: Float[NDArray[np.float32], "height width 2"]) -> Float[NDArray[np.float32], "rows columns 2"]:
    """Thousands of the flow's pixels, on a grid: their means are close to those over all."""
    height, width = flow.shape[:2]
    return np.ascontiguousarray(flow[:: max(1, height // GRID), :: max(1, width // GRID)])


def compose(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes all records; only the fastest pair that spans no cut keeps its pictures."""
    best = max(range(len(records)), key=lambda number: rank(records[number]))
    kept = [record if number == best else without_poster(record) for number, record in enumerate(records)]
    write_whole(path, json_text(kept, compact=True).encode())


def join(parts: Sequence[Part], path: Path) -> None:
    """Joins the records of several files into one."""
    compose([record for part in parts for record in json.loads(part.path.read_bytes())], path)


def rank(record: dict[str, Any]) -> tuple[bool, bool, float]:
    """The key by which the pair for the pictures is chosen: no cut first, then the greatest mean speed."""
    return "poster" in record, not record["cut"], record["mean"] or 0.0


def without_poster(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its pictures."""
    return {name: value for name, value in record.items() if name != "poster"}


def rounded(value: float | None) -> float | None:
    """A number rounded to 3 decimals; None stays None."""
    return None if value is None else round(value, 3)


def picture(image: NDArray[np.uint8]) -> str:
    """An RGB image as a data URI of a WebP file."""
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return f"data:image/webp;base64,{b64encode(data.tobytes()).decode()}"


KIND = Records(measure, compose, Naming("preview", ".json", video=".json"), join, Highlight(rank, show))
