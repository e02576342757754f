"""explorer.html: one page, without network, that shows what RAFT saw at any pixel; it computes in the browser."""

from __future__ import annotations

import json
from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import wheel
from flowcli.system.opencv import cv2
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.findings import Findings
    from flowcli.inspection.observation import Observation

    Features = Float[NDArray[np.float32], "channels rows columns"]

NAME = "explorer.html"
MOST_CELLS = 8192
"""Feature maps of more cells are averaged, so that the page stays small enough to send."""
WHEEL = 64
"""Radius, in pixels, of the colour wheel that the page reads colours from."""


def explorer(findings: Findings) -> str:
    """The page: its template with style, script and data in place."""
    folder = files("flowcli.inspection")
    parts = {
        "STYLE": (folder / "explorer.css").read_text(encoding="utf-8"),
        "SCRIPT": (folder / "explorer.js").read_text(encoding="utf-8"),
        # A file name with "</script>" in it must not end the script.
        "DATA": json.dumps(data_of(findings), separators=(",", ":")).replace("<", "\\u003c"),
    }
    page = (folder / "explorer.html").read_text(encoding="utf-8")
    for name, text in parts.items():
        page = page.replace(f"/*{name}*/", text)
    return page


def data_of(findings: Findings) -> dict[str, object]:
    """What the page reads: features as float16 (rows, columns, channels), flows as float32 (2, rows, columns) in cells.

    There is one flow more than updates: where each lookup was made, and where the last update ended.
    """
    observation, subject = findings.observation, findings.subject
    grid, config = observation.grid, observation.config
    factor = averaging(observation)
    first, second = (pooled(f, factor) for f in (observation.first_features, observation.second_features))
    return {
        "name": subject.name,
        "frames": subject.frames,
        "weights": findings.weights.name,
        "width": grid.width,
        "height": grid.height,
        "cell": FACTOR,
        "rows": grid.rows,
        "columns": grid.columns,
        "left": grid.padding.left,
        "top": grid.padding.top,
        "levels": config.correlation_levels,
        "radius": config.lookup_radius,
        "channels": len(first),
        "averaging": factor,
        "updates": findings.iterations,
        "maxFlow": findings.scale.max_flow,
        "pixels": [{"x": r.pixel.x, "y": r.pixel.y, "why": r.pixel.why} for r in findings.readings],
        "image": picture(subject.first, ".jpg"),
        "secondImage": picture(subject.second, ".jpg"),
        "wheel": picture(wheel(WHEEL), ".png"),
        "first": text(first.transpose(1, 2, 0), "<f2"),
        "second": text(second.transpose(1, 2, 0), "<f2"),
        "flows": text(flows(observation), "<f4"),
    }


def averaging(observation: Observation) -> int:
    """Over how many cells along each axis the features are averaged in the page: 1, or a power of two."""
    rows, columns = observation.first_features.shape[1:]
    factor = 1
    while (rows // factor) * (columns // factor) > MOST_CELLS:
        factor *= 2
    return factor


def pooled(features: Features, factor: int) -> Features:
    """Averages over squares of cells; a remainder at the border is left out, as RAFT's pyramid does."""
    channels, rows, columns = (size // side for size, side in zip(features.shape, (1, factor, factor), strict=True))
    whole = features[:, : rows * factor, : columns * factor]
    return np.asarray(whole.reshape(channels, rows, factor, columns, factor).mean(axis=(2, 4)), np.float32)


def flows(observation: Observation) -> Float[NDArray[np.float32], "updates_plus_1 2 rows columns"]:
    """The flow that each update began with, and the one that the last of them ended with, in cells."""
    rows, columns = np.indices((observation.grid.rows, observation.grid.columns), np.float32)
    cells = np.stack([columns, rows])
    return np.stack([*(update.centers - cells for update in observation.updates), observation.updates[-1].coarse_flow])


def text(values: NDArray[np.float32], kind: str) -> str:
    """Numbers as base64 of their bytes."""
    return b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def picture(image: NDArray[np.uint8], suffix: str) -> str:
    """An RGB image as the data URI of a file of this kind."""
    _, data = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]))
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return f"data:image/{kind};base64,{b64encode(data.tobytes()).decode()}"
