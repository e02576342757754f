"""A base class for parameters of many scenes as tensors, and a random number generator for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batched:
    """Base of dataclasses of scene parameters; every field is a tensor (scenes, ...) or another `Batched`."""

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same parameters with `change` applied to every tensor."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: v.map(change) if isinstance(v, Batched) else change(v) for name, v in values.items()}
        return replace(self, **changed)

    def scenes(self, start: int, stop: int) -> Self:
        """The parameters of scenes `start` to `stop` − 1 (the first axis)."""
        return self.map(lambda tensor: tensor[start:stop])

    def layer(self, index: int) -> Self:
        """The parameters of one layer (the second axis) of every scene."""
        return self.map(lambda tensor: tensor[:, index])

    def to(self, device: torch.device) -> Self:
        """The parameters on `device`, floating-point ones in float32."""
        return self.map(lambda t: (t.float() if t.is_floating_point() else t).to(device))


class Dice:
    """A generator of random tensors on the CPU from a seed."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform values between `low` and `high`."""
        return low + (high - low) * torch.rand(shape, generator=self._generator, dtype=torch.float64)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Values between `low` and `high` whose logarithm is uniform."""
        return (high / low) ** self.uniform(0, 1, *shape) * low

    def normal(self, scale: float, *shape: int) -> Tensor:
        """Gaussian values of mean 0 and standard deviation `scale`."""
        return scale * torch.randn(shape, generator=self._generator, dtype=torch.float64)

    def heavy(self, scale: float, power: float, *shape: int) -> Tensor:
        """Heavy-tailed values: standard Gaussian ones raised to `power` with their sign, times `scale`."""
        value = self.normal(1, *shape)
        return value.sign() * value.abs() ** power * scale

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with the given probability."""
        return self.uniform(0, 1, *shape) < probability

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform integers from `low` to `high`, both included."""
        return torch.randint(low, high + 1, shape, generator=self._generator)
