"""Lists the clips of a folder that are worth training on, those with most motion of their own first.

flowcli batch clips -o flows --save stats --quality fast && python curate.py flows/motion.csv
"""

from __future__ import annotations

import csv
import sys


def keeps(clip: dict[str, str]) -> bool:
    """Whether a clip is one shot that moves, but not too fast, with flow that explains its frames."""
    if clip["status"] != "done" or clip["cuts"] != "0" or float(clip["still_share"]) > 0.1:
        return False
    explained = float(clip["photometric_after"]) < 0.8 * float(clip["photometric_before"])
    return explained and 0.02 < float(clip["mean_diagonal_per_second"]) < 2


def main(table: str) -> None:
    """Prints the clips of a table that are kept."""
    with open(table, newline="", encoding="utf-8") as file:  # noqa: PTH123 - as people write it
        kept = [clip for clip in csv.DictReader(file) if keeps(clip)]
    for clip in sorted(kept, key=lambda clip: float(clip["own_px"]), reverse=True):
        print(clip["clip"])


if __name__ == "__main__":
    main(sys.argv[1])
