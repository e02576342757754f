"""Turns a run's best weights into a weights file with a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.evaluation.benchmark import Benchmark, run_benchmark
from flowcli.evaluation.methods import MethodOptions
from flowcli.model.quality import Effort
from flowcli.model.refinement import STATED
from flowcli.model.weights import find, load
from flowcli.system.files import write_whole
from flowcli.training.run_folder import RunFolder
from flowcli.training.validation import validation_data
from raft_core import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from flowcli.evaluation.scores import Scores
    from flowcli.system.console import Console

# Longer pauses between two lines of the log are interruptions.
LONGEST_STEP_SECONDS = 600
# The limit of RAFT's published training, which the card does not mention.
PUBLISHED_MAX_FLOW = 400


@dataclass(frozen=True)
class Promotion:
    """A request to store the best weights of `run` in `folder` as `name`, scored on the pairs of `validation`.

    `licence` and `origin` (of the textures) are stated by the user, as the run does not record them.
    """

    run: Path
    folder: Path
    name: str
    validation: Path
    licence: str = "not stated"
    origin: str | None = None


def promote(promotion: Promotion, console: Console) -> Path:
    """Stores the weights in float16, scores them and the baselines, writes the model card, and returns the file.

    Raises UsageError where the run has no best weights, or trained a refiner.
    """
    best = RunFolder(promotion.run).best
    if not best.is_file():
        raise UsageError(f"{promotion.run} has no best.safetensors", hint="train until the first validation")
    run_record = json.loads((promotion.run / "run.json").read_text())
    if "raft" in run_record:
        raise UsageError(f"{promotion.run} trained a refiner", hint=f"use it as it is: --refine {best}")
    stored = promotion.folder / f"{promotion.name}.safetensors"
    promotion.folder.mkdir(parents=True, exist_ok=True)
    model = load(find(str(best)))
    checkpoint.save(model, stored, half=True, metadata=STATED)
    dataset, root = validation_data(promotion.validation)
    scores = run_benchmark(
        Benchmark(
            dataset=dataset,
            root=root,
            options=MethodOptions(
                weights=(str(stored), str(best)),
                baselines=("dis", "farneback", "zero"),
                effort=Effort(iterations="12", refine="none", scale=1.0, precision="fp32"),
                placement=datasets.placement(dataset),
            ),
        ),
        console,
    )
    facts = json.loads((promotion.run / "best.json").read_text())
    records = [json.loads(line) for line in (promotion.run / "log.jsonl").read_text().splitlines()]
    size = sum(weight.numel() for weight in model.parameters())
    about = [
        f"{model.config.name} ({size:,} parameters, float16), trained by flowcli {start_of(records)}",
        f"on {trained_on(facts['recipe'], run_record)}.",
        *([promotion.origin] if promotion.origin else []),
        "",
        f"- sha256: `{find(str(stored)).sha256}`",
        f"- licence: {promotion.licence}",
    ]
    card = model_card(promotion.name, about, scores, facts, records)
    write_whole(stored.with_suffix(".md"), card.encode())
    return stored


def start_of(records: Sequence[dict[str, Any]]) -> str:
    """A phrase that states the initial weights of a run, from its log."""
    starts = [f"from the weights {r['begun_with']}, sha256 `{r['sha256']}`," for r in records if "begun_with" in r]
    return starts[0] if starts else "from scratch"


def trained_on(recipe: Mapping[str, Any], run_record: Mapping[str, Any]) -> str:
    """A phrase that states a run's training pairs, from its recipe and its run.json."""
    if recipe["data"]:
        return f"pairs of {', '.join(dict.fromkeys(share['dataset'] for share in recipe['data']))}"
    textures = run_record["textures"]
    images = (
        "patterns generated in code" if textures is None else f"the images in a folder called {Path(textures).name}"
    )
    return f"generated pairs (`flowcli/training/synthesis`) of {images}"


def model_card(
    name: str, about: Sequence[str], scores: Scores, facts: dict[str, Any], records: Sequence[dict[str, Any]]
) -> str:
    """The model card in Markdown: description, training and scores of the weights; `records` is the run's log."""
    stages, steps = facts["recipe"]["stages"], facts["step"]
    (error, pairs, stored, _, *baselines), *rows = scores.rows()
    header = [error, pairs, stored, "before rounding to float16", *baselines]
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
                ["stage", "steps", "batch", "crop", "updates", "learning rate", "loss"],
                [
                    [
                        stage["name"],
                        f"{done} of {stage['steps']}" if done < stage["steps"] else str(done),
                        str(stage["batch"] * stage["parts"]),
                        "×".join(str(side) for side in stage["crop"]),
                        updates_of(stage),
                        rates_of(stage),
                        loss_on(stage),
                    ]
                    for stage, done in completed(stages, steps)
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
    """The number of samples in the first `steps` steps."""
    return sum(done * stage["batch"] * stage["parts"] for stage, done in completed(stages, steps))


def completed(stages: list[dict[str, Any]], steps: int) -> Iterator[tuple[dict[str, Any], int]]:
    """The stages of the first `steps` steps, each with its number of completed steps."""
    for stage in stages:
        if steps > 0:
            yield stage, min(stage["steps"], steps)
        steps -= stage["steps"]


def rates_of(stage: dict[str, Any]) -> str:
    """The learning rates of a stage: the first, the highest of a one-cycle schedule, and the last."""
    first, last = stage["learning_rate"]
    # Absent from runs of earlier versions.
    peak = stage.get("peak")
    return " → ".join(f"{rate:g}" for rate in ((first, peak, last) if peak else (first, last)))


def updates_of(stage: dict[str, Any]) -> str:
    """A description of a stage's updates: those of the loss, those before it, and the share of batches with starts."""
    text = str(stage["iterations"])
    # Absent from runs of earlier versions.
    if stage.get("run_in"):
        text += f", after 0 to {stage['run_in']} more"
    if stage.get("starts"):
        text += f", {100 * stage['starts']:.0f} % from earlier flow"
    return text


def loss_on(stage: dict[str, Any]) -> str:
    """A description of a stage's loss: its pixels, power and matching loss, and frozen, slow or reinitialised parts."""
    pixels = "visible pixels" if stage["visible_only"] else "all pixels"
    slow = f" slower than {stage['max_flow']:g} px" if stage["max_flow"] < PUBLISHED_MAX_FLOW else ""
    parts = [pixels + slow]
    if stage["power"] != 1:
        parts.append(f"to the power {stage['power']:g}")
    # Absent from runs of earlier versions.
    if stage.get("matching"):
        parts.append(f"and {stage['matching']:g} of the matching loss")
    if stage.get("frozen"):
        parts.append(f"{' and '.join(stage['frozen'])} frozen")
    if stage.get("slow"):
        parts.append(f"{' and '.join(stage['slow'])} slow")
    if stage.get("renew_context"):
        parts.append("context encoder reinitialised")
    return ", ".join(parts)


def hours(records: Sequence[dict[str, Any]]) -> float:
    """The hours that the run trained, from the times of its log lines, without interruptions."""
    gaps = (after - before for before, after in pairwise(record["time"] for record in records if "time" in record))
    return float(sum(gap for gap in gaps if 0 < gap < LONGEST_STEP_SECONDS)) / 3600
