"""Figures of a benchmark with their references, the table of figures, and the history in the repository."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import torch

HISTORY = Path(__file__).with_name("history.jsonl")
ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """A measured value in `unit`, the value of its reference `against`, and the limit `at_most` of their ratio."""

    name: str
    value: float
    unit: str
    against: str = ""
    reference: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value divided by the reference."""
        return None if self.reference is None else self.value / self.reference


def medians(*, rounds: int = ROUNDS, **options: Callable[[], object]) -> dict[str, float]:
    """The median seconds of each function, called in turns; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in options}
    for _ in range(rounds + 1):
        for name, function in options.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}


def use_threads(count: int) -> None:
    """Sets the number of threads of this process and of processes that it starts."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def machine() -> dict[str, Any]:
    """The facts that the figures depend on."""
    capabilities = torch.cpu.get_capabilities()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "processor": processor(),
        "bfloat16": [name for name in ("avx512_bf16", "amx_bf16") if capabilities.get(name)],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1),
    }


def processor() -> str:
    """The processor's name, family and model from /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    known = {key.strip(): value.strip() for key, value in facts.items()}
    return f"{known.get('model name', 'unknown')}, family {known.get('cpu family')}, model {known.get('model')}"


def earlier_ratios(facts: dict[str, Any]) -> dict[str, float]:
    """The latest ratio of every figure in the history with the same processor and number of threads."""
    entries = [json.loads(line) for line in HISTORY.read_text().splitlines()] if HISTORY.exists() else []
    alike = [entry for entry in entries if all(entry["machine"][key] == facts[key] for key in ("processor", "threads"))]
    return {figure["name"]: figure["ratio"] for entry in alike for figure in entry["figures"] if figure["ratio"]}


def line_of(figure: Figure, before: float | None) -> str:
    """One line of the table."""
    if figure.reference is None:
        reference = figure.against if figure.at_most is None else f"no {figure.against}"
    else:
        reference = f"{figure.against} {figure.reference:.3g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    limit = "" if figure.at_most is None or figure.ratio is None else f"<= {figure.at_most:.2f}"
    missed = "MISSED" if limit and (figure.ratio or 0) > (figure.at_most or 0) else ""
    earlier = "" if before is None else f"was {before:.2f}"
    columns = f"{figure.value:8.3g} {figure.unit:2}  {reference:28} {ratio:>6}  {limit:7} {earlier:9} {missed}"
    return f"{figure.name:52} {columns}".rstrip()


def print_head(facts: dict[str, Any]) -> None:
    """Prints the facts that the figures depend on."""
    print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)


def append_to_history(facts: dict[str, Any], figures: Sequence[Figure]) -> None:
    """Adds a line to the history."""
    record = {"machine": facts, "figures": [record_of(figure) for figure in figures]}
    with HISTORY.open("a") as file:
        file.write(json.dumps(record) + "\n")


def record_of(figure: Figure) -> dict[str, Any]:
    """A figure as JSON values, to four significant digits."""
    content = {**asdict(figure), "ratio": figure.ratio}
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in content.items()}
