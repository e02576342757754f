"""Watches the steps of a training run: shows and logs progress, saves, validates, and ends a run that diverges."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from flowcli.errors import PartialError
from flowcli.system.console import write_line
from flowcli.system.progress import Bar
from flowcli.system.signals import Interruption, StoppedError
from flowcli.training.validation import errors_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flowcli.training.loop import Progress
    from flowcli.training.options import TrainingRun
    from flowcli.training.recipes import Recipe

SECONDS_BETWEEN_SAVES = 180
MOST_SKIPPED = 20
"""The number of consecutive steps without a finite gradient that ends a run."""

STEPS_BETWEEN_LINES = 25


def watch(steps: Iterator[Progress], run: TrainingRun) -> dict[str, float]:
    """Runs the steps: shows and logs progress, saves, validates; returns the last validation, in px by group."""
    state, folder, options, group = run.state, run.folder, run.options, run.group
    epe: dict[str, float] = {}
    saved = validated = time.monotonic()
    recent: list[Progress] = []
    skipped = 0
    minutes = options.minutes_between_saves
    seconds_between_saves = SECONDS_BETWEEN_SAVES if minutes is None else 60 * minutes
    due = state.due_step(run.recipe, options.minutes)
    bar = Bar(
        total=run.recipe.steps, initial=due, unit="step", dynamic_ncols=True, disable=None if group.leads else True
    )
    with Interruption() as interruption, bar:
        for progress in steps:
            # All processes must stop at the same step, or the others would wait for the one that stopped.
            stopped = group.largest(interruption.number or 0)
            skipped = skipped + 1 if progress.skipped else 0
            due = state.due_step(run.recipe, options.minutes)
            if group.leads:
                bar.update(due - bar.n)
                recent.append(progress)
                now = time.monotonic()
                if len(recent) == STEPS_BETWEEN_LINES:
                    folder.log(averaged(recent))
                    recent.clear()
                # Only right after a line of the log, so that a resumed run writes the same lines.
                late = now - saved > seconds_between_saves and not recent
                if stopped or late or skipped == MOST_SKIPPED:
                    folder.save(state)
                    saved = time.monotonic()
                    if bar.disable:  # without a terminal
                        write_line(f"step {due} of {run.recipe.steps} is saved")
                validating = now - validated > 60 * options.minutes_between_validations or due == run.recipe.steps
                if validating and not stopped and options.validation:
                    epe = record_validation(run, options.validation)
                    validated = time.monotonic()
            if skipped == MOST_SKIPPED:
                raise PartialError(
                    f"the last {skipped} steps up to {progress.step} had no finite gradient: the run has diverged",
                    hint="start again from best.safetensors with a lower learning rate, or --precision fp32",
                )
            if stopped:
                hint = f"run the same command again to continue from step {state.step}"
                raise StoppedError(stopped, hint=hint)
    # A run may have been stopped between its last step and the end of its last validation.
    if group.leads and options.validation and state.step not in folder.validations():
        epe = record_validation(run, options.validation)
    return epe


def record_validation(run: TrainingRun, validation: Path) -> dict[str, float]:
    """The errors of the averaged weights in px by group, which are logged; keeps the weights if they are the best."""
    state, folder = run.state, run.folder
    epe = errors_of(run, validation)
    best = folder.keep_best(state, epe, recipe=run.recipe if run.options.minutes is None else as_done(run))
    folder.log({"step": state.step, "validation": epe, "best": best})
    folder.draw_curve()
    return epe


def as_done(run: TrainingRun) -> Recipe:
    """The recipe of a run limited by time, with the steps that its stages had time for."""
    stages = tuple(replace(stage, steps=run.state.done[stage.name]) for stage in run.recipe.stages)
    return replace(run.recipe, stages=stages)


def averaged(steps: Sequence[Progress]) -> dict[str, object]:
    """The log record of several steps: the means of loss, EPE and duration, and the last step's other values."""
    count = len(steps)
    known = [step.epe for step in steps if math.isfinite(step.epe)]
    return {
        "step": steps[-1].step,
        "stage": steps[-1].stage,
        "loss": round(sum(step.loss for step in steps) / count, 4),
        # The EPE of a batch without valid pixels is NaN, which JSON does not have.
        "epe": round(statistics.fmean(known), 4) if known else None,
        "learning_rate": steps[-1].learning_rate,
        "seconds_per_step": round(sum(step.seconds for step in steps) / count, 3),
        "time": round(time.time()),
        **({"skipped": bad} if (bad := sum(step.skipped for step in steps)) else {}),
    }
