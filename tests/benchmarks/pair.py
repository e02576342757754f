"""One pair on the CPU: ours against torchvision's, with the same weights, interleaved in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch

from flowcli.device import keep_memory
from raft_core import checkpoint
from tests.peers import torchvision_raft

HEIGHT, WIDTH, ITERATIONS, ROUNDS = 440, 1024, 12, 7


def run() -> None:
    """Prints the medians, their ratio and the largest difference of the flows, for both sizes."""
    print(f"{HEIGHT}x{WIDTH}, {ITERATIONS} iterations, float32, {torch.get_num_threads()} threads, median of {ROUNDS}")
    for size in ("small", "large"):
        compare(size)


def compare(size: str) -> None:
    """One line for one size."""
    torch.manual_seed(0)
    theirs = getattr(torchvision_raft(), f"raft_{size}")(weights=None).eval()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(theirs.state_dict(), Path(folder) / "raft.pth")
        ours = checkpoint.load(Path(folder) / "raft.pth")
    first, second = torch.rand(2, 1, 3, HEIGHT, WIDTH) * 2 - 1
    seconds: dict[str, list[float]] = {"torchvision": [], "flowcli": [], "flowcli, memory kept": []}
    with torch.inference_mode():
        for kept in (False, True):
            if kept:
                keep_memory()
            for _ in range(ROUNDS + 1):
                started = time.perf_counter()
                expected = theirs(first, second, num_flow_updates=ITERATIONS)[-1]
                between = time.perf_counter()
                flow = ours.estimate(first, second, iterations=ITERATIONS).upsampled()
                seconds["flowcli, memory kept" if kept else "flowcli"].append(time.perf_counter() - between)
                seconds["torchvision, memory kept" if kept else "torchvision"] = [
                    *seconds.get("torchvision, memory kept" if kept else "torchvision", []),
                    between - started,
                ]
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    difference = (flow - expected).abs().max().item()
    print(f"{size}: " + ", ".join(f"{name} {median:.3f} s" for name, median in medians.items()))
    print(f"  ratio {medians['flowcli'] / medians['torchvision']:.2f}, largest difference {difference:.1e} px")
