"""What the Python interface returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

    from flowcli.media.frames import FramePair

Array = TypeVar("Array", NDArray[Any], Tensor)
"""NumPy's arrays, or tensors where the images were tensors."""


@dataclass(frozen=True, eq=False)
class Result(Generic[Array]):
    """The flow of one pair of images, or of a batch of pairs.

    `flow` is float32 from the first to the second image, on the grid of the first, in pixels, x right and y down: NumPy
    (..., height, width, 2), tensors (..., 2, height, width). Where `direction` is "backward", it is the flow from the
    second to the first. `backward` is that flow, None for "forward". `occlusion` (..., height, width) is true where
    "both" found that the second image does not show a pixel of the first, None without. `iterations` is the number of
    updates, the largest of a batch.
    """

    flow: Array
    backward: Array | None
    occlusion: Array | None
    iterations: int


@dataclass(frozen=True, eq=False)
class VideoResult(Result[Array]):
    """The flow of one pair of frames of a video.

    `pair` has both frames, with `image`, `index` and `time` among the selected frames, `source_index` and `source_time`
    in the whole video, and `path` of an image file; and `cut`. `repeated` marks the flows that `pad_last` adds.
    """

    pair: FramePair
    repeated: bool = False


class Flows(Iterator[VideoResult[Array]]):
    """The flow of every pair in turn, computed when it is asked for; `close` ends it early.

    `len` is the number of all flows, as the container states it; it raises TypeError where that is unknown.
    """

    def __init__(self, results: Generator[VideoResult[Array], None, None], count: int | None) -> None:
        self._results: Generator[VideoResult[Array], None, None] = results
        self._count = count

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> VideoResult[Array]:
        return next(self._results)

    def __len__(self) -> int:
        if self._count is None:
            raise TypeError("the number of flows is unknown")
        return self._count

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Ends the computation and closes the video."""
        self._results.close()
