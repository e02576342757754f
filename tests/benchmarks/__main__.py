"""Benchmarks, each a table: `python -m tests.benchmarks NAME`. Run them with nothing else running.

`pair` compares with torchvision, which has to be installed by hand: pip install --no-deps torchvision
"""

from __future__ import annotations

import argparse

from tests.benchmarks import batch, drawing, memory, occlusion, pair, soak, warm_start

BENCHMARKS = {
    "pair": pair.run,
    "batch": batch.run,
    "memory": memory.run,
    "soak": soak.run,
    "drawing": drawing.run,
    "warm_start": warm_start.run,
    "occlusion": occlusion.run,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS)
    BENCHMARKS[parser.parse_args().name]()
