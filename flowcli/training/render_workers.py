"""Training pairs rendered by worker processes during training, and kept in the memory of the training device."""

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
"""The number of pairs that a worker renders at a time."""
MIN_PAIRS = 512
"""The number of pairs in the pool before any is drawn."""


def bytes_of_pair(size: tuple[int, int]) -> int:
    """The memory of one pair in bytes: two frames, flow in float16 and visibility."""
    return (6 + 4 + 1) * math.prod(size)


class FreshPool:
    """A pool of the latest pairs, whose oldest are replaced as `workers` processes render new ones.

    Pairs enter in the order of their numbers, which alone decide their content; which pairs are in the pool at a step
    depends on the workers' speed. The workers run within the pool's context.
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
        """`render(count, seed)` renders scenes of `size` (height, width) on the CPU; the first seed is `begin`."""
        capacity = max(capacity - capacity % PAIRS_AT_ONCE, PAIRS_AT_ONCE)
        self.min_pairs = min(MIN_PAIRS, capacity)
        self.frames = torch.empty(capacity, 6, *size, dtype=torch.uint8, device=device)
        self.flow = torch.empty(capacity, 2, *size, dtype=torch.float16, device=device)
        self.visible = torch.empty(capacity, *size, dtype=torch.bool, device=device)
        self.rendered = 0
        """The number of pairs that entered the pool so far."""
        self._failure: Exception | None = None
        self._lock = Lock()
        self._open = True
        self._thread = Thread(target=self._fill, args=(render, workers, begin), name="flowcli-render", daemon=True)

    def __enter__(self) -> Self:
        """Starts the workers."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the workers."""
        self._open = False
        self._thread.join()

    @property
    def ready(self) -> int:
        """The number of pairs that can be drawn; waits for the first ones, and raises the error of a failed worker."""
        while self.rendered < self.min_pairs and self._failure is None:
            time.sleep(0.05)
        if self._failure is not None:
            raise self._failure
        return min(self.rendered, len(self.frames))

    def read(self, places: Sequence[int]) -> Scenes:
        """The pairs at these places, each below `ready`."""
        index = torch.tensor(places, device=self.frames.device)
        # A pair must not be replaced while it is copied.
        with self._lock:
            frames, flow, visible = self.frames[index], self.flow[index], self.visible[index]
        return Scenes(frames[:, :3], frames[:, 3:], flow.float(), visible)

    def _fill(self, render: Render, workers: int, begin: int) -> None:
        """Renders pairs into the pool until it is closed or a worker fails."""
        try:
            # Spawned: CUDA and threads do not work in forked processes.
            with ProcessPoolExecutor(workers, get_context("spawn"), init_render_worker, (render,)) as processes:
                waiting: deque[Future[Stored]] = deque()
                numbers = count(begin, PAIRS_AT_ONCE)
                while self._open:
                    while len(waiting) < 2 * workers:
                        waiting.append(processes.submit(render_in_worker, next(numbers)))
                    self._store(waiting.popleft().result())
                for future in waiting:
                    future.cancel()
        except BrokenProcessPool:
            hint = "use fewer --renderers, which take less memory, and run the same command again"
            self._failure = PartialError("a render worker died", hint=hint)
        except Exception as error:
            self._failure = error

    def _store(self, pairs: Stored) -> None:
        """Replaces the oldest pairs."""
        start = self.rendered % len(self.frames)
        new = [torch.from_numpy(values) for values in pairs]
        if self.frames.is_cuda:
            # Only copies from pinned memory are asynchronous.
            new = [values.pin_memory() for values in new]
        with self._lock:
            for kept, values in zip((self.frames, self.flow, self.visible), new, strict=True):
                kept[start : start + PAIRS_AT_ONCE].copy_(values, non_blocking=True)
        self.rendered += PAIRS_AT_ONCE


class _Worker:
    """The state of a worker process."""

    render: Render


def init_render_worker(render: Render) -> None:
    """Initialises a worker process; the textures in `render` arrive in shared memory."""
    init_worker()
    torch.set_num_threads(1)
    _Worker.render = staticmethod(render)


def render_in_worker(number: int) -> Stored:
    """Renders pairs `number` to `number` + `PAIRS_AT_ONCE` − 1 in a worker process, as they are stored."""
    scenes = _Worker.render(PAIRS_AT_ONCE, number)
    frames = torch.cat([scenes.first, scenes.second], dim=1)
    return frames.numpy(), scenes.flow.half().numpy(), scenes.visible.numpy()
