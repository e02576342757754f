"""The summary of an inspection on the console: its errors, the story of every pixel, and the ablations."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.inspection.ablation import Ablation
    from flowcli.inspection.findings import Findings


def story_lines(findings: Findings) -> list[str]:
    """Per pixel, why it was chosen and the sentences of the five steps; per ablation, its effect."""
    lines = []
    for reading, story in zip(findings.readings, findings.stories, strict=True):
        lines.append(f"pixel {reading.pixel.x},{reading.pixel.y}, {reading.pixel.why}")
        lines += [f"  {name.replace('_', ' '):<10} {sentence}" for name, sentence in story.steps.items()]
    return [*lines, *(ablation_sentence(ablation, findings) for ablation in findings.ablations)]


def summary(findings: Findings, page: Path, seconds: float) -> str:
    """One line: the number of updates and pixels, the time, the mean error if known, and the page to open."""
    count = len(findings.readings)
    line = f"{findings.iterations} updates at {count} pixel{'s' * (count != 1)} in {seconds:.1f} s"
    errors = findings.errors
    if errors is not None:
        line += f"; mean error {errors[0]:.2f} px after the first update, {errors[-1]:.2f} px at the end"
    return f"{line}; open {page}"


def ablation_sentence(ablation: Ablation, findings: Findings) -> str:
    """How far the flow of a run with parts switched off is from the full model's, and its error."""
    sentence = f"{ablation.switches.title}: the flow changes by {ablation.changes[-1]:.2f} px on average"
    if ablation.errors is not None and findings.errors is not None:
        sentence += f", the mean error is {ablation.errors[-1]:.2f} px instead of {findings.errors[-1]:.2f} px"
    return sentence
