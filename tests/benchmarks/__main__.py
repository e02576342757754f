"""Benchmarks; run them on an otherwise idle machine.

Without NAME, they print a table of median times and their ratios to torchvision's RAFT and motionflow's Farneback,
where those are installed (pip install --no-deps torchvision motionflow==0.1.0), to OpenCV's DIS, and to the time of
equivalent matrix products; names of the table select its parts. `gpu` compares a GPU with the CPU. The others measure
memory, long runs, batches in several processes, drawing, the frontier of error and time, flicker, warm start,
occlusion and plain scenes.
"""

from __future__ import annotations

import argparse
import json
import os

from tests.benchmarks import (
    batch,
    drawing,
    flicker,
    frontier,
    gpu,
    memory,
    occlusion,
    pipeline,
    plain_scenes,
    processes,
    soak,
    speed,
    warm_start,
)
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
    "pipeline": pipeline.pipeline,
}
OTHERS = {
    "gpu": gpu.run,
    "memory": memory.run,
    "soak": soak.run,
    "batch": batch.run,
    "drawing": drawing.run,
    "frontier": frontier.run,
    "flicker": flicker.run,
    "warm_start": warm_start.run,
    "occlusion": occlusion.run,
    "plain_scenes": plain_scenes.run,
}


def main() -> None:
    """Runs the benchmarks named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TABLE)}; {', '.join(OTHERS)}")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: one for each core")
    parser.add_argument("--json", action="store_true", help="print figures and machine as JSON")
    parser.add_argument("--append", action="store_true", help="add them to tests/benchmarks/history.jsonl")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in TABLE and name not in OTHERS]:
        parser.error(f"there is no {unknown[0]}")
    use_threads(arguments.threads)
    for name in arguments.names:
        if name in OTHERS:
            OTHERS[name]()
    parts = [name for name in arguments.names or TABLE if name in TABLE]
    if not parts:
        return
    facts, figures = machine(), []
    earlier = earlier_ratios(facts)
    if not arguments.json:
        print_head(facts)
    for part in parts:
        for figure in TABLE[part]():
            figures.append(figure)
            if not arguments.json:
                print(line_of(figure, earlier.get(figure.name)), flush=True)
    if arguments.json:
        print(json.dumps({"machine": facts, "figures": [record_of(figure) for figure in figures]}, indent=1))
    if arguments.append:
        append_to_history(facts, figures)


if __name__ == "__main__":
    main()
