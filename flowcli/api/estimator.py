"""`flowcli.Estimator`: flow of images, videos and frames in memory, with one model and one choice of options."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flowcli.api.arguments import Frames, device_named, effort_of, occlusion_of, settings_of
from flowcli.api.checks import parsed, text
from flowcli.api.images import images_of, same, starts_of, values_of
from flowcli.api.results import Flows, Result, VideoResult
from flowcli.flow.estimate import with_repeated
from flowcli.media.decoding import Decoding
from flowcli.media.frames import Frame, FramePair
from flowcli.media.levels import parse_levels
from flowcli.media.memory import FramesInMemory
from flowcli.media.pairs import pairs_in, pairs_of_stream
from flowcli.media.sources import open_source
from flowcli.media.sources._sequence import DEFAULT_RATE
from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.memory import Memory
from flowcli.model.quality import BALANCED
from flowcli.model.weights import DEFAULT, find
from raft_core.consistency import ABSOLUTE, RELATIVE
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from os import PathLike
    from typing import Unpack

    from flowcli.api.arguments import Part
    from flowcli.flow.estimate import Direction
    from flowcli.media.sources import Source

RECENT = 4
"""The images whose features are kept for the next call."""
KEPT = ("_memory", "_recent", "_count", "_computing")
"""The attributes of an estimator that its copies do not have."""


class PilImage(Protocol):
    """An image of PIL."""

    @property
    def mode(self) -> str:
        """The kind of its pixels, such as RGB."""

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height."""


Picture = NDArray[Any] | PilImage
"""An image as an array (height, width, 3), grey or with alpha too, or of PIL; uint8, uint16, or float from 0 to 1."""


class Estimator:
    """Computes flow with one model and the same options, and keeps the features of the latest images between calls.

    `weights` is a name, a checkpoint's path, or a model from `load`, which is moved to the device and put into
    evaluation mode. `direction` is "forward", "backward", or "both", which also gives occlusion, by the thresholds
    `occlusion_relative` and, in px², `occlusion_absolute`. `warm_start` has each pair of a video start from the flow of
    the one before. The other arguments are the options of `flowcli video`. Raises TypeError and ValueError, which name
    the argument, DeviceError and WeightsError.

    Threads may share an estimator; its `estimate` serves one after the other. Copies, and those that are pickled for
    another process, have the model and the options, but not the features of images.
    """

    def __init__(
        self,
        weights: str | Path | RAFT = DEFAULT,
        *,
        quality: str = BALANCED,
        iterations: int | Literal["auto"] = "auto",
        tolerance: float | None = None,
        refine: str = "auto",
        direction: Direction = "forward",
        warm_start: bool = False,
        batch: int | Literal["auto"] = "auto",
        max_side: int | None = None,
        scale: float | None = None,
        levels: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        memory: str | None = None,
        occlusion_relative: float = RELATIVE,
        occlusion_absolute: float = ABSOLUTE,
    ) -> None:
        if not isinstance(weights, str | os.PathLike | RAFT):
            raise TypeError(f"weights are a name, a path or a model, got {weights!r}")
        if isinstance(weights, RAFT) and (kind := next(weights.parameters()).dtype) != torch.float32:
            raise ValueError(f"weights are a model in float32, got one in {kind}; precision is an argument of its own")
        effort = effort_of(
            quality=quality,
            iterations=iterations,
            tolerance=tolerance,
            refine=refine,
            scale=scale,
            max_side=max_side,
            precision=precision,
        )
        occlusion = occlusion_of(occlusion_relative, occlusion_absolute)
        settings = settings_of(direction, batch, memory, occlusion, warm_start=warm_start)
        text("levels", levels)
        self._levels = parsed("levels", lambda: parse_levels(levels))
        device = device_named(device)
        found = weights if isinstance(weights, RAFT) else find(str(weights))
        self._of_videos = estimator_for(found, device=device, effort=effort, settings=settings)
        settings = replace(self._of_videos.settings, warm_start=False)
        model, place = self._of_videos.model, self._of_videos.device
        self._of_images = FlowEstimator(model, device=place, settings=settings)
        # Planned as one pair, which all cores of a CPU work on.
        self._of_one = FlowEstimator(model, device=place, settings=replace(settings, batch=1))
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in KEPT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def _forget(self) -> None:
        """Keeps no features of images."""
        self._memory = Memory()
        self._recent: deque[Frame] = deque(maxlen=RECENT)
        self._count = 0
        self._computing = Lock()

    @overload
    def estimate(self, first: Tensor, second: Tensor, *, initial_flow: Tensor | None = ...) -> Result[Tensor]: ...
    @overload
    def estimate(
        self, first: Picture, second: Picture, *, initial_flow: NDArray[np.floating[Any]] | None = ...
    ) -> Result[NDArray[Any]]: ...
    def estimate(self, first: Any, second: Any, *, initial_flow: Any = None) -> Result[Any]:
        """The flow from `first` to `second`, two images of one size, or two batches of as many.

        They are arrays (height, width, 3) or (..., height, width, 3), images of PIL, or tensors (3, height, width) or
        (..., 3, height, width), whose results are on the same device; grey or with alpha too; uint8, uint16, or float
        from 0 to 1. Updates start from `initial_flow`, if given, which has the form of the result's `flow`. Raises
        TypeError and ValueError for other arguments, and DeviceError where they do not fit into memory.
        """
        if isinstance(first, Tensor) != isinstance(second, Tensor):
            kinds = f"{type(first).__name__} and {type(second).__name__}"
            raise TypeError(f"first and second are both tensors or both arrays, got {kinds}")
        shape, images = images_of(first, second, levels=self._levels)
        height, width = images[0][0].shape[:2]
        starts = starts_of(initial_flow, (*shape, 2, height, width), like=first) or [None] * len(images)
        with self._computing:
            frames = [(self._frame(one), self._frame(other)) for one, other in images]
            pairs = [
                # Without warm starts, pairs that continue each other are those that may share a batch.
                FramePair(one, other, continues=number > 0, initial_flow=start)
                for number, ((one, other), start) in enumerate(zip(frames, starts, strict=True))
            ]
            estimator = self._of_one if len(pairs) == 1 else self._of_images
            estimates = list(estimator.estimate(pairs, memory=self._memory))
            self._memory.keep_frames({frame.index for frame in self._recent})
        return Result(**values_of(estimates, shape, device=first.device if isinstance(first, Tensor) else None))

    @overload
    def video(self, source: Tensor, **part: Unpack[Part]) -> Flows[Tensor]: ...
    @overload
    def video(
        self, source: str | PathLike[str] | NDArray[Any] | Iterable[Picture], **part: Unpack[Part]
    ) -> Flows[NDArray[Any]]: ...
    @overload
    def video(self, source: Iterable[Tensor], **part: Unpack[Part]) -> Flows[Tensor]: ...
    def video(self, source: Any, **part: Unpack[Part]) -> Flows[Any]:
        """Yields the flow of a video, an image folder or a numbered pattern, or of frames in memory.

        Those are an array (frames, height, width, 3), a tensor (frames, 3, height, width), or any iterable of images as
        `estimate` takes them, such as a generator that a camera feeds; uint16 is shown by the range of the first. Flow
        is from frame t to t + `skip`; the next pair starts there, or at t + 1 if `sliding`; `sample_fps` takes as many
        frames per second of any video. `pad_last` repeats the last flow for the frames that begin no pair. With
        `reference`, flow is from the frame with this index, from 0, to every other; frames in memory that come before
        it are held. `start` and `end` are seconds or text as on the command line; `fps` is the rate of images and
        frames in memory, 25 by default; `deinterlace` and `video_stream` are for files. Memory does not grow with the
        length of the video, unless results are kept.

        Raises TypeError, ValueError or FlowcliError at the call, not at the first flow, where `source` is unusable.
        """
        chosen = Frames(**part)
        pairing = chosen.pairing
        if isinstance(source, str | os.PathLike):
            decoding = Decoding(chosen.deinterlace, self._levels, chosen.video_stream)
            opened = open_source(Path(source), rate=chosen.rate, selection=chosen.selection, decoding=decoding)
            try:
                pairs = parsed("reference", lambda: pairs_in(opened, pairing))
            except Exception:
                opened.close()
                raise
            return Flows(self._of_pairs(pairs, opened=opened), pairing.flows_of(opened.meta))
        try:
            iter(source)
        except TypeError as error:
            kind = type(source).__name__
            raise TypeError(f"source is a path or an iterable of frames, got {kind}") from error
        rate = chosen.rate or DEFAULT_RATE
        frames = FramesInMemory(source, rate=rate, selection=chosen.selection, levels=self._levels)
        # Not decoded ahead: the caller's code runs in the caller's thread.
        pairs = parsed("reference", lambda: pairs_of_stream(frames.frames(), pairing))
        return Flows(self._of_pairs(pairs, frames=frames), pairing.flows_of(frames))

    def _of_pairs(
        self, pairs: Iterator[FramePair], *, opened: Source | None = None, frames: FramesInMemory | None = None
    ) -> Generator[VideoResult[Any], None, None]:
        """Yields the flow of the pairs of an `opened` source, which is closed at the end, or of `frames` in memory."""
        with opened or nullcontext():
            for estimate in with_repeated(self._of_videos.estimate(pairs)):
                values = values_of([estimate], (), device=frames.device if frames else None)
                yield VideoResult(**values, pair=estimate.pair, repeated=estimate.repeated)

    def _frame(self, image: NDArray[np.uint8]) -> Frame:
        """The image as a frame, the same one for the same pixels, so that its features are kept."""
        for place, known in enumerate(self._recent):
            if same(known.image, image):
                del self._recent[place]
                break
        else:
            known = Frame(self._count, Fraction(self._count), image)
            self._count += 1
        self._recent.append(known)
        return known
