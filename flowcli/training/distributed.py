"""Data-parallel training in several processes started by `torchrun`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from torch import Tensor


LONGEST_WAIT = timedelta(weeks=1)
"""How long processes wait for another, which may validate; PyTorch's half an hour is too short for a data set.

`torchrun` ends them at once if one of them fails.
"""


@dataclass(frozen=True)
class Group:
    """The processes of one run: the rank of this one and their number. With one process, no method communicates."""

    rank: int = 0
    size: int = 1

    @classmethod
    def from_environment(cls) -> Group:
        """The group in the environment variables of `torchrun`; without them, a group of one process."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    @property
    def leads(self) -> bool:
        """Whether this process writes files and progress for all."""
        return self.rank == 0

    def shard(self, count: int) -> range:
        """The numbers of the parts, of `count` equal ones, that this process computes."""
        return range(self.rank, count, self.size)

    def sum_up(self, tensors: Iterable[Tensor]) -> None:
        """Replaces every tensor by its sum over all processes, in one all-reduce."""
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
        """Joins the group, each process of a machine with a GPU of its own; waits for the other processes."""
        if self.size > 1:
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", self.rank)) % torch.cuda.device_count())
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            distributed.init_process_group(backend, timeout=LONGEST_WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the group."""
        if self.size > 1:
            distributed.destroy_process_group()
