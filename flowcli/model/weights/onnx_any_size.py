"""RAFT as an ONNX model for frames of any height and width, and any number of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from raft_core.images import SMALLEST_SIDE, STRIDE
from raft_core.raft import last

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from onnx import ModelProto
    from torch import Tensor

    from raft_core.raft import RAFT

    Images = Float[Tensor, "batch 3 height width"]
    Export = Callable[..., ModelProto]


class Padded(nn.Module):
    """The frames with their border repeated, as by `Padding.for_size`, and the first one as it is."""

    def forward(self, first: Images, second: Images) -> tuple[Images, Images, Images]:
        """Frames whose sides are multiples of 8 and at least 128."""
        rows, columns = (around(side)[1] for side in first.shape[-2:])
        padded, other = (frame.index_select(2, rows).index_select(3, columns) for frame in (first, second))
        return padded, other, first * 1


class Estimated(nn.Module):
    """Full-resolution flow of padded frames, RGB from 0 to 255."""

    def __init__(self, model: RAFT, *, iterations: int) -> None:
        super().__init__()
        self.model = model
        self.iterations = iterations

    def forward(self, first: Images, second: Images) -> Float[Tensor, "batch 2 height width"]:
        """Flow in pixels."""
        first, second = (frame * (2 / 255) - 1 for frame in (first, second))
        # Not in one batch: a batch of any size would have to be split again.
        correlation = self.model.correlate(self.model.encode(first), self.model.encode(second))
        return last(self.model.updates(correlation, self.model.read_context(first)), self.iterations).upsampled()


class Cropped(nn.Module):
    """The flow without the padding, in the size of the first frame."""

    def forward(
        self, flow: Float[Tensor, "batch 2 rows columns"], frame: Images
    ) -> Float[Tensor, "batch 2 height width"]:
        """Flow in pixels of the frame."""
        (height, width) = frame.shape[-2:]
        top, left = around(height)[0], around(width)[0]
        return flow[..., top : top + height, left : left + width]


def around(side: int) -> tuple[int, Int[Tensor, " padded"]]:
    """The pixels that padding puts before a side, and the index of every pixel of the padded side."""
    padded = torch.sym_max((side + STRIDE - 1) // STRIDE * STRIDE, SMALLEST_SIDE)  # type: ignore[no-untyped-call]
    lacking = padded - side
    before = lacking // 2
    return before, (torch.arange(side + lacking) - before).clamp(0, side - 1)


def any_size(model: RAFT, *, iterations: int, export: Export) -> ModelProto:
    """The ONNX model, from `first` and `second` to `flow`; `export` exports a module with the given arguments.

    Its three parts are exported one by one, each for sides that its expressions stay short for: as a whole, exporting
    takes minutes longer. Raises ImportError where the extra is not installed.
    """
    from onnx import compose  # noqa: PLC0415 - an extra

    dim = torch.export.Dim
    sides = {0: dim("batch"), 2: dim("height"), 3: dim("width")}
    cells = {0: dim("batch"), 2: STRIDE * dim("rows", min=16), 3: STRIDE * dim("columns", min=16)}
    frames = (torch.rand(2, 3, 200, 176), torch.rand(2, 3, 200, 176))
    before = export(Padded(), frames, ["first", "second"], ["padded_first", "padded_second", "frame"], (sides, sides))
    core = export(Estimated(model, iterations=iterations).eval(), frames, ["first", "second"], ["flow"], (cells, cells))
    flow = torch.rand(2, 2, 200, 176)
    after = export(Cropped(), (flow, frames[0]), ["padded_flow", "frame"], ["flow"], (cells, sides))
    core = compose.add_prefix(core, "raft/")
    after = compose.add_prefix(after, "crop/", rename_outputs=False)
    links = [("padded_first", "raft/first"), ("padded_second", "raft/second")]
    whole = compose.merge_models(before, core, io_map=links)
    return compose.merge_models(whole, after, io_map=[("raft/flow", "crop/padded_flow"), ("frame", "crop/frame")])
