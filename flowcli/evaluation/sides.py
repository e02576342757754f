"""A side of a comparison: flow computed with given weights and settings, or saved flow."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flowcli.errors import SourceError, UsageError
from flowcli.flow.colour import ColourScale, magnitude
from flowcli.flow.formats import FORMATS, format_of, reader, stem_of
from flowcli.model.weights import find
from flowcli.pipeline.colour_scale import sampled_speeds
from flowcli.pipeline.request import Request
from flowcli.pipeline.settings import estimator_of
from flowcli.system.options import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowcli.flow.formats import Flow
    from flowcli.media.frames import FramePair
    from flowcli.media.sources import Source

SETTINGS = {
    option.name: option
    for name, option in declared(Request).items()
    if name in {"quality", "iterations", "tolerance", "refine", "precision", "max_side", "scale", "warm_start"}
}
"""The settings that may follow a side's weights, by the names of their options."""
SAMPLED = 5
"""How many saved files the colour scale is chosen from, at most."""


class Side(Protocol):
    """A source of flow for pairs."""

    label: str

    def flows(self, pairs: Iterable[FramePair]) -> Iterator[tuple[FramePair, Flow]]:
        """Each pair with its flow (height, width, 2)."""

    def scale(self, source: Source, *, skip: int) -> ColourScale:
        """A colour scale that suits this flow."""

    def record(self) -> dict[str, object]:
        """A description of this side, for the report."""


def side_of(text: str, request: Request) -> Side:
    """The side given as `NAME`, `NAME,iters=20,precision=bf16` or a folder of saved flow.

    Raises UsageError for an unknown setting or value, WeightsError for unknown weights, and SourceError for a folder
    without flow.
    """
    if Path(text).is_dir():
        return Saved(Path(text))
    weights, *settings = text.split(",")
    return Computed(text, replace(request, weights=weights, **dict(map(setting, settings))))


def setting(text: str) -> tuple[str, Any]:
    """The field of Request that `name=value` sets, and its value; raises UsageError for an unknown name or value."""
    name, _, value = text.partition("=")
    if name.strip() not in SETTINGS:
        raise UsageError(f"{text!r} is not a setting", hint=f"write NAME,iters=20; settings: {', '.join(SETTINGS)}")
    option = SETTINGS[name.strip()]
    try:
        return option.field, option.parse(value.strip())
    except ValueError as error:
        message = f"{text!r} does not give a valid value of {name.strip()}"
        raise UsageError(message, hint="write it like iters=20") from error


class Computed:
    """Flow computed with given weights and settings."""

    def __init__(self, label: str, request: Request) -> None:
        self.label = label
        self.weights = find(request.weights)
        self.estimator = estimator_of(request, self.weights)
        self.settings = self.estimator.settings

    def flows(self, pairs: Iterable[FramePair]) -> Iterator[tuple[FramePair, Flow]]:
        """Estimates the flow of each pair."""
        for estimate in self.estimator.estimate(pairs):
            yield estimate.pair, estimate.flow

    def scale(self, source: Source, *, skip: int) -> ColourScale:
        """A colour scale from a few pairs spread over the source."""
        return ColourScale.covering(sampled_speeds(source, self.estimator, skip=skip))

    def record(self) -> dict[str, object]:
        """The weights and settings."""
        settings = self.settings
        return {
            "label": self.label,
            "weights": {"name": self.weights.name, "sha256": self.weights.sha256},
            "iterations": settings.iterations,
            "tolerance": settings.tolerance,
            "refinement": None if settings.refinement is None else asdict(settings.refinement),
            "first_look": settings.first_look is not None,
            "precision": str(settings.precision).removeprefix("torch."),
            "max_side": settings.resizing.max_side,
            "scale": settings.resizing.scale,
            "warm_start": settings.warm_start,
        }


class Saved:
    """Saved flow in a folder, in files numbered by their first frame, as `flowcli video --save flo` writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = folder.name or str(folder)
        self.files = numbered(folder)

    def flows(self, pairs: Iterable[FramePair]) -> Iterator[tuple[FramePair, Flow]]:
        """Reads the flow of each pair."""
        for pair in pairs:
            yield pair, self.read(pair)

    def read(self, pair: FramePair) -> Flow:
        """The saved flow (height, width, 2) of a pair; raises SourceError where it is missing or differs in size."""
        found = self.files.get(pair.first.index)
        if found is None:
            raise SourceError(
                f"{self.folder} has no flow from frame {pair.first.index}",
                hint="use the --skip that the flow was saved with",
            )
        flow = reader(found[0], bound=1)(found[1])
        height, width = pair.first.image.shape[:2]
        if flow.shape[:2] != (height, width):
            raise SourceError(
                f"{found[1]} is {flow.shape[1]} x {flow.shape[0]}, but the frames are {width} x {height}",
                hint="give the flow of this clip",
            )
        return flow

    def scale(self, source: Source, *, skip: int) -> ColourScale:
        """A colour scale from a few of the files."""
        files = list(self.files.values())
        chosen = files[:: -(-len(files) // SAMPLED)]
        return ColourScale.covering(magnitude(np.asarray(reader(kind, bound=1)(path))) for kind, path in chosen)

    def record(self) -> dict[str, object]:
        """The folder and the number of its files."""
        return {"label": self.label, "folder": str(self.folder.absolute()), "files": len(self.files)}


def numbered(folder: Path) -> Mapping[int, tuple[str, Path]]:
    """The format and file of forward flow by number of the first frame, all of the most exact format in the folder.

    Raises SourceError where no file has a number for its name.
    """
    found: dict[str, dict[int, tuple[str, Path]]] = {}
    for path in sorted(folder.iterdir()):
        kind = format_of(path) if path.is_file() and not path.name.startswith(".") else None
        if kind is not None and kind != "planes" and re.fullmatch(r"\d+", stem := stem_of(path, kind)):
            found.setdefault(kind, {})[int(stem)] = (kind, path)
    if not found:
        raise SourceError(
            f"{folder} holds no numbered flow files", hint="give the NAME_flow folder of `flowcli video --save flo`"
        )
    return found[min(found, key=list(FORMATS).index)]
