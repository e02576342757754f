"""Training pairs rendered by other processes while a GPU trains, and kept on it."""

from __future__ import annotations

import signal
import sys
import time
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Self

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from flowcli.synthesis import Scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

PAIRS_AT_ONCE = 4
FEWEST = 512
"""How many pairs there are before any is drawn."""


class FreshPool:
    """The latest pairs, drawn from while `workers` processes render the next: the oldest make room for them.

    Which pairs are there at a step depends on how fast processes are; what a pair shows, on its number only. Use it as
    a context, within which the processes run.
    """

    def __init__(
        self,
        render: Callable[[int, int], Scenes],
        *,
        size: tuple[int, int],
        capacity: int,
        workers: int,
        begin: int,
        device: torch.device,
    ) -> None:
        """`render(count, seed)` makes scenes of `size` on the CPU, beginning with number `begin`."""
        capacity -= capacity % PAIRS_AT_ONCE
        self.fewest = min(FEWEST, capacity)
        self.frames = torch.empty(capacity, 6, *size, dtype=torch.uint8, device=device)
        self.flow = torch.empty(capacity, 2, *size, dtype=torch.float16, device=device)
        self.visible = torch.empty(capacity, *size, dtype=torch.bool, device=device)
        self.rendered = 0
        """Pairs that came so far."""
        self.failure: Exception | None = None
        self._open = False
        self._loader = DataLoader(
            Rendering(render, begin),
            batch_size=None,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            worker_init_fn=ignore_interrupts,
            # Elsewhere every process reads its own textures.
            multiprocessing_context="fork" if sys.platform == "linux" else None,
        )
        self._thread = Thread(target=self._fill, name="flowcli-render", daemon=True)

    def __enter__(self) -> Self:
        """Starts the processes."""
        self._open = True
        self._batches = iter(self._loader)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends them."""
        self._open = False
        self._thread.join()
        del self._batches

    @property
    def ready(self) -> int:
        """How many pairs can be drawn; waits for the first ones, and raises what went wrong in a process."""
        while self.rendered < self.fewest and self.failure is None:
            time.sleep(0.05)
        if self.failure is not None:
            raise self.failure
        return min(self.rendered, len(self.frames))

    def read(self, places: Sequence[int]) -> Scenes:
        """The pairs at these places, each below `ready`."""
        index = torch.tensor(places, device=self.frames.device)
        frames = self.frames[index]
        return Scenes(frames[:, :3], frames[:, 3:], self.flow[index].float(), self.visible[index])

    def _fill(self) -> None:
        """Puts what comes in the place of the oldest."""
        try:
            while self._open:
                start = self.rendered % len(self.frames)
                place = slice(start, start + PAIRS_AT_ONCE)
                for kept, new in zip((self.frames, self.flow, self.visible), next(self._batches), strict=True):
                    kept[place].copy_(new, non_blocking=True)
                self.rendered += PAIRS_AT_ONCE
        except Exception as error:
            self.failure = error


def ignore_interrupts(_: int) -> None:
    """Leaves it to the process that trains to end on Ctrl-C, which reaches all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Rendering(IterableDataset[tuple["Tensor", "Tensor", "Tensor"]]):
    """Endless pairs, of which each of several processes renders its share."""

    def __init__(self, render: Callable[[int, int], Scenes], begin: int) -> None:
        self.render = render
        self.begin = begin

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Frames, flow and visibility of a few pairs at a time, as they are stored."""
        worker = get_worker_info()
        turns = count() if worker is None else count(worker.id, worker.num_workers)
        for turn in turns:
            scenes = self.render(PAIRS_AT_ONCE, self.begin + turn * PAIRS_AT_ONCE)
            yield torch.cat([scenes.first, scenes.second], dim=1), scenes.flow.half(), scenes.visible
