"""Several computations at the same time on a CPU, each with its share of the cores.

RAFT's convolutions on one pair of frames use two cores at a seventh less than twice the speed of one, some operations
not at all; two pairs at the same time use both entirely.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import torch

from flowcli.model.device import autocast
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Value = TypeVar("Value")
    Result = TypeVar("Result")

CPU = torch.device("cpu")


def on_cores(
    compute: Callable[[Value], Result], values: Iterable[Value], *, at_once: int, threads_each: int
) -> list[Result]:
    """`compute` of every value, `at_once` at the same time in as many threads, in the caller's torch modes.

    Each has the same number of OpenMP threads, on which rounding depends: results are the same however many `values`
    there are, and however many of them are computed at once.
    """
    inference = torch.is_inference_mode_enabled()
    precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32

    def in_thread(value: Value) -> Result:
        # Threads of Python have OpenMP settings and torch modes of their own.
        torch.set_num_threads(threads_each)
        with torch.inference_mode(inference), autocast(CPU, precision):
            return compute(value)

    with threads_of(threads_each):
        if at_once == 1:
            return [compute(value) for value in values]
        with ThreadPoolExecutor(at_once) as pool:
            # Each in a copy of the caller's context, where `direct_convolutions` is remembered.
            calls = [(copy_context(), value) for value in values]
            return list(pool.map(lambda call: call[0].run(in_thread, call[1]), calls))


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    """Torch and OpenCV compute with `count` threads inside, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with OPENCV_THREADS.of(count):
            yield
    finally:
        torch.set_num_threads(before)


@dataclass(eq=False)
class OpenCVThreads:
    """OpenCV's number of threads, of which a process has one: the last of several users at once restores it."""

    users: int = 0
    before: int = 0
    lock: Lock = field(default_factory=Lock)

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """OpenCV computes with `count` threads inside, or with those of a user who came later."""
        with self.lock:
            self.before = self.before if self.users else cv2.getNumThreads()
            self.users += 1
            cv2.setNumThreads(count)
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if not self.users:
                    cv2.setNumThreads(self.before)


OPENCV_THREADS = OpenCVThreads()
