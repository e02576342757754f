"""Exports RAFT as an ONNX model."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from flowcli.errors import DeviceError, OutputError, UsageError
from flowcli.model.weights import load
from flowcli.model.weights.convert import check_output
from flowcli.model.weights.onnx_any_size import any_size
from flowcli.system.files import write_whole
from raft_core.images import Padding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Float
    from onnx import ModelProto
    from torch import Tensor

    from flowcli.model.weights import Weights
    from raft_core.raft import RAFT

OPSET = 18
TOLERANCE_PX = 0.01
"""The largest allowed difference of onnxruntime's flow from PyTorch's."""
TRIED = ((133, 129), (64, 200))
"""The sizes (height, width) that a model for any size is compared at, the first with one pair, the second with two."""


class FrameToFlow(nn.Module):
    """RAFT from RGB images to full-resolution flow, including scaling, padding and cropping."""

    def __init__(self, model: RAFT, *, size: tuple[int, int], iterations: int) -> None:
        super().__init__()
        self.model = model
        self.padding = Padding.for_size(*size)
        self.iterations = iterations

    def forward(
        self, first: Float[Tensor, "1 3 height width"], second: Float[Tensor, "1 3 height width"]
    ) -> Float[Tensor, "1 2 height width"]:
        """Flow in pixels from RGB from 0 to 255."""
        frames = (self.padding.pad(frame * (2 / 255) - 1) for frame in (first, second))
        flow: Tensor = self.padding.crop(self.model.estimate(*frames, iterations=self.iterations).upsampled())
        return flow


def parse_frame_size(text: str) -> tuple[int, int] | None:
    """Height and width from `1024x436`, None for `any`; raises UsageError for anything else."""
    if text == "any":
        return None
    match = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text)
    if not match or "0" in match.groups():
        raise UsageError(f"--size {text} is not a size", hint="write width and height like 1024x436, or any")
    return int(match[2]), int(match[1])


def export_onnx(
    weights: Weights, output: Path, *, size: tuple[int, int] | None, iterations: int, overwrite: bool
) -> str:
    """Writes an ONNX model for frames of `size` (height, width), or of any; returns a summary with its error.

    Raises OutputError, and writes nothing, where onnxruntime's flow differs from PyTorch's; UsageError for an unusable
    `output`, DeviceError where the extra is not installed.
    """
    check_output(output, weights, suffixes=(".onnx",), overwrite=overwrite)
    model = load(weights)
    with torch.no_grad():
        data = traced(model, size=size, iterations=iterations)
    tried = [(1, size)] if size else [(batch, each) for batch, each in enumerate(TRIED, 1)]
    difference = max(compared(data, model, size=each, iterations=iterations, batch=batch) for batch, each in tried)
    if not difference <= TOLERANCE_PX:
        raise OutputError(
            f"onnxruntime's flow is {difference:.3g} px from PyTorch's", hint="report this with your versions: pip list"
        )
    write_whole(output, data)
    return (
        f"{weights.name} for {f'{size[1]} x {size[0]}' if size else 'any size'} and {iterations} iterations, "
        f"opset {OPSET}; "
        f"onnxruntime's flow is within {difference:.1e} px of PyTorch's"
    )


def compared(data: bytes, model: RAFT, *, size: tuple[int, int], iterations: int, batch: int) -> float:
    """The largest difference, in px, of an ONNX model's flow from PyTorch's, for so many pairs of frames of `size`."""
    frames = sample_frames(size)
    with torch.no_grad():
        ours = FrameToFlow(model, size=size, iterations=iterations).eval()(*frames).numpy()
    several = tuple(frame.expand(batch, -1, -1, -1) for frame in frames)
    return float(np.abs(run_onnx(data, several) - ours).max())


def sample_frames(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Two frames for the comparison: smooth noise, and the same moved by (3, 2) px."""
    height, width = size
    noise = torch.rand(1, 3, height // 4 + 4, width // 4 + 4, generator=torch.Generator().manual_seed(0))
    scene = nn.functional.interpolate(noise, size=(height + 8, width + 8), mode="bicubic").clamp(0, 1) * 255
    return scene[..., 2 : height + 2, 3 : width + 3].contiguous(), scene[..., :height, :width].contiguous()


def traced(model: RAFT, *, size: tuple[int, int] | None, iterations: int) -> bytes:
    """The bytes of the model in ONNX format; raises DeviceError where the extra is not installed."""
    try:
        with quietly():
            if size is None:
                whole = any_size(model, iterations=iterations, export=export)
            else:
                frames = FrameToFlow(model, size=size, iterations=iterations).eval()
                whole = export(frames, sample_frames(size), ["first", "second"], ["flow"], None)
            return bytes(whole.SerializeToString())
    except ImportError as error:
        raise missing(error) from error


def export(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str], sizes: tuple[Any, ...] | None
) -> ModelProto:
    """A module as an ONNX model, whose inputs may have other `sizes` where they are not None."""
    program = torch.onnx.export(
        module,
        inputs,
        input_names=names,
        output_names=outputs,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
        dynamic_shapes=sizes,
    )
    assert program is not None  # noqa: S101 - dynamo=True returns one
    return program.model_proto


def run_onnx(data: bytes, frames: tuple[Tensor, ...]) -> np.ndarray:
    """The flow of an ONNX model, computed by onnxruntime on the CPU."""
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error) from error
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    first, second = (frame.numpy() for frame in frames)
    (flow,) = session.run(["flow"], {"first": first, "second": second})
    return np.asarray(flow)


def missing(error: ImportError) -> DeviceError:
    """The error for a missing extra."""
    return DeviceError(f"{error.name} is not installed", hint="pip install onnx onnxscript onnxruntime")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppresses the output and warnings of PyTorch's exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
