"""A pool of rendered training pairs on disk: each pair is rendered once and cropped many times."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import torch

from flowcli.training.synthesis import Scenes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SHARD_PAIRS = 64
"""The number of pairs in one file."""


class Pool:
    """Pairs numbered from 0, in files of `SHARD_PAIRS`; a missing file is rendered when one of its pairs is read.

    A pair is a function of its number, so a deleted file is rendered again identically.
    """

    def __init__(self, folder: Path, render: Callable[[int, int], Scenes]) -> None:
        """`render(count, seed)` renders scenes; `folder` is created if it is missing."""
        self.folder = folder
        self.render = render
        self.shards: dict[int, np.ndarray] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, numbers: Sequence[int]) -> Scenes:
        """The pairs with these numbers."""
        pairs = torch.from_numpy(np.stack([self.shard(n // SHARD_PAIRS)[n % SHARD_PAIRS] for n in numbers]))
        flow = pairs[:, 6:10].permute(0, 2, 3, 1).contiguous().view(torch.float16)  # (B, H, W, 2)
        return Scenes(pairs[:, :3], pairs[:, 3:6], flow.permute(0, 3, 1, 2).float(), pairs[:, 10].bool())

    def shard(self, number: int) -> np.ndarray:
        """The pairs of one file, memory-mapped: (pairs, 11, height, width) bytes, flow in float16."""
        if number not in self.shards:
            path = self.folder / f"{number:05d}.npy"
            if not path.exists():
                self.write(number, path)
            self.shards[number] = np.load(path, mmap_mode="r")
        return self.shards[number]

    def write(self, number: int, path: Path) -> None:
        """Renders the pairs of one file, which appears complete or not at all."""
        rendered = []
        for start in range(0, SHARD_PAIRS, 4):
            scenes = self.render(4, number * SHARD_PAIRS + start)
            flow = scenes.flow.half().permute(0, 2, 3, 1).contiguous().view(torch.uint8).permute(0, 3, 1, 2)
            pairs = (scenes.first, scenes.second, flow, scenes.visible[:, None].to(torch.uint8))
            rendered.append(torch.cat([part.cpu() for part in pairs], dim=1).numpy())
        part = path.with_name(f".{path.stem}.{os.getpid()}.part.npy")
        np.save(part, np.concatenate(rendered))
        part.replace(path)
