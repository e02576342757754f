"""The parts of RAFT as its configuration describes them, and where the diagram has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from flowcli.inspection.grid import Grid
    from raft_core.config import Norm, RaftConfig


@dataclass(frozen=True)
class Part:
    """A part of the model: its step (None for input and result), its layers in words, and the size of its output."""

    name: str
    step: str | None
    title: str
    layers: tuple[str, ...]
    output: str


SIZE = (1280, 690)
"""Width and height of the diagram."""
PLACES = {
    "frames": (16, 30, 176, 272),
    "feature_encoder": (228, 30, 330, 272),
    "volume": (594, 30, 310, 272),
    "context_encoder": (940, 30, 324, 272),
    "lookup": (32, 364, 196, 264),
    "motion_encoder": (256, 364, 250, 264),
    "gru": (534, 364, 250, 264),
    "flow_head": (812, 364, 196, 264),
    "upsampling": (1052, 340, 212, 180),
    "flow": (1052, 546, 212, 138),
}
"""Left, top, width and height of every part."""
LOOP = (16, 340, 1008, 344)
"""Left, top, width and height of the frame around what is repeated."""
ARROWS = (
    ((192, 166), (228, 166)),
    ((558, 166), (594, 166)),
    ((104, 30), (104, 8), (1102, 8), (1102, 30)),
    ((749, 302), (749, 314), (130, 314), (130, 364)),
    ((1102, 302), (1102, 327), (659, 327), (659, 364)),
    ((228, 496), (256, 496)),
    ((506, 496), (534, 496)),
    ((784, 496), (812, 496)),
    ((910, 628), (910, 650), (130, 650), (130, 628)),
    ((1008, 430), (1052, 430)),
    ((1158, 520), (1158, 546)),
)
"""The points of every arrow, which ends at the last one."""


def parts_of(config: RaftConfig, grid: Grid) -> tuple[Part, ...]:
    """Every part of a model, for frames of the size of the grid."""
    cells = f"{grid.rows} x {grid.columns}"
    return (
        Part("frames", None, "Two frames", (), f"2 x 3 x {grid.height} x {grid.width}"),
        Part(
            "feature_encoder",
            "encode",
            "Feature encoder, both frames",
            encoder_layers(config, config.feature_norm, config.feature_channels),
            f"features: 2 x {config.feature_channels} x {cells}",
        ),
        Part(
            "context_encoder",
            "encode",
            "Context encoder, first frame",
            encoder_layers(config, config.context_norm, config.hidden_channels + config.context_channels),
            f"hidden state: {config.hidden_channels} x {cells}, context: {config.context_channels} x {cells}",
        ),
        volume(config, grid),
        lookup(config, cells),
        motion_encoder(config, cells),
        gru(config, cells),
        Part(
            "flow_head",
            "update",
            "Flow head",
            (f"3 x 3 conv, {config.flow_head_channels}", "3 x 3 conv, 2"),
            f"step: 2 x {cells}",
        ),
        upsampling(config, grid),
        Part("flow", None, "Flow", (), f"2 x {grid.height} x {grid.width}"),
    )


def encoder_layers(config: RaftConfig, norm: Norm, outputs: int) -> tuple[str, ...]:
    """The layers of an encoder."""
    stem, *stages = config.encoder_widths
    return (
        f"7 x 7 conv, {stem}, stride 2",
        f"2 {config.block} blocks each of {', '.join(map(str, stages))}",
        "with strides 1, 2, 2",
        f"1 x 1 conv, {outputs}; " + (f"{norm} norm" if norm != "none" else "no norm"),
    )


def volume(config: RaftConfig, grid: Grid) -> Part:
    """The correlation volume and its pyramid."""
    sizes = [f"{grid.rows >> level} x {grid.columns >> level}" for level in range(config.correlation_levels)]
    means = ", ".join(str(1 << level) for level in range(config.correlation_levels))
    return Part(
        "volume",
        "correlate",
        "Correlation volume and pyramid",
        ("scalar products of all pairs of cells,", f"means over {means} cells", "of the second frame"),
        f"per cell: {', '.join(sizes)}",
    )


def lookup(config: RaftConfig, cells: str) -> Part:
    """The lookup in the pyramid."""
    side = 2 * config.lookup_radius + 1
    return Part(
        "lookup",
        "look_up",
        "Lookup",
        (f"{config.correlation_levels} levels of {side} x {side}", "values around where", "the flow leads"),
        f"{config.correlation_channels} x {cells}",
    )


def motion_encoder(config: RaftConfig, cells: str) -> Part:
    """The motion encoder."""
    kernels = ("1 x 1", "3 x 3")
    correlation = [f"{k} conv, {w}" for k, w in zip(kernels, config.correlation_widths, strict=False)]
    first, second = config.flow_widths
    return Part(
        "motion_encoder",
        "update",
        "Motion encoder",
        (
            f"lookup: {', then '.join(correlation)}",
            f"flow: 7 x 7 conv, {first}, then 3 x 3 conv, {second}",
            f"both: 3 x 3 conv, {config.motion_channels - 2};",
            "and the flow itself",
        ),
        f"motion features: {config.motion_channels} x {cells}",
    )


def gru(config: RaftConfig, cells: str) -> Part:
    """The recurrent unit."""
    kernels = ", then ".join(f"{height} x {width}" for height, width in config.gru_kernels)
    return Part(
        "gru",
        "update",
        "GRU",
        (
            f"{kernels} conv of hidden state,",
            "context and motion features:",
            "update gate, reset gate, candidate",
        ),
        f"hidden state: {config.hidden_channels} x {cells}",
    )


def upsampling(config: RaftConfig, grid: Grid) -> Part:
    """Learned or bilinear upsampling."""
    learned = (
        f"3 x 3 conv, {config.flow_head_channels}",
        f"1 x 1 conv, {9 * FACTOR**2}:",
        "9 weights per pixel",
    )
    return Part(
        "upsampling",
        "upsample",
        "Convex upsampling" if config.upsampling == "convex" else "Bilinear upsampling",
        learned if config.upsampling == "convex" else ("nothing is learned here",),
        f"2 x {grid.height} x {grid.width}",
    )
