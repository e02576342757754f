"""Lists, verifies and describes weights, on this machine and to be fetched."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flowcli.errors import WeightsError
from flowcli.model.weights import cache, embedded, find, present, translated
from flowcli.model.weights.published import LICENCE, PUBLISHED
from flowcli.system.json_text import json_text
from raft_core import checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.model.weights import Weights


@dataclass(frozen=True)
class Entry:
    """One name for `--weights`, on this machine or to be fetched; `sha256` may be a prefix."""

    name: str
    where: str
    megabytes: float
    sha256: str
    accuracy: str
    licence: str
    path: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """All weights with a name: those on this machine, then those that can be fetched."""

    entries: tuple[Entry, ...]

    def rows(self) -> list[list[str]]:
        """The catalogue as a table, header first."""
        rows = [[e.name, e.where, f"{e.megabytes:.1f} MB", e.sha256[:8], e.accuracy] for e in self.entries]
        return [["name", "where", "size", "sha256", "EPE in px, clean / final"], *rows]

    def text(self) -> str:
        """The catalogue as JSON, with all fields."""
        return json_text({"weights": [asdict(entry) for entry in self.entries]})


def catalogue() -> Catalogue:
    """The catalogue of weights."""
    here = present()
    entries = [entry_of(name, path) for name, path in here.items()]
    absent = [
        Entry(name, "to fetch", w.megabytes, w.sha256, w.accuracy, LICENCE, url=w.url)
        for name, w in PUBLISHED.items()
        if name not in here
    ]
    return Catalogue((*entries, *absent))


def entry_of(name: str, path: Path) -> Entry:
    """The entry of a file on this machine."""
    published, card = PUBLISHED.get(name), read_card(path)
    return Entry(
        name=name,
        where="cache" if path.parent == cache() else "embedded" if path.parent in embedded() else "folder",
        megabytes=round(path.stat().st_size / 1e6, 1),
        sha256=find(str(path)).sha256,
        accuracy=published.accuracy if published else card.get("accuracy", ""),
        licence=LICENCE if published else card.get("licence", "not stated"),
        path=str(path),
    )


def read_card(path: Path) -> dict[str, str]:
    """The facts of the model card beside a file, written as `- name: value`; empty without a card."""
    card = path.with_suffix(".md")
    if not card.is_file():
        return {}
    text = card.read_text(encoding="utf-8")
    facts = {name: value.strip("`") for name, value in re.findall(r"^- (\w+): (.+)$", text, re.MULTILINE)}
    mean = re.search(r"^\| mean \| (\d+) \| ([\d.]+)", text, re.MULTILINE)
    return {**facts, "accuracy": f"own {mean[1]} pairs {float(mean[2]):.2f}"} if mean else facts


def read_record(path: Path) -> dict[str, str]:
    """The facts that `flowcli train` stored beside its best weights; empty for other weights."""
    record = path.with_suffix(".json")
    if not record.is_file():
        return {}
    try:
        facts = json.loads(record.read_text(encoding="utf-8"))
        errors = ", ".join(f"{group} {error:.2f}" for group, error in facts["epe"].items())
        return {"step": str(facts["step"]), "validation": f"EPE in px: {errors}"}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}  # written by another program


def stated_sha256(weights: Weights) -> str | None:
    """The sha256 that a file should have, or its prefix: as published, on its card, or in its own name."""
    if weights.name in PUBLISHED:
        return PUBLISHED[weights.name].sha256
    in_name = re.search(r"-([0-9a-f]{8,64})$", weights.name)
    return read_card(weights.path).get("sha256") or (in_name and in_name[1]) or None


@dataclass(frozen=True)
class Verdicts:
    """The results of verifying: each file's checksum, and its model's size or the reason why it cannot be loaded."""

    items: dict[str, tuple[str, str]]
    failed: tuple[str, ...]

    def rows(self) -> list[list[str]]:
        """The results as a table, header first."""
        return [["name", "checksum", "tensors"], *([name, *found] for name, found in self.items.items())]

    def text(self) -> str:
        """The results as JSON."""
        records = [{"name": name, "checksum": found[0], "tensors": found[1]} for name, found in self.items.items()]
        return json_text({"weights": records, "failed": list(self.failed)})


def verify(names: list[str]) -> Verdicts:
    """Checks the checksums and tensors of weights by name or path, by default of all with a name.

    Raises WeightsError for weights that do not exist.
    """
    items, failed = {}, []
    for name in names or list(present()):
        weights = find(name)
        expected = stated_sha256(weights)
        right = expected is None or weights.sha256.startswith(expected)
        checksum = "none stated" if expected is None else "right" if right else "WRONG"
        try:
            tensors = profile(weights).size
        except WeightsError as error:
            tensors, right = str(error), False
        items[name] = (checksum, tensors)
        failed += [] if right else [name]
    return Verdicts(items, tuple(failed))


LABELS = {"seen": "trained_on", "refine": "refinement"}
"""Names of what files and cards state, and how they are shown."""


@dataclass(frozen=True)
class Profile:
    """The description of one file of weights."""

    name: str
    path: str
    sha256: str
    names: str
    size: str
    parameters: int
    tensors: int
    precision: str
    megabytes: float
    licence: str
    taken_from: str | None
    stated: dict[str, str]

    def facts(self) -> dict[str, str]:
        """The description as text by name; what the file or its card states besides comes last."""
        known = asdict(self)
        for name, value in known.pop("stated").items():
            if value not in known.values():
                known.setdefault(LABELS.get(name, name), value)
        return {
            name.replace("_", " "): f"{value:,}" if isinstance(value, int) else str(value)
            for name, value in known.items()
            if value
        }

    def text(self) -> str:
        """The description as JSON."""
        return json_text(asdict(self))


def profile(weights: Weights) -> Profile:
    """The description of a file, which is loaded for it; raises WeightsError where that fails."""
    with translated(weights.path):
        contents = checkpoint.read(weights.path)
        model = checkpoint.build(contents)
    card = {**read_record(weights.path), **read_card(weights.path)}
    licence = card.pop("licence", "not stated")
    published = PUBLISHED.get(weights.name)
    if published:
        licence = LICENCE
        card = {"trained_on": published.trained_on, "accuracy": published.accuracy}
    return Profile(
        name=weights.name,
        path=str(weights.path),
        sha256=weights.sha256,
        names=contents.origin,
        size=model.config.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        tensors=len(contents.tensors),
        precision=str(contents.precision).removeprefix("torch."),
        megabytes=round(weights.path.stat().st_size / 1e6, 1),
        licence=licence,
        taken_from=contents.wrapper,
        stated={**contents.facts, **{name: value for name, value in card.items() if name != "sha256"}},
    )
