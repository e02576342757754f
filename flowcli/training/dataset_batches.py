"""Training batches from datasets: shuffled pairs, read and augmented when they are drawn."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.errors import SourceError, UsageError
from flowcli.evaluation import datasets
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.augmentation.published import Pair, augment_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.evaluation.datasets import Sample
    from flowcli.training.recipes import DatasetShare, Recipe, Stage

    Draw = Callable[[int, Stage], AugmentedBatch]


class Mixture:
    """The pairs of a recipe's datasets, repeated as their shares say, in an order decided by the seed.

    A place in the order alone decides its pair and augmentation: a resumed run draws the same pairs, and so do batches
    in parts.
    """

    def __init__(self, recipe: Recipe, roots: Mapping[str, Path]) -> None:
        """Finds every pair; raises UsageError for a dataset without folder, SourceError for a folder without pairs."""
        self.seed = recipe.seed
        self.pairs: list[tuple[Sample, DatasetShare]] = []
        missing = {share.dataset for share in recipe.data} - set(roots)
        if missing:
            needed = " ".join(f"--data {name}=FOLDER" for name in sorted(missing))
            raise UsageError(f"this recipe trains on {', '.join(sorted(missing))}", hint=f"add {needed}")
        for share in recipe.data:
            samples = datasets.samples(share.dataset, roots[share.dataset], "training")
            chosen = [sample for sample in samples if not share.groups or sample.group in share.groups]
            if not chosen:
                raise SourceError(
                    f"{roots[share.dataset]} has no pairs of {', '.join(share.groups)}", hint="unpack them there"
                )
            self.pairs += [(sample, share) for sample in chosen] * share.times
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def draw(self, number: int, stage: Stage) -> AugmentedBatch:
        """Batch `number` of a stage; its flow is NaN where it is unknown."""
        pairs = [self.pair(number * stage.batch + index, stage.crop) for index in range(stage.batch)]
        first, second, flow = (
            torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2).contiguous()
            for parts in (
                [pair.first for pair in pairs],
                [pair.second for pair in pairs],
                [np.where(pair.valid[..., np.newaxis], pair.flow, np.float32(np.nan)) for pair in pairs],
            )
        )
        everywhere = torch.ones(flow[:, 0].shape, dtype=torch.bool)
        return AugmentedBatch(first, second, flow, everywhere, everywhere)

    def pair(self, place: int, crop: tuple[int, int]) -> Pair:
        """The augmented pair at a place of the order, which has no end: each round over all pairs is shuffled."""
        round_, index = divmod(place, len(self.pairs))
        sample, share = self.pairs[self._order(round_)[index]]
        # princeton-vl/RAFT trains on the pixels that Sintel marks invalid too: their flow is known.
        item = datasets.read(sample, count_invalid=True)
        pair = Pair(item.first, item.second, item.flow, item.valid)
        return augment_pair(pair, share, crop=crop, random=np.random.default_rng([self.seed, place]))

    def _shuffled(self, round_: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, round_]).permutation(len(self.pairs))


def read_ahead(draw: Draw, order: Iterable[tuple[int, Stage]], *, workers: int) -> Iterator[AugmentedBatch]:
    """Iterates over the batches of `order`, drawn by `workers` threads up to two batches in advance each."""
    turns = iter(order)
    with ThreadPoolExecutor(workers, thread_name_prefix="flowcli-read") as pool:
        waiting: list[Future[AugmentedBatch]] = [pool.submit(draw, *turn) for turn in islice(turns, 2 * workers)]
        try:
            while waiting:
                batch = waiting.pop(0).result()
                waiting += [pool.submit(draw, *turn) for turn in islice(turns, 1)]
                yield batch
        finally:
            for future in waiting:
                future.cancel()
