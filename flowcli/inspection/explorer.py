"""explorer.html: one page that shows RAFT's lookups at any pixel, computed in the browser without network."""

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
"""Feature maps of more cells are averaged, to limit the size of the page."""
WHEEL = 64
"""The radius in px of the colour wheel from which the page reads the colours of flow."""


def explorer(findings: Findings) -> str:
    """The HTML of the page: the template with style, script and data inserted."""
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
    """The data of the page: features as float16 (rows, columns, channels), flows as float32 (updates + 1, 2, rows,
    columns) in cells, both in base64.
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
    """The number of cells along each axis over which the page averages features: 1 or another power of two."""
    rows, columns = observation.first_features.shape[1:]
    factor = 1
    while (rows // factor) * (columns // factor) > MOST_CELLS:
        factor *= 2
    return factor


def pooled(features: Features, factor: int) -> Features:
    """Averages over squares of `factor` x `factor` cells, without a remainder at the border, as in RAFT's pyramid."""
    channels, rows, columns = (size // side for size, side in zip(features.shape, (1, factor, factor), strict=True))
    whole = features[:, : rows * factor, : columns * factor]
    return np.asarray(whole.reshape(channels, rows, factor, columns, factor).mean(axis=(2, 4)), np.float32)


def flows(observation: Observation) -> Float[NDArray[np.float32], "updates_plus_1 2 rows columns"]:
    """The flow before the first update and after each update, in cells."""
    rows, columns = np.indices((observation.grid.rows, observation.grid.columns), np.float32)
    cells = np.stack([columns, rows])
    return np.stack([*(update.centers - cells for update in observation.updates), observation.updates[-1].coarse_flow])


def text(values: NDArray[np.float32], kind: str) -> str:
    """The bytes of an array of dtype `kind`, in base64."""
    return b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def picture(image: NDArray[np.uint8], suffix: str) -> str:
    """An RGB image as the data URI of a .jpg or .png file."""
    _, data = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]))
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return f"data:image/{kind};base64,{b64encode(data.tobytes()).decode()}"
