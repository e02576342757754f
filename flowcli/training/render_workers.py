"""Training pairs rendered by other processes while a GPU trains, and kept on it."""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import count
from multiprocessing import get_context
from threading import Lock, Thread
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from flowcli.errors import PartialError
from flowcli.system.processes import init_worker
from flowcli.training.synthesis import Scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Bool, Float, UInt8
    from numpy.typing import NDArray

    Render = Callable[[int, int], Scenes]
    Stored = tuple[
        UInt8[NDArray[np.uint8], "pairs 6 height width"],
        Float[NDArray[np.float16], "pairs 2 height width"],
        Bool[NDArray[np.bool_], "pairs height width"],
    ]

PAIRS_AT_ONCE = 4
FEWEST = 512
"""How many pairs there are before any is drawn."""


def bytes_of_pair(size: tuple[int, int]) -> int:
    """What a pair takes in memory: two frames, flow in float16 and visibility."""
    return (6 + 4 + 1) * math.prod(size)


class FreshPool:
    """The latest pairs, drawn from while `workers` processes render the next: the oldest make room for them.

    Pairs come in the order of their numbers, which alone decide what they show; how many are there at a step depends on
    how fast the processes are. Use it as a context, within which they run.
    """

    def __init__(
        self,
        render: Render,
        *,
        size: tuple[int, int],
        capacity: int,
        workers: int,
        begin: int,
        device: torch.device,
    ) -> None:
        """`render(count, seed)` makes scenes of `size` (height, width) on the CPU, beginning with number `begin`."""
        capacity = max(capacity - capacity % PAIRS_AT_ONCE, PAIRS_AT_ONCE)
        self.fewest = min(FEWEST, capacity)
        self.frames = torch.empty(capacity, 6, *size, dtype=torch.uint8, device=device)
        self.flow = torch.empty(capacity, 2, *size, dtype=torch.float16, device=device)
        self.visible = torch.empty(capacity, *size, dtype=torch.bool, device=device)
        self.rendered = 0
        """Pairs that came so far."""
        self._failure: Exception | None = None
        self._lock = Lock()
        self._open = True
        self._thread = Thread(target=self._fill, args=(render, workers, begin), name="flowcli-render", daemon=True)

    def __enter__(self) -> Self:
        """Starts the processes."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends them."""
        self._open = False
        self._thread.join()

    @property
    def ready(self) -> int:
        """How many pairs can be drawn; waits for the first ones, and raises what went wrong in a process."""
        while self.rendered < self.fewest and self._failure is None:
            time.sleep(0.05)
        if self._failure is not None:
            raise self._failure
        return min(self.rendered, len(self.frames))

    def read(self, places: Sequence[int]) -> Scenes:
        """The pairs at these places, each below `ready`."""
        index = torch.tensor(places, device=self.frames.device)
        # A pair that is replaced meanwhile must not be half of one and half of the other.
        with self._lock:
            frames, flow, visible = self.frames[index], self.flow[index], self.visible[index]
        return Scenes(frames[:, :3], frames[:, 3:], flow.float(), visible)

    def _fill(self, render: Render, workers: int, begin: int) -> None:
        """Has pairs rendered and takes them in, until the pool is closed or fails."""
        try:
            # Not forked: neither CUDA nor threads survive that.
            with ProcessPoolExecutor(workers, get_context("spawn"), begin_rendering, (render,)) as processes:
                coming: deque[Future[Stored]] = deque()
                numbers = count(begin, PAIRS_AT_ONCE)
                while self._open:
                    while len(coming) < 2 * workers:
                        coming.append(processes.submit(render_there, next(numbers)))
                    self._take_in(coming.popleft().result())
                for future in coming:
                    future.cancel()
        except BrokenProcessPool:
            self._failure = PartialError(
                "a process that renders pairs died", hint="give fewer --renderers, which take less memory, and go on"
            )
        except Exception as error:
            self._failure = error

    def _take_in(self, pairs: Stored) -> None:
        """Puts pairs in the place of the oldest."""
        start = self.rendered % len(self.frames)
        new = [torch.from_numpy(values) for values in pairs]
        if self.frames.is_cuda:
            # From pinned memory, a GPU takes them when it comes to it.
            new = [values.pin_memory() for values in new]
        with self._lock:
            for kept, values in zip((self.frames, self.flow, self.visible), new, strict=True):
                kept[start : start + PAIRS_AT_ONCE].copy_(values, non_blocking=True)
        self.rendered += PAIRS_AT_ONCE


class _Process:
    """What a process renders with; set in its own memory."""

    render: Render


def begin_rendering(render: Render) -> None:
    """Readies a process; the pictures in `render` come in memory that all share."""
    init_worker()
    torch.set_num_threads(1)
    _Process.render = staticmethod(render)


def render_there(number: int) -> Stored:
    """A few pairs, as they are stored."""
    scenes = _Process.render(PAIRS_AT_ONCE, number)
    frames = torch.cat([scenes.first, scenes.second], dim=1)
    return frames.numpy(), scenes.flow.half().numpy(), scenes.visible.numpy()
