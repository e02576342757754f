"""The flow of many pairs in one array (pairs, height, width, 2), written and read pair by pair.

It is float32, float16, or int16 in steps of 1/64 px as in KITTI's files, with -32768 where flow is unknown. What lies
beside it are its `attributes`: `unit`, `scale_factor` (px per stored unit, as in the CF conventions), `max_error` (the
largest change that storing made, in px), and `frames` and `times` (pairs, 2), the index and seconds of both frames.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.errors import SourceError
from flowcli.flow.colour import is_unknown, with_nan
from flowcli.system.files import PartFile, reported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from jaxtyping import Float
    from numpy.typing import NDArray

    Flow = Float[NDArray[np.float32], "height width 2"]

STEP = 1 / 64
UNKNOWN = -(1 << 15)
_LONGEST = (1 << 15) - 1


@dataclass(frozen=True, eq=False)
class Stack:
    """The flow of many pairs, read from disk when it is used; `attributes` are those that the file has."""

    array: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.array.shape[0])

    def __getitem__(self, number: int) -> Flow:
        """The flow of one pair in px, NaN where it is unknown."""
        stored = np.asarray(self.array[number])
        flow = stored.astype(np.float32) * np.float32(self.attributes.get("scale_factor", 1))
        if stored.dtype.kind == "i":
            flow[stored == UNKNOWN] = np.nan
        return np.ascontiguousarray(flow if flow.shape[2] == 2 else flow.transpose(1, 2, 0))

    def __iter__(self) -> Iterator[Flow]:
        return (self[number] for number in range(len(self)))

    def frames(self, number: int) -> tuple[int, int] | None:
        """The indices of the frames of one pair; None where the file does not know them."""
        known = self._of_pair("frames", number)
        return known and (int(known[0]), int(known[1]))

    def times(self, number: int) -> tuple[float, float] | None:
        """The times of the frames of one pair in seconds; None where the file does not know them."""
        return self._of_pair("times", number)

    def _of_pair(self, name: str, number: int) -> tuple[float, float] | None:
        known = self.attributes.get(name, ())
        return (known[number][0], known[number][1]) if np.shape(known) == (len(self), 2) else None


class StackFile(ABC):
    """An array of flow while it is written; it is complete under its name after `close`.

    It is float16 if `half`, int16 if `quantised` and the format has a place for the scale.
    """

    quantises = True
    part: type[PartFile] = PartFile

    def __init__(self, path: Path, *, half: bool = False, quantised: bool = False) -> None:
        kind = np.int16 if quantised and self.quantises else np.float16 if half else np.float32
        self.dtype = np.dtype(kind)
        self.size = (0, 0)
        self.error = 0.0
        self.frames: list[tuple[int, int]] = []
        self.times: list[tuple[float, float]] = []
        self.count = 0
        self._part = self.part(path)
        try:
            with reported(path):
                self.open()
        except BaseException:
            self._part.discard()
            raise

    @property
    def path(self) -> Path:
        """The path to write to."""
        return self._part.path

    def add(
        self, flow: Flow, *, frames: tuple[int, int] | None = None, times: tuple[float, float] | None = None
    ) -> None:
        """Adds one flow, and the frames that it is between; raises SourceError where its size is another."""
        if self.count and flow.shape[:2] != self.size:
            sizes = f"{flow.shape[1]} x {flow.shape[0]}, but the first is {self.size[1]} x {self.size[0]}"
            raise SourceError(f"flow number {self.count} is {sizes}", hint="an array has one size")
        self.frames += [frames] if frames else []
        self.times += [times] if times else []
        stored = self._stored(flow)
        with reported(self._part.final):
            if not self.count:
                self.size = (flow.shape[0], flow.shape[1])
                self.begin()
            self.append(stored)
        self.count += 1

    @property
    def attributes(self) -> dict[str, Any]:
        """What is stored beside the array; `frames` and `times` where all pairs are known."""
        pairs: dict[str, list[Any]] = {"frames": self.frames, "times": self.times}
        known = {name: values for name, values in pairs.items() if len(values) == self.count}
        scale = STEP if self.dtype.kind == "i" else 1.0
        return {"unit": "px", "scale_factor": scale, "max_error": self.error, **known}

    def open(self) -> None:  # noqa: B027 - a folder needs nothing
        """Opens the file."""

    @abstractmethod
    def begin(self) -> None:
        """Makes an array for flow of `size`."""

    @abstractmethod
    def append(self, stored: NDArray[Any]) -> None:
        """Writes the flow of one more pair, of `dtype`."""

    @abstractmethod
    def finish(self) -> None:
        """Writes the attributes, and closes the file."""

    @abstractmethod
    def release(self) -> None:
        """Closes the file as it is, to be removed."""

    def close(self) -> None:
        """Completes the file."""
        with reported(self._part.final):
            self.finish()
        self._part.commit()

    def finish_partial(self) -> Path | None:
        """Completes the file as `NAME.partial.EXT`; None where it is empty."""
        if not self.count:
            self.abort()
            return None
        with reported(self._part.final):
            self.finish()
        return self._part.commit_partial()

    def abort(self) -> None:
        """Removes the file."""
        # On a full disk, what is still buffered cannot be written at the end either.
        with contextlib.suppress(OSError):
            self.release()
        self._part.discard()

    def _stored(self, flow: Flow) -> NDArray[Any]:
        """Flow in the form of this file; what is too long for it is unknown, as what was unknown before."""
        if self.dtype == np.float32:
            return with_nan(flow).astype(self.dtype)
        unknown = is_unknown(flow)
        known = np.where(unknown[..., None], np.float32(0), flow)
        if self.dtype.kind == "i":
            steps = np.rint(known / np.float32(STEP))
            unknown |= (np.abs(steps) > _LONGEST).any(axis=2)
            stored = np.where(unknown[..., None], UNKNOWN, steps).astype(self.dtype)
            back = stored * np.float32(STEP)
        else:
            with np.errstate(over="ignore"):
                stored = known.astype(self.dtype)
            unknown |= ~np.isfinite(stored).all(axis=2)
            stored[unknown] = np.nan
            back = stored.astype(np.float32)
        self.error = max(self.error, float(np.abs(back - flow)[~unknown].max(initial=0)))
        return stored


def join_stacks(stacks: Iterable[Stack], path: Path, open_file: type[StackFile]) -> None:
    """Concatenates arrays of several files in the form of the first; nothing is rounded again.

    Each is taken when the one before is done: a long video has more parts than files may be open.
    """
    stacks = iter(stacks)
    first = next(stacks)
    dtype = first.array.dtype
    whole = open_file(path, half=dtype == np.float16, quantised=dtype == np.int16)
    try:
        for stack in chain([first], stacks):
            for number, flow in enumerate(stack):
                whole.add(flow, frames=stack.frames(number), times=stack.times(number))
            whole.error = max(whole.error, float(stack.attributes.get("max_error", 0)))
        whole.close()
    except BaseException:
        whole.abort()
        raise
