"""Training of the learned refiner, on the flow that a frozen RAFT finds between generated frames."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.evaluation.summary import evaluate
from flowcli.model.estimator import estimator_for
from flowcli.model.first_look import FirstLook, first_updates
from flowcli.model.refinement import LEARNED, Refinement
from flowcli.model.resize import grey_on
from flowcli.training.augmentation.generated import augment
from raft_core.grid import resize_flow
from raft_core.images import to_model_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

    from flowcli.evaluation.datasets import FlowItem
    from flowcli.model.refiner import Flow, Plane, Refiner
    from flowcli.model.settings import Settings
    from flowcli.training.openings import Opening
    from flowcli.training.recipes import Recipe, Stage
    from flowcli.training.synthesis import Scenes
    from raft_core.raft import RAFT

SHARD = 64
"""The number of crops in one file of the pool."""
TOGETHER = 4
"""How many crops are rendered together."""
UPDATES = (2, 4, 8)
"""RAFT's numbers of updates before refinement, in turn."""
REFINEMENTS = (LEARNED.passes, (6, 0), (3, 1))
"""The passes before the network, in turn: by default, those of fast, and of best."""
FIRST_LOOKS = 3
"""Of so many times in turn, calm pairs begin with a first look in all but one."""
POOL_START, POOL_GROWTH = 256, 1
"""The first batch is drawn from so many crops, each further one from so many more."""
KNOWN = 1e-4
"""Keeps the gradient of a vanishing error finite, in squared px."""


@dataclass(frozen=True, eq=False)
class RefinerBatch:
    """Crops in grey values from 0 to 255, RAFT's flow, the same after variational passes, and the true one, in px."""

    first: Plane
    second: Plane
    before: Flow
    refined: Flow
    flow: Flow


class RefinerPool:
    """Crops numbered from 0, in files of `SHARD`; a missing file is made when one of its crops is read.

    A crop is a function of its number, of the recipe and of `raft`.
    """

    def __init__(self, folder: Path, render: Callable[[int, int], Scenes], raft: RAFT, recipe: Recipe) -> None:
        """`render(count, seed)` renders scenes; `folder` is created if it is missing."""
        self.folder = folder
        self.render = render
        self.raft = raft
        self.recipe = recipe
        folder.mkdir(parents=True, exist_ok=True)

    def draw(self, number: int, stage: Stage) -> RefinerBatch:
        """The batch of this number: crops of the part of the pool that has grown so far, mirrored and transposed."""
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + number)
        available = min(POOL_START + POOL_GROWTH * number, self.recipe.pool_pairs)
        crops = [self.read(n) for n in torch.randint(available, (stage.batch,), generator=generator).tolist()]
        batch = {name: torch.cat([crop[name] for crop in crops]) for name in crops[0]}
        across, down, transposed = (torch.rand(3, generator=generator) < 0.5).tolist()
        return RefinerBatch(**{name: turned(x, across, down, transposed) for name, x in batch.items()})

    def read(self, number: int) -> dict[str, Tensor]:
        """The crop of this number, as the fields of a batch of one."""
        path = self.folder / f"{number // SHARD:05d}.pt"
        if not path.exists():
            self.write(number // SHARD, path)
        crops = torch.load(path, mmap=True, weights_only=True)
        at = number % SHARD
        return {field.name: crops[field.name][at : at + 1].clone() for field in fields(RefinerBatch)}

    def write(self, shard: int, path: Path) -> None:
        """Makes the crops of one file, which appears complete or not at all."""
        parts = [self.make(shard * SHARD + start) for start in range(0, SHARD, TOGETHER)]
        names = [field.name for field in fields(RefinerBatch)]
        part = path.with_name(f".{path.stem}.{os.getpid()}.part")
        torch.save({name: torch.cat([getattr(batch, name) for batch in parts]) for name in names}, part)
        part.replace(path)

    @torch.inference_mode()
    def make(self, number: int) -> RefinerBatch:
        """The crops from `number` on that are rendered together."""
        scenes = self.render(TOGETHER, number)
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + number)
        batch = augment(
            scenes.first,
            scenes.second,
            scenes.flow,
            scenes.visible,
            crop=self.recipe.stages[0].crop,
            settings=self.recipe.augmentation,
            generator=generator,
        )
        turn = number // TOGETHER
        iterations = UPDATES[turn % len(UPDATES)]
        device = next(self.raft.parameters()).device
        images = [to_model_range(frames.to(device)) for frames in (batch.first, batch.second)]
        before = self.raft.estimate(*images, iterations=iterations).upsampled().cpu()
        first, second = grey(batch.first), grey(batch.second)
        passes = REFINEMENTS[turn // len(UPDATES) % len(REFINEMENTS)]
        refined = Refinement(passes=passes).apply(first, second, before)
        if turn % FIRST_LOOKS:
            looked, converged = self.look_first(batch.first, batch.second)
            passed = Refinement(passes=FirstLook().full.passes).apply(first, second, looked)
            calm = torch.tensor(converged)[:, None, None, None]
            before, refined = torch.where(calm, looked, before), torch.where(calm, passed, refined)
        return RefinerBatch(first, second, before, refined, batch.flow)

    def look_first(self, first: Tensor, second: Tensor) -> tuple[Flow, list[bool]]:
        """The flow that the full size gets from a first look at half the size, and for which pairs it is used."""
        height, width = first.shape[-2:]
        halves = [F.avg_pool2d(frames.float(), 2).round().byte() for frames in (first, second)]
        device = next(self.raft.parameters()).device
        encoded = self.raft.begin(*(to_model_range(frames.to(device)) for frames in halves))
        final, _, converged = first_updates(self.raft.updates(encoded.correlation, encoded.context))
        flow = FirstLook().small.apply(grey(halves[0]), grey(halves[1]), final.upsampled().cpu())
        return resize_flow(flow, height=height, width=width), converged


def grey(frames: Tensor) -> Plane:
    """RGB frames (batch, 3, height, width) in grey values from 0 to 255, as refinement gets them."""
    images = frames.permute(0, 2, 3, 1).contiguous().numpy()
    return torch.cat([grey_on(torch.device("cpu"), image, image.shape[:2]) for image in images])


def turned(x: Tensor, across: bool, down: bool, transposed: bool) -> Tensor:
    """Planes or flow (2 channels), mirrored along the x axis, the y axis and the diagonal where each is true."""
    signs = x.new_tensor([-1 if across else 1, -1 if down else 1])[:, None, None]
    x = x.flip([axis for axis, mirrored in ((-1, across), (-2, down)) if mirrored])
    is_flow = x.shape[1] == 2
    x = x * signs if is_flow else x
    if transposed:
        x = (x.flip(1) if is_flow else x).transpose(-1, -2)
    return x.contiguous()


def learn_to_refine(
    model: Refiner, batch: RefinerBatch, stage: Stage, _: Opening, *, device: torch.device
) -> Float[Tensor, " 2"]:
    """Adds one part's contribution to the gradients; returns its contributions to the step's loss and to its EPE."""
    part = {field.name: getattr(batch, field.name).to(device) for field in fields(batch)}
    flow = model(part["first"], part["second"], part["refined"], before=part["before"])
    valid = part["flow"].abs().amax(dim=1) < stage.max_flow
    distance = ((flow - part["flow"]).square().sum(dim=1) + KNOWN).sqrt()
    loss = torch.where(valid, distance**stage.power, 0.0).sum() / valid.sum() / stage.parts
    loss.backward()
    with torch.no_grad():
        error = torch.where(valid, distance, 0.0).sum() / valid.sum() / stage.parts
    return torch.stack([loss.detach(), error])


@dataclass(frozen=True)
class Trial(Refinement):
    """Refinement by a network that is not embedded."""

    network: Refiner | None = None

    def refiner(self, device: torch.device) -> Refiner:
        """The network."""
        return super().refiner(device) if self.network is None else self.network


def tried(refinement: Refinement, network: Refiner) -> Trial:
    """The same refinement by this network."""
    return Trial(**vars(refinement), network=network)


def validate_refiner(
    refiner: Refiner,
    raft: RAFT,
    items: Iterable[FlowItem],
    *,
    device: torch.device,
    settings: Settings | None = None,
) -> dict[str, float]:
    """The mean endpoint error in px of every group of items, and of all (`mean`), by default but for the network."""
    estimator = estimator_for(raft, device=str(device), settings=settings)
    looks = FirstLook(tried(FirstLook().small, refiner), tried(FirstLook().full, refiner))
    estimator.settings = replace(estimator.settings, refinement=tried(LEARNED, refiner), first_look=looks)
    report = evaluate(items, estimator.flow_between)
    return {**{name: scores.epe for name, scores in report.groups.items()}, "mean": report.mean.epe}
