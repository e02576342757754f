"""Benchmarks. Run them with nothing else running.

Without NAME: how fast flowcli is, as a table of medians and their ratios to torchvision's RAFT and motionflow's
Farneback, where those are installed (pip install --no-deps torchvision motionflow==0.1.0), OpenCV's DIS, and the limit
that the processor's matrix products set. With some of the table's names: that part of it. `gpu` is for the first run on
a GPU. The others tell about memory, long runs, batches in several processes, drawing, warm start and occlusion.
"""

from __future__ import annotations

import argparse
import json
import os

from tests.benchmarks import batch, drawing, gpu, memory, occlusion, processes, soak, speed, warm_start
from tests.benchmarks.figures import (
    append_to_history,
    earlier_ratios,
    line_of,
    machine,
    print_head,
    record_of,
    use_threads,
)

TABLE = {
    "pair": speed.pair,
    "video": speed.video,
    "update": speed.update,
    "large": processes.large,
    "start": processes.start,
    "whole": processes.whole,
}
OTHERS = {
    "gpu": gpu.run,
    "memory": memory.run,
    "soak": soak.run,
    "batch": batch.run,
    "drawing": drawing.run,
    "warm_start": warm_start.run,
    "occlusion": occlusion.run,
}


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TABLE)}; {', '.join(OTHERS)}")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: as many as there are cores")
    parser.add_argument("--json", action="store_true", help="print figures and machine as JSON")
    parser.add_argument("--append", action="store_true", help="add them to tests/benchmarks/history.jsonl")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in TABLE and name not in OTHERS]:
        parser.error(f"there is no {unknown[0]}")
    use_threads(asked.threads)
    for name in asked.names:
        if name in OTHERS:
            OTHERS[name]()
    parts = [name for name in asked.names or TABLE if name in TABLE]
    if not parts:
        return
    facts, figures = machine(), []
    earlier = earlier_ratios(facts)
    if not asked.json:
        print_head(facts)
    for part in parts:
        for figure in TABLE[part]():
            figures.append(figure)
            if not asked.json:
                print(line_of(figure, earlier.get(figure.name)), flush=True)
    if asked.json:
        print(json.dumps({"machine": facts, "figures": [record_of(figure) for figure in figures]}, indent=1))
    if asked.append:
        append_to_history(facts, figures)


if __name__ == "__main__":
    main()
