"""A dataclass of tensors that share their leading axes: cut it, and move it, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batched:
    """Base of parameters drawn for many scenes at once; every field is a tensor or another `Batched`."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same parameters with `change` applied to every tensor."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: v.map(change) if isinstance(v, Batched) else change(v) for name, v in values.items()}
        return replace(self, **changed)

    def scenes(self, start: int, stop: int) -> Self:
        """The parameters of scenes `start` to `stop` (the first axis)."""
        return self.map(lambda tensor: tensor[start:stop])

    def layer(self, index: int) -> Self:
        """The parameters of one layer (the second axis) of every scene."""
        return self.map(lambda tensor: tensor[:, index])

    def to(self, device: torch.device) -> Self:
        """The parameters on `device`, in single precision."""
        return self.map(lambda t: (t.float() if t.is_floating_point() else t).to(device))


class Dice:
    """Random tensors of one leading shape, from a seed, on the CPU: the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Evenly between `low` and `high`."""
        return low + (high - low) * torch.rand(shape, generator=self._generator, dtype=torch.float64)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """As many between 1 and 2 as between 2 and 4."""
        return (high / low) ** self.uniform(0, 1, *shape) * low

    def normal(self, scale: float, *shape: int) -> Tensor:
        """Gaussian of standard deviation `scale`."""
        return scale * torch.randn(shape, generator=self._generator, dtype=torch.float64)

    def heavy(self, scale: float, power: float, *shape: int) -> Tensor:
        """Many tiny values, few large ones: a Gaussian raised to `power`, sign kept."""
        value = self.normal(1, *shape)
        return value.sign() * value.abs() ** power * scale

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with the given probability."""
        return self.uniform(0, 1, *shape) < probability

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high`, both included."""
        return torch.randint(low, high + 1, shape, generator=self._generator)
