"""Benchmarks, each a table: `python -m tests.benchmarks pair` or `memory`. Run them with nothing else running.

`pair` compares with torchvision, which has to be installed by hand: pip install --no-deps torchvision
"""

from __future__ import annotations

import argparse

from tests.benchmarks import memory, pair

BENCHMARKS = {"pair": pair.run, "memory": memory.run}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", choices=BENCHMARKS)
    BENCHMARKS[parser.parse_args().name]()
