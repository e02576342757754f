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


SIZE = (1620, 800)
"""Width and height of the diagram."""
PLACES = {
    "frames": (20, 40, 216, 316),
    "feature_encoder": (296, 40, 376, 316),
    "volume": (732, 40, 400, 316),
    "context_encoder": (1212, 40, 388, 316),
    "lookup": (36, 460, 330, 260),
    "motion_encoder": (402, 460, 300, 260),
    "gru": (738, 460, 300, 260),
    "flow_head": (1074, 460, 206, 260),
    "upsampling": (1350, 410, 250, 150),
    "flow": (1350, 590, 250, 200),
}
"""Left, top, width and height of every part."""
LOOP = (20, 420, 1280, 352)
"""Left, top, width and height of the frame around what is repeated."""
ARROWS = (
    ((236, 198), (296, 198)),
    ((672, 198), (732, 198)),
    ((128, 40), (128, 18), (1406, 18), (1406, 40)),
    ((932, 356), (932, 382), (200, 382), (200, 460)),
    ((1406, 356), (1406, 398), (888, 398), (888, 460)),
    ((366, 590), (402, 590)),
    ((702, 590), (738, 590)),
    ((1038, 590), (1074, 590)),
    ((1177, 720), (1177, 746), (200, 746), (200, 720)),
    ((1280, 500), (1350, 500)),
    ((1475, 560), (1475, 590)),
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
            "Feature encoder, of both frames",
            encoder_layers(config, config.feature_norm, config.feature_channels),
            f"features: 2 x {config.feature_channels} x {cells}",
        ),
        Part(
            "context_encoder",
            "encode",
            "Context encoder, of the first frame",
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
        f"2 {config.block} blocks each: {', '.join(map(str, stages))}; strides 1, 2, 2",
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
        ("all pairs of cells: scalar products of features", f"means of the second frame over {means} cells"),
        f"per cell: {', '.join(sizes)}",
    )


def lookup(config: RaftConfig, cells: str) -> Part:
    """The lookup in the pyramid."""
    side = 2 * config.lookup_radius + 1
    return Part(
        "lookup",
        "look_up",
        "Lookup",
        (f"{config.correlation_levels} levels of {side} x {side} values", "around where the flow leads"),
        f"{config.correlation_channels} x {cells}",
    )


def motion_encoder(config: RaftConfig, cells: str) -> Part:
    """The motion encoder."""
    kernels = ("1 x 1", "3 x 3")
    correlation = ", ".join(f"{k} conv, {w}" for k, w in zip(kernels, config.correlation_widths, strict=False))
    return Part(
        "motion_encoder",
        "update",
        "Motion encoder",
        (
            f"lookup: {correlation}",
            f"flow: 7 x 7 conv, {config.flow_widths[0]}, 3 x 3 conv, {config.flow_widths[1]}",
            f"both: 3 x 3 conv, {config.motion_channels - 2}; and the flow",
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
        f"3 x 3 conv, {config.flow_head_channels}, 1 x 1 conv, {9 * FACTOR**2}",
        "weights of 3 x 3 cells per pixel",
    )
    return Part(
        "upsampling",
        "upsample",
        "Convex upsampling" if config.upsampling == "convex" else "Bilinear upsampling",
        learned if config.upsampling == "convex" else ("nothing is learned here",),
        f"2 x {grid.height} x {grid.width}",
    )
