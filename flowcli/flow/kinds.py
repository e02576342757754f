"""The kinds of output: pictures, flow files, and records of measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.system.files import PartFolder

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.formats.stack import Stack, StackFile
    from flowcli.flow.naming import Naming, Part
    from flowcli.media.encoding import Encoding

    Flow = Float[NDArray[np.float32], "height width 2"]
    Image = UInt8[NDArray[np.uint8], "height width 3"] | UInt8[NDArray[np.uint8], "height width"]
    Join = Callable[[Sequence[Part], Path], None]


@dataclass(frozen=True)
class Picture:
    """An output that is drawn, as PNGs or a video. `join` joins the parts of files that are no videos."""

    draw: Callable[[Estimate, Style], Image]
    naming: Naming
    join: Join | None = None


@dataclass(frozen=True)
class Contents:
    """What reading a file chose by itself, and what it left out: names of channels or arrays."""

    read: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowFile:
    """A format that holds the flow of one direction or, with `save`, all arrays of an estimate.

    `options` names the arguments of its functions: `bound`, the motion in px that planes clip at, `half`, `channels`,
    those to read, and `y`, the direction in which y grows. `contents` says what a file holds besides its flow.
    """

    read: Callable[..., Flow]
    write: Callable[..., None]
    naming: Naming
    save: Callable[[Path, Estimate, Encoding], None] | None = None
    options: tuple[str, ...] = ()
    contents: Callable[..., Contents] | None = None

    def reader(self, *, bound: float, channels: str | None = None) -> Callable[[Path], Flow]:
        """The function that reads a file; `bound`, in px, is the one that planes were written with."""
        return partial(self.read, **self._of(bound=bound, channels=channels))

    def writer(self, *, bound: float, half: bool, y: str) -> Callable[..., None]:
        """The function that writes a path and flow; `half` stores float16 where the format can."""
        return partial(self.write, **self._of(bound=bound, half=half, y=y))

    def holds(self, path: Path, *, channels: str | None = None) -> Contents:
        """What a file holds besides the flow that is read."""
        return Contents() if self.contents is None else self.contents(path, **self._of(channels=channels))

    def _of(self, **given: object) -> dict[str, Any]:
        """The arguments that this format has."""
        return {name: value for name, value in given.items() if name in self.options}


@dataclass(frozen=True)
class Highlight:
    """What the record of highest rank shows besides; it is made only for records that rank above all before them."""

    rank: Callable[[dict[str, Any]], Any]
    show: Callable[[Estimate], dict[str, Any]]


@dataclass(frozen=True)
class Records:
    """An output that is one file, written by `compose`, with the measurements of each pair."""

    measure: Callable[[Estimate], dict[str, Any]]
    compose: Callable[[Sequence[dict[str, Any]], Path], None]
    naming: Naming
    join: Join
    highlight: Highlight | None = None


@dataclass(frozen=True)
class ArrayFile:
    """An output that holds the flow of a whole video, of one direction, in one array; `open` makes its writer."""

    open: type[StackFile]
    read: Callable[[Path], Stack]
    naming: Naming

    @property
    def folder(self) -> bool:
        """Whether the array is a folder of files."""
        return issubclass(self.open.part, PartFolder)

    def join(self, parts: Sequence[Part], path: Path) -> None:
        """Concatenates the arrays of several parts."""
        from flowcli.flow.formats.stack import join_stacks  # noqa: PLC0415 - loads NumPy

        join_stacks((self.read(part.path) for part in parts), path, self.open)


Kind = Picture | FlowFile | Records | ArrayFile
