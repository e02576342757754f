"""The kinds of output there are: pictures, files of flow, and records of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, UInt8
    from numpy.typing import NDArray

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.naming import Naming, Part
    from flowcli.media.encoding import Encoding

    Flow = Float[NDArray[np.float32], "height width 2"]
    Image = UInt8[NDArray[np.uint8], "height width 3"]
    Join = Callable[[Sequence[Part], Path], None]


@dataclass(frozen=True)
class Picture:
    """An output that is drawn: a pair's PNG, a video's frame. `join` makes one file of parts that are no videos."""

    draw: Callable[[Estimate, Style], Image]
    naming: Naming
    join: Join | None = None


@dataclass(frozen=True)
class FlowFile:
    """A format that holds the flow of one direction, or, where there is a `save`, all that is known of a pair.

    `options` names what its functions have to be told: the `bound` of planes in px, whether to store in `half`.
    """

    read: Callable[..., Flow]
    write: Callable[..., None]
    naming: Naming
    save: Callable[[Path, Estimate, Encoding], None] | None = None
    options: tuple[str, ...] = ()

    def reader(self, *, bound: float) -> Callable[[Path], Flow]:
        """Reads a file; `bound` is what planes were written with."""
        return partial(self.read, bound=bound) if "bound" in self.options else self.read

    def writer(self, *, bound: float, half: bool) -> Callable[[Path, Flow], None]:
        """Writes a file."""
        given = {"bound": bound, "half": half}
        return partial(self.write, **{name: given[name] for name in self.options})


@dataclass(frozen=True)
class Records:
    """An output that is one file of what each pair was measured to be, which `compose` writes."""

    measure: Callable[[Estimate], dict[str, Any]]
    compose: Callable[[Sequence[dict[str, Any]], Path], None]
    naming: Naming
    join: Join


Kind = Picture | FlowFile | Records
