"""Prints the expected and actual exit code of every fault: `python -m tests.faults`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from raft_core import checkpoint
from raft_core.raft import RAFT
from tests.faults import checkpoints, kinds, notes, pictures, surroundings, system, times, videos  # noqa: F401 - they register their faults
from tests.faults.registry import FAULTS
from tests.faults.running import run_fault

SECTIONS = {
    "4.1": "video input",
    "4.2": "images and flow files",
    "4.3": "checkpoints",
    "4.4": "outputs, names and options",
    "4.5": "the system",
    "4.6": "lists, records and inspect",
    "4.7": "kinds of image, colour and stream",
    "4.8": "times, counts and orders",
}
# Similar faults that others pass, as measured for ../shared/reliability.md, section 1.
PEERS = "motionflow 0.1.0: 52 of 82; ffmpeg 9.0.2: 12 of 14; princeton-vl's .flo reader: 0 of 8; OpenCV's: 7 of 8"


def score() -> None:
    """Prints a line per fault, and totals per section."""
    sums = []
    with tempfile.TemporaryDirectory() as name:
        weights = Path(name) / "random.safetensors"
        torch.manual_seed(0)
        checkpoint.save(RAFT(), weights)
        for section, title in SECTIONS.items():
            print(f"\n{section} {title}\n{'fault':58} expected actual")
            faults = [fault for fault in FAULTS if fault.section == section]
            passed = 0
            for number, fault in enumerate(faults):
                folder = Path(name) / f"{section}-{number}"
                folder.mkdir()
                outcome = run_fault(fault, folder, weights)
                passed += not outcome.wrong
                print(f"{fault.name:58} {fault.code:8} {outcome.code:6} {'; '.join(outcome.wrong)}", flush=True)
            sums.append((passed, len(faults)))
            print(f"flowcli {passed} of {len(faults)}")
    print(f"\nflowcli {sum(passed for passed, _ in sums)} of {sum(count for _, count in sums)}\n{PEERS}")


if __name__ == "__main__":
    score()
