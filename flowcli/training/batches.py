"""Training batches from datasets, a pool of rendered pairs on disk, render workers, or a renderer in this process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from flowcli.model.device import free_bytes
from flowcli.training.augmentation.generated import AugmentedBatch, augment
from flowcli.training.dataset_batches import Mixture, read_ahead
from flowcli.training.pool import Pool
from flowcli.training.recipes import Recipe
from flowcli.training.refiner import RefinerPool
from flowcli.training.render_workers import FreshPool, bytes_of_pair
from flowcli.training.shifted_crops import shifted_crops
from flowcli.training.synthesis import TextureBank, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowcli.training.dataset_batches import Draw
    from flowcli.training.options import TrainingRun
    from flowcli.training.recipes import Stage
    from flowcli.training.synthesis import Scenes

# The first batch is drawn from so many pairs, each further one from so many more: a pair is drawn about three times.
POOL_START = 512
POOL_GROWTH_PER_BATCH = 2
FRESH_PAIRS = 16384
"""How many pairs of render workers are kept, if they fit into a third of the device's free memory."""
CORES_LEFT = 4
"""How many cores are left to the training processes by default when workers render for them."""
PAIRS_PER_PROCESS = 1 << 40
"""The distance between the first pair numbers of two training processes: more than either renders."""


@dataclass(frozen=True)
class SceneRenderer:
    """Renders scenes of the recipe's size; textures are read on first use."""

    textures: Path | None
    recipe: Recipe
    device: torch.device

    @cached_property
    def bank(self) -> TextureBank:
        """The textures of the scenes."""
        if self.textures is None:
            return TextureBank.procedural(seed=self.recipe.seed, device=self.device)
        return TextureBank.from_folder(self.textures, device=self.device)

    def __call__(self, count: int, seed: int) -> Scenes:
        """Renders `count` scenes, a pure function of the arguments, recipe and textures."""
        height, width = self.recipe.render_size
        return render(self.bank, count=count, height=height, width=width, seed=self.recipe.seed * 1_000_003 + seed)


@contextmanager
def open_batches(run: TrainingRun) -> Iterator[Callable[[int, Stage], Any]]:
    """The function that draws a run's batches, within a context in which its render workers run."""
    recipe, options = run.recipe, run.options
    if recipe.data:
        mixture = Mixture(recipe, options.data)
        yield prefetched(mixture.draw, run, workers=options.workers) if options.workers else mixture.draw
        return
    render = SceneRenderer(options.textures, recipe, torch.device("cpu"))
    if run.raft is not None:
        yield RefinerPool(run.folder.path / "pool", render, run.raft, recipe).draw
        return
    workers = options.renderers
    if workers is None:
        workers = 0 if recipe.pool_pairs else max(1, ((os.cpu_count() or 1) - CORES_LEFT) // run.group.size)
    if workers:
        with fresh_pool(render, run, workers=workers) as pool:
            yield prefetched(draw_from_pool(pool.read, recipe, ready=lambda _: pool.ready), run, workers=1)
    elif recipe.pool_pairs:
        yield draw_from_pool(Pool(run.folder.path / "pool", render).read, recipe)
    else:
        yield draw_rendered(SceneRenderer(options.textures, recipe, run.device), recipe)


def fresh_pool(render: SceneRenderer, run: TrainingRun, *, workers: int) -> FreshPool:
    """A pool in the memory of the device, with pairs of other numbers than those of the run's other processes."""
    render.bank  # noqa: B018 - reads the textures once, before they are shared with the workers
    free = free_bytes(run.device)
    room = FRESH_PAIRS if free is None else free // 3 // bytes_of_pair(render.recipe.render_size)
    return FreshPool(
        render,
        size=render.recipe.render_size,
        capacity=min(render.recipe.pool_pairs or FRESH_PAIRS, room),
        workers=workers,
        begin=run.group.rank * PAIRS_PER_PROCESS + run.state.step * render.recipe.stages[0].batch,
        device=run.device,
    )


def prefetched(draw: Draw, run: TrainingRun, *, workers: int) -> Draw:
    """A function that returns the same batches, drawn in advance by threads."""
    recipe, minutes = run.recipe, run.options.minutes

    def turns() -> Iterator[tuple[int, Stage]]:
        for step in count(run.state.step):
            due = step if minutes is None else run.state.due_step(recipe, minutes)
            if due >= recipe.steps:
                return
            stage, _ = recipe.at(due)
            # A context encoder is reinitialised by the batches of all parts, and only then is the step taken.
            renewing = range(stage.parts) if stage.renew_context and recipe.begins(step) else ()
            for part in (*renewing, *run.group.shard(stage.parts)):
                yield step * stage.parts + part, stage

    batches = read_ahead(draw, turns(), workers=workers)
    return lambda *_: next(batches)


def draw_from_pool(
    read: Callable[[list[int]], Scenes], recipe: Recipe, *, ready: Callable[[int], int] | None = None
) -> Draw:
    """A function that draws batches of a pool's pairs, augmented differently each time.

    `ready(number)` is how many pairs batch `number` may be drawn from. By default this grows with the number, which
    alone decides the batch.
    """
    available = ready or (lambda number: min(POOL_START + POOL_GROWTH_PER_BATCH * number, recipe.pool_pairs))

    def draw(number: int, stage: Stage) -> AugmentedBatch:
        generator = generator_of(number, recipe)
        pairs = read(torch.randint(available(number), (stage.batch,), generator=generator).tolist())
        return crops_of(pairs, stage, recipe, generator)

    return draw


def draw_rendered(render: Callable[[int, int], Scenes], recipe: Recipe) -> Draw:
    """A function that draws batches of newly rendered pairs; the number alone decides a batch."""
    return lambda number, stage: crops_of(render(stage.batch, number), stage, recipe, generator_of(number, recipe))


def crops_of(pairs: Scenes, stage: Stage, recipe: Recipe, generator: torch.Generator) -> AugmentedBatch:
    """Crops of rendered pairs: shifted crops of the first frames if the stage has `shifts`, else augmented crops."""
    if stage.shifts:
        return shifted_crops(pairs.first, crop=stage.crop, reach=stage.shifts, generator=generator)
    return augment(
        pairs.first,
        pairs.second,
        pairs.flow,
        pairs.visible,
        crop=stage.crop,
        settings=recipe.augmentation,
        generator=generator,
    )


def generator_of(number: int, recipe: Recipe) -> torch.Generator:
    """The random generator of one batch, the same in a resumed run."""
    return torch.Generator().manual_seed(recipe.seed * 1_000_003 + number)
