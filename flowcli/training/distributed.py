"""Training in several processes at once, as `torchrun` starts them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from torch import Tensor


@dataclass(frozen=True)
class Group:
    """The processes of one run: this one's number and how many there are. Alone, every exchange does nothing."""

    rank: int = 0
    size: int = 1

    @classmethod
    def from_environment(cls) -> Group:
        """The group that `torchrun` describes, joined on entering; a process that was started otherwise is alone."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def leads(self) -> bool:
        """Whether this process writes and reports for all."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` equal parts of the work are this process's."""
        return range(self.rank, count, self.size)

    def sum_up(self, tensors: Iterable[Tensor]) -> None:
        """Replaces every tensor with its sum over all processes, in one exchange."""
        if self.size == 1:
            return
        tensors = list(tensors)
        together = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(together)
        totals = torch.split(together, [tensor.numel() for tensor in tensors])
        for tensor, total in zip(tensors, totals, strict=True):
            tensor.copy_(total.view_as(tensor))

    def largest(self, number: int) -> int:
        """The largest of the processes' numbers."""
        if self.size == 1:
            return number
        numbers = torch.tensor(number)
        distributed.all_reduce(numbers, op=distributed.ReduceOp.MAX)
        return int(numbers)

    def __enter__(self) -> Self:
        """Waits for the others."""
        if self.size > 1:
            distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the group."""
        if self.size > 1:
            distributed.destroy_process_group()
