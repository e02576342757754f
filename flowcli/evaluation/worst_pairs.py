"""Draws the pairs with a method's largest errors, chosen while the pairs are scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.flow.error_map import error_picture
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flowcli.evaluation.datasets import FlowItem
    from flowcli.evaluation.summary import ItemScore


class WorstPairs:
    """Keeps `FOLDER/worst/METHOD/NAME.png` of each method's `count` worst pairs; without a folder, nothing."""

    def __init__(
        self, folder: Path | None, count: int, done: Mapping[str, Mapping[str, ItemScore]] | None = None
    ) -> None:
        self._folder = folder
        self._count = count
        self._kept: dict[str, list[tuple[float, Path]]] = {}
        for method, scores in (done or {}).items():
            shown = [(score.metrics.epe.value, self._path(method, name)) for name, score in scores.items()]
            self._kept[method] = [(error, path) for error, path in shown if path is not None and path.is_file()]

    def offer(self, method: str, item: FlowItem, flow: NDArray[np.float32], score: ItemScore) -> None:
        """Draws the pair if it is among the worst so far, and removes the picture of the pair that no longer is."""
        path = self._path(method, item.name)
        if path is None or not self._count or not score.metrics.epe.count:
            return
        kept = self._kept.setdefault(method, [])
        error = score.metrics.epe.value
        if len(kept) >= self._count:
            least = min(kept)
            if error <= least[0]:
                return
            least[1].unlink(missing_ok=True)
            kept.remove(least)
        write_png(path, error_picture(item.first, item.flow, flow, item.valid))
        kept.append((error, path))

    def _path(self, method: str, name: str) -> Path | None:
        # Names of methods may be paths of weights; names of items may contain folders.
        method, name = (text.replace("/", "_") for text in (method, name))
        return None if self._folder is None else self._folder / "worst" / method / f"{name}.png"
