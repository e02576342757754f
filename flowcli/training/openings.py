"""How the updates of a training batch begin: at zero or at earlier flow, and after how many updates the loss begins."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from raft_core.raft import Context, last
from raft_core.upsample import FACTOR
from raft_core.warm_start import carry_forward

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float, Int
    from torch import Generator, Tensor

    from flowcli.training.recipes import Stage
    from raft_core.raft import RAFT, EncodedPair

CARRIED_UPDATES = 5
"""The number of updates that compute the flow which is carried to the start of a pair."""
RUN_IN_STEP = 4
"""Run-ins are multiples of this, as a CUDA graph is captured for each."""
# The shares of the kinds of start in a batch that has starts; the remaining pairs start with noise alone.
FAITHFUL, CHANGED, BORROWED, ZERO = 0.55, 0.15, 0.12, 0.08
CHANGES = (-1.0, -0.5, 0.5, 2.0)
"""The factors by which the motion of a `CHANGED` start is wrong: it reverses, slows down, speeds up."""


@dataclass(frozen=True, eq=False)
class Starts:
    """The starts of a batch: `factor` times the carried flow of the pairs `source`, plus `noise` (1/8 grid)."""

    source: Int[Tensor, " batch"]
    factor: Float[Tensor, "batch 1 1 1"]
    noise: Float[Tensor, "batch 2 rows columns"]

    def to(self, device: torch.device, *, copy: bool = False) -> Self:
        """The starts on another device."""
        return replace(self, **{part.name: getattr(self, part.name).to(device, copy=copy) for part in fields(self)})


@dataclass(frozen=True, eq=False)
class Opening:
    """`run_in` updates without gradient precede those of the loss; without `starts` the first begins at zero."""

    run_in: int = 0
    starts: Starts | None = None

    def to(self, device: torch.device, *, copy: bool = False) -> Self:
        """The opening on another device."""
        return replace(self, starts=self.starts and self.starts.to(device, copy=copy))


COLD = Opening()


def draw_opening(stage: Stage, number: int, *, seed: int) -> Opening:
    """The opening of batch `number`: half of them have up to the stage's `run_in` updates, and its share has starts."""
    # Not the seed of the batch itself, whose random numbers would be the same.
    generator = torch.Generator().manual_seed((seed + 1) * 1_000_003 + number)
    longer = torch.rand((), generator=generator) < 0.5
    most = stage.run_in // RUN_IN_STEP
    run_in = RUN_IN_STEP * int(torch.randint(1, most + 1, (), generator=generator)) if most and longer else 0
    warm = bool(torch.rand((), generator=generator) < stage.starts)
    return Opening(run_in, draw_starts(stage.batch, stage.crop, generator) if warm else None)


def draw_starts(batch: int, crop: tuple[int, int], generator: Generator) -> Starts:
    """Starts as video gives them, mostly good: motion that goes on, changes, belongs to another shot, or is unknown."""
    kind = torch.rand(batch, generator=generator)
    goes_on = torch.exp2(0.3 * torch.randn(batch, generator=generator))
    changes = torch.tensor(CHANGES)[torch.randint(len(CHANGES), (batch,), generator=generator)]
    changed, borrowed = kind - FAITHFUL, kind - FAITHFUL - CHANGED
    factor = torch.where(changed < 0, goes_on, torch.where(borrowed < 0, changes, 1.0))
    factor = torch.where(borrowed < BORROWED, factor, 0.0)
    source = torch.arange(batch)
    other = (source + torch.randint(1, max(batch, 2), (batch,), generator=generator)) % batch
    source = torch.where((borrowed >= 0) & (borrowed < BORROWED), other, source)
    rows, columns = (side // FACTOR for side in crop)
    cells = int(torch.randint(2, 9, (), generator=generator))
    rough = interpolate(torch.randn(batch, 2, cells, cells, generator=generator), (rows, columns), mode="bilinear")
    strength = 0.02 * 100 ** torch.rand(batch, generator=generator)  # 0.02 to 2 cells
    unknown = borrowed >= BORROWED + ZERO
    noisy = torch.where(unknown, 2 * strength, strength * (torch.rand(batch, generator=generator) < 0.3))
    noisy = torch.where((borrowed >= BORROWED) & ~unknown, 0.0, noisy)
    return Starts(source, factor[:, None, None, None], noisy[:, None, None, None] * rough)


def start_flow(
    model: RAFT, begun: EncodedPair, second: Float[Tensor, "batch 3 height width"], starts: Starts
) -> Float[Tensor, "batch 2 rows columns"]:
    """The initial flow (1/8 grid) of every pair; to be called without gradients.

    A pair has no frame before it, so the flow from its second frame to the first takes the place of the earlier pair's,
    with time reversed: each vector moves to where it points, and its negative is the flow that goes on from there. It
    has the model's own errors, and gaps where carried flow has them.
    """
    updates = model.updates(begun.correlation.transposed(), model.read_context(second))
    backward = last(updates, CARRIED_UPDATES).flow
    return starts.factor * carry_forward(-backward, scale=-1)[starts.source] + starts.noise


def begin_updates(
    model: RAFT, begun: EncodedPair, second: Float[Tensor, "batch 3 height width"], opening: Opening
) -> tuple[Context, Float[Tensor, "batch 2 rows columns"] | None]:
    """The context and initial flow of the updates of the loss."""
    context, flow = begun.context, None
    device = second.device.type
    # Autocast would keep weights that it converts here, for the updates of the loss too, which need their gradients.
    with (
        torch.no_grad(),
        torch.autocast(
            device,
            dtype=torch.get_autocast_dtype(device),
            enabled=torch.is_autocast_enabled(device),
            cache_enabled=False,
        ),
    ):
        if opening.starts is not None:
            flow = start_flow(model, begun, second, opening.starts)
        if opening.run_in:
            update = last(model.updates(begun.correlation, context, initial_flow=flow), opening.run_in)
            context, flow = Context(update.hidden, context.context), update.flow
    return context, flow
