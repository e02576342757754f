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


SIZE = (1280, 728)
"""Width and height of the diagram."""
PLACES = {
    "frames": (16, 40, 176, 280),
    "feature_encoder": (228, 40, 330, 280),
    "volume": (594, 40, 310, 280),
    "context_encoder": (940, 40, 324, 280),
    "lookup": (32, 394, 196, 264),
    "motion_encoder": (256, 394, 250, 264),
    "gru": (534, 394, 250, 264),
    "flow_head": (812, 394, 196, 264),
    "upsampling": (1052, 366, 212, 180),
    "flow": (1052, 576, 212, 140),
}
"""Left, top, width and height of every part."""
LOOP = (16, 366, 1008, 350)
"""Left, top, width and height of the frame around what is repeated."""
ARROWS = (
    ((192, 180), (228, 180)),
    ((558, 180), (594, 180)),
    ((104, 40), (104, 16), (1102, 16), (1102, 40)),
    ((749, 320), (749, 336), (130, 336), (130, 394)),
    ((1102, 320), (1102, 352), (659, 352), (659, 394)),
    ((228, 526), (256, 526)),
    ((506, 526), (534, 526)),
    ((784, 526), (812, 526)),
    ((910, 658), (910, 680), (130, 680), (130, 658)),
    ((1008, 456), (1052, 456)),
    ((1158, 546), (1158, 576)),
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
