"""How exactly flow is computed: the values of `--quality`, and the options that each of them sets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.model.device import choose_precision
from flowcli.model.first_look import SMALL, FirstLook
from flowcli.model.refinement import LEARNED, STATED, Refinement
from flowcli.model.refiner import read
from flowcli.model.resize import Resizing
from flowcli.system.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from flowcli.model.settings import Settings

BALANCED = "balanced"
REFINEMENTS = ("auto", "learned", "variational", "none")
LARGEST_SCALE = 8.0


@dataclass(frozen=True)
class Quality:
    """One point between fast and exact: what the options stand for that are left at `auto`.

    Updates stop as `raft_core.converge` says with `tolerance` in px (`unrefined` for flow that is not refined, which
    needs more of them), or, where it is None, after `iterations`. Flow of weights that were trained here is refined as
    `refine` says; `variational` and `learned` are what those names mean. With the latter, there may be a first look.
    """

    iterations: int = 24
    tolerance: float | None = 1.2
    unrefined: float | None = 0.8
    scale: float = 1.0
    smallest: int = 384 * 288
    refine: str = "learned"
    variational: Refinement = Refinement()  # noqa: RUF009 - frozen
    learned: Refinement = LEARNED
    first_look: FirstLook | None = None
    second_look: bool = False
    precision: str = "auto"


QUALITIES = {
    # Half size, for previews and very long jobs.
    "fast": Quality(
        tolerance=2.0,
        scale=0.5,
        smallest=192 * 144,
        variational=Refinement(passes=(6, 4), at_computed_size=True),
        learned=SMALL,
        first_look=FirstLook(full=SMALL),
    ),
    BALANCED: Quality(first_look=FirstLook()),
    "best": Quality(
        tolerance=0.8,
        variational=Refinement(passes=(2, 2)),
        learned=Refinement(passes=(3, 1), learned=True, last=5),
        second_look=True,
    ),
    # The published algorithm.
    "exact": Quality(iterations=32, tolerance=None, unrefined=None, smallest=0, refine="none", precision="fp32"),
}


@dataclass(frozen=True)
class Effort:
    """The options of error and time, as spelled on the command line; `auto` and None leave one to `quality`."""

    quality: str = BALANCED
    iterations: str = "auto"
    tolerance: float | None = None
    refine: str = "auto"
    scale: float | None = None
    max_side: int | None = None
    precision: str = "auto"

    def applied_to(self, settings: Settings, device: torch.device, *, stated: Mapping[str, str]) -> Settings:
        """`settings` with everything that these options decide, for weights whose file states this.

        Raises UsageError for an invalid option, WeightsError for a file that holds no refiner.
        """
        if self.quality not in QUALITIES:
            raise UsageError(f"--quality {self.quality} is not known", hint=f"use {', '.join(QUALITIES)}")
        quality = QUALITIES[self.quality]
        refinement = self._refinement(quality, stated)
        iterations, tolerance = self._updates(quality, refined=refinement is not None)
        return replace(
            settings,
            iterations=iterations,
            tolerance=tolerance,
            refinement=refinement,
            resizing=self._resizing(quality, stated),
            first_look=self._first_look(quality, refinement, stated),
            second_look=quality.second_look,
            precision=choose_precision(quality.precision if self.precision == "auto" else self.precision, device),
        )

    def _updates(self, quality: Quality, *, refined: bool) -> tuple[int, float | None]:
        """The maximum number of updates, and the tolerance in px that may end them earlier."""
        if self.tolerance is not None and not 0 < self.tolerance < math.inf:
            raise UsageError(
                f"--tolerance {self.tolerance} is not a positive number of px",
                hint="give a number above 0, such as 0.8",
            )
        if self.iterations == "auto":
            return quality.iterations, self.tolerance or (quality.tolerance if refined else quality.unrefined)
        return positive(self.iterations, "--iters"), None

    def _refinement(self, quality: Quality, stated: Mapping[str, str]) -> Refinement | None:
        """The refinement, which `auto` leaves out for weights whose file does not ask for it."""
        if is_refiner_file(self.refine):
            read(Path(self.refine))
            return replace(quality.learned, weights=self.refine, sha256=fingerprint(Path(self.refine)))
        if self.refine not in REFINEMENTS:
            raise UsageError(f"--refine {self.refine} is not known", hint=f"use {', '.join(REFINEMENTS)}, or a file")
        refine = self.refine
        if refine == "auto":
            refine = quality.refine if is_refined(stated) else "none"
        return {"none": None, "variational": quality.variational, "learned": quality.learned}[refine]

    def _first_look(
        self, quality: Quality, refinement: Refinement | None, stated: Mapping[str, str]
    ) -> FirstLook | None:
        """The first look by weights that were trained here, unless updates or the size are given, or no network."""
        given = self.iterations != "auto" or self.tolerance is not None or self.scale is not None
        if quality.first_look is None or given or refinement is None or not refinement.learned:
            return None
        return quality.first_look.by(refinement) if is_refined(stated) else None

    def _resizing(self, quality: Quality, stated: Mapping[str, str]) -> Resizing:
        """The size to compute at; small frames are enlarged for weights that are refined, too."""
        if self.scale is None:
            smallest = quality.smallest if is_refined(stated) else 0
            return Resizing(scale=quality.scale, max_side=self.max_side, smallest=smallest)
        if not 0 < self.scale <= LARGEST_SCALE:
            raise UsageError(
                f"--scale {self.scale} is not between 0 and {LARGEST_SCALE:g}", hint="0.5 computes at half the size"
            )
        return Resizing(scale=self.scale, max_side=self.max_side)


def is_refiner_file(refine: str) -> bool:
    """Whether `--refine` names the file of a refiner rather than a kind of refinement."""
    return refine.endswith(".safetensors")


def is_refined(stated: Mapping[str, str]) -> bool:
    """Whether a file of weights that states this was trained here, so that more may be done than was published."""
    return STATED.items() <= stated.items()


def positive(text: str, option: str) -> int:
    """A whole number of at least 1; raises UsageError, naming the option, for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{option} {text} is not a number of at least 1", hint="give a whole number, or auto")
    return int(text)
