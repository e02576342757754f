"""explorer.html: one page that explains RAFT at any pixel and runs its updates, in the browser without network."""

from __future__ import annotations

import json
from base64 import b64encode
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from flowcli.flow.colour import wheel
from flowcli.inspection import diagram
from flowcli.inspection.packing import exact, fixed
from flowcli.inspection.update_layers import bits_of, live_data
from flowcli.system.opencv import cv2
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import NDArray

    from flowcli.inspection.findings import Findings
    from flowcli.inspection.inputs import Subject
    from flowcli.inspection.observation import Observation
    from flowcli.inspection.reading import Pixel
    from flowcli.inspection.story import Story

    Features = Float[NDArray[np.float32], "channels rows columns"]

NAME = "explorer.html"
WORKER = (
    "assembler.js",
    "kernels.js",
    "maps.js",
    "layers.js",
    "lookup.js",
    "operator.js",
    "fine_flow.js",
    "worker.js",
)
"""The scripts that compute updates beside the page, in their order."""
SCRIPTS = (
    "storage.js",
    "correlation.js",
    "state.js",
    "live.js",
    "sentences.js",
    "drawing.js",
    "frames.js",
    "levels.js",
    "encode.js",
    "update.js",
    "upsample.js",
    "experiment.js",
    "show.js",
    "controls.js",
    "main.js",
)
"""The scripts of the page, in their order."""
MOST_CELLS = 8192
"""Feature maps of more cells are averaged, to limit the size of the page."""
WHEEL = 64
"""The radius in px of the colour wheel from which the page reads the colours of flow."""


def explorer(findings: Findings) -> str:
    """The HTML of the page: the template with style, diagram, scripts and data inserted."""
    parts = {
        "STYLE": source("explorer.css"),
        "WORKER": "\n".join(map(source, WORKER)),
        "DIAGRAM": diagram.svg(findings),
        "SCRIPT": "\n".join(map(source, SCRIPTS)),
        # A file name with "</script>" in it must not end the script.
        "DATA": json.dumps(data_of(findings), separators=(",", ":")).replace("<", "\\u003c"),
    }
    page = source("explorer.html")
    for name, text in parts.items():
        page = page.replace(f"/*{name}*/", text)
    return page


def source(name: str) -> str:
    """A file of the page."""
    return (files("flowcli.inspection") / "page" / name).read_text(encoding="utf-8")


def data_of(findings: Findings) -> dict[str, object]:
    """The data of the page. Arrays are packed: features and ground truth as (rows, columns, channels), flows in cells
    as (updates + 1, rows, columns, 2). `live` is what the page needs to compute updates, or None if it cannot.
    """
    observation, subject = findings.observation, findings.subject
    grid, config = observation.grid, observation.config
    factor = averaging(observation)
    first, second = (
        fixed(pooled(features, factor).transpose(1, 2, 0), bits=feature_bits(observation))
        for features in (observation.first_features, observation.second_features)
    )
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
        "channels": config.feature_channels,
        "upsampling": config.upsampling,
        "averaging": factor,
        "updates": findings.iterations,
        "maxFlow": findings.scale.max_flow,
        "meanUpdates": findings.mean_updates.tolist(),
        "errors": None if findings.errors is None else findings.errors.tolist(),
        "story": findings.story,
        "pixels": [
            pixel_data(reading.pixel, story) for reading, story in zip(findings.readings, findings.stories, strict=True)
        ],
        "edge": None if findings.edge is None else {"x": findings.edge.pixel.x, "y": findings.edge.pixel.y},
        "image": picture(subject.first, ".jpg"),
        "secondImage": picture(subject.second, ".jpg"),
        "wheel": picture(wheel(WHEEL), ".png"),
        "first": first,
        "second": second,
        "flows": exact(flows(observation)),
        "truth": truth(subject),
        "live": live_data(observation) if runs(observation) else None,
    }


def runs(observation: Observation) -> bool:
    """Whether the page computes updates: of models with one GRU pass, on frames whose features are not averaged."""
    return averaging(observation) == 1 and len(observation.config.gru_kernels) == 1


def feature_bits(observation: Observation) -> int:
    """The bits in which the page stores features."""
    return bits_of(observation) if runs(observation) else 16


def pixel_data(pixel: Pixel, story: Story) -> dict[str, object]:
    """An inspected pixel, why it was chosen, and what happened there."""
    return {"x": pixel.x, "y": pixel.y, "kind": pixel.kind, "why": pixel.why, "story": story.steps}


def truth(subject: Subject) -> dict[str, object] | None:
    """The ground truth in px, NaN where it is unknown; None without ground truth."""
    if subject.ground_truth is None:
        return None
    return fixed(subject.ground_truth.with_nan)


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


def flows(observation: Observation) -> Float[NDArray[np.float32], "updates_plus_1 rows columns 2"]:
    """The flow before the first update and after each update, in cells."""
    rows, columns = np.indices((observation.grid.rows, observation.grid.columns), np.float32)
    cells = np.stack([columns, rows])
    before = [update.centers - cells for update in observation.updates]
    return np.stack([*before, observation.updates[-1].coarse_flow]).transpose(0, 2, 3, 1)


def picture(image: NDArray[np.uint8], suffix: str) -> str:
    """An RGB image as the data URI of a .jpg or .png file."""
    _, data = cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]))
    kind = {".jpg": "jpeg", ".png": "png"}[suffix]
    return f"data:image/{kind};base64,{b64encode(data.tobytes()).decode()}"
