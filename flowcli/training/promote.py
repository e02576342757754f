"""From a run's best weights to a file worth embedding, with the model card that says how it came about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import UsageError
from flowcli.evaluation.benchmark import Benchmark, run_benchmark
from flowcli.evaluation.methods import MethodOptions
from flowcli.model.weights import find, load
from flowcli.system.files import write_whole
from flowcli.training.run_folder import RunFolder
from raft_core import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowcli.evaluation.scores import Scores
    from flowcli.system.console import Console

# A pause between two lines of the log that is longer than this was no training.
LONGEST_STEP_SECONDS = 600
# Every published recipe leaves out pixels this fast.
UNREMARKABLE_FLOW = 400


@dataclass(frozen=True)
class Promotion:
    """The best weights of `run`, to be stored in `folder` as `name` and scored on `validation`.

    `licence` and `origin` are statements of whoever promotes: no run knows the terms or the source of its pictures.
    """

    run: Path
    folder: Path
    name: str
    validation: Path
    licence: str = "not stated"
    origin: str | None = None


def promote(promotion: Promotion, console: Console) -> Path:
    """Stores the weights in float16, scores what is stored beside the baselines, and writes the model card."""
    best = RunFolder(promotion.run).best
    if not best.is_file():
        raise UsageError(f"{promotion.run} has no best.safetensors", hint="train until the first validation")
    stored = promotion.folder / f"{promotion.name}.safetensors"
    promotion.folder.mkdir(parents=True, exist_ok=True)
    model = load(find(str(best)))
    checkpoint.save(model, stored, half=True)
    scores = run_benchmark(
        Benchmark(
            dataset="pairs",
            root=promotion.validation,
            options=MethodOptions(weights=(str(stored), str(best)), baselines=("dis", "farneback", "zero")),
        ),
        console,
    )
    facts = json.loads((promotion.run / "best.json").read_text())
    records = [json.loads(line) for line in (promotion.run / "log.jsonl").read_text().splitlines()]
    made_of = json.loads((promotion.run / "run.json").read_text())
    size = sum(weight.numel() for weight in model.parameters())
    about = [
        f"{model.config.name} ({size:,} parameters, float16), trained by flowcli {begun_with(records)}",
        f"on {trained_on(facts['recipe'], made_of)}.",
        *([promotion.origin] if promotion.origin else []),
        "",
        f"- sha256: `{find(str(stored)).sha256}`",
        f"- licence: {promotion.licence}",
    ]
    card = model_card(promotion.name, about, scores, facts, records)
    write_whole(stored.with_suffix(".md"), card.encode())
    return stored


def begun_with(records: Sequence[dict[str, Any]]) -> str:
    """What a run's log says that it began with."""
    begun = [f"from the weights {r['begun_with']}, sha256 `{r['sha256']}`," for r in records if "begun_with" in r]
    return begun[0] if begun else "from scratch"


def trained_on(recipe: Mapping[str, Any], made_of: Mapping[str, Any]) -> str:
    """What a run's pairs are, by its recipe and the record of its folder."""
    if recipe["data"]:
        return f"pairs of {', '.join(dict.fromkeys(share['dataset'] for share in recipe['data']))}"
    textures = made_of["textures"]
    pictures = "patterns made in code" if textures is None else f"the pictures in a folder called {Path(textures).name}"
    return f"generated pairs (`flowcli/training/synthesis`) of {pictures}"


def model_card(
    name: str, about: Sequence[str], scores: Scores, facts: dict[str, Any], records: Sequence[dict[str, Any]]
) -> str:
    """What the weights are, how they were made and what they score, in Markdown; `records` is the run's log."""
    stages, steps = facts["recipe"]["stages"], facts["step"]
    header, *rows = scores.rows()
    header = [title.replace("best", "before rounding to float16") for title in header]
    return "\n".join(
        [
            f"# {name}",
            "",
            *about,
            f"- seen: {samples(stages, steps):,} samples in {steps:,} steps, {hours(records):.1f} hours",
            "",
            "Mean endpoint error in px over the valid pixels of a pair, then over pairs; 12 iterations, float32, cold:",
            "",
            table(header, rows),
            "",
            "Stages:",
            "",
            table(
                ["stage", "steps", "batch", "crop", "iterations", "learning rate", "loss"],
                [
                    [
                        stage["name"],
                        f"{done} of {stage['steps']}" if done < stage["steps"] else str(done),
                        str(stage["batch"] * stage["parts"]),
                        "×".join(str(side) for side in stage["crop"]),
                        str(stage["iterations"]),
                        " → ".join(f"{rate:g}" for rate in stage["learning_rate"]),
                        loss_on(stage),
                    ]
                    for stage, done in reached(stages, steps)
                ],
            ),
            "",
        ]
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def samples(stages: list[dict[str, Any]], steps: int) -> int:
    """How many samples the first `steps` steps saw."""
    return sum(done * stage["batch"] * stage["parts"] for stage, done in reached(stages, steps))


def reached(stages: list[dict[str, Any]], steps: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The stages that the first `steps` steps belong to, each with how many of them."""
    for stage in stages:
        if steps > 0:
            yield stage, min(stage["steps"], steps)
        steps -= stage["steps"]


def loss_on(stage: dict[str, Any]) -> str:
    """What a stage learns from: the pixels its loss counts, its power, other losses, and what is held or begun anew."""
    pixels = "visible pixels" if stage["visible_only"] else "all pixels"
    slow = f" slower than {stage['max_flow']:g} px" if stage["max_flow"] < UNREMARKABLE_FLOW else ""
    parts = [pixels + slow]
    if stage["power"] != 1:
        parts.append(f"to the power {stage['power']:g}")
    # Runs of earlier versions know nothing of these.
    if stage.get("matching"):
        parts.append(f"and {stage['matching']:g} of the matching loss")
    if stage.get("frozen"):
        parts.append(f"{' and '.join(stage['frozen'])} frozen")
    if stage.get("slow"):
        parts.append(f"{' and '.join(stage['slow'])} slow")
    if stage.get("renew_context"):
        parts.append("context begun anew")
    return ", ".join(parts)


def hours(records: Sequence[dict[str, Any]]) -> float:
    """How long the run computed, from the times of its log lines."""
    gaps = (after - before for before, after in pairwise(record["time"] for record in records if "time" in record))
    return float(sum(gap for gap in gaps if 0 < gap < LONGEST_STEP_SECONDS)) / 3600
