"""Groups pairs into batches, each by the plan for its frames' size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flowcli.media.frames import Frame, FramePair
    from flowcli.model.memory_plan import Plan


class Plans:
    """The plans for frames, made once for each size."""

    def __init__(self, make: Callable[[int, int], Plan]) -> None:
        self._make = make
        self._known: dict[tuple[int, ...], Plan] = {}

    def of(self, pair: FramePair) -> Plan:
        """The plan for the frames of this pair; raises DeviceError where they do not fit into memory."""
        size = pair.first.image.shape[:2]
        if size not in self._known:
            self._known[size] = self._make(*size)
        return self._known[size]


def in_batches(pairs: Iterable[FramePair], *, size: Callable[[FramePair], int]) -> Iterator[list[FramePair]]:
    """Groups consecutive pairs; a pair that does not continue the previous one starts a new group.

    `size` gives, for the first pair of a group, the largest number of pairs in it.
    """
    batch: list[FramePair] = []
    for pair in pairs:
        if batch and not pair.continues:
            yield batch
            batch = []
        batch.append(pair)
        if len(batch) == size(batch[0]):
            yield batch
            batch = []
    if batch:
        yield batch


def frames_of(batch: Iterable[FramePair]) -> list[Frame]:
    """Every frame of these pairs, once."""
    return list({frame.index: frame for pair in batch for frame in (pair.first, pair.second)}.values())
