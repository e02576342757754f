"""A training process that is killed, not asked to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Trains six tiny steps, saving each; kills itself while it draws the batch of the step named on its command line.
TRAIN = """
import os, signal, sys
from flowcli.training import batches, pool, recipes
from flowcli.training import run as runs
from flowcli.cli.app import main

kill_at = int(sys.argv.pop())
stage = recipes.Stage("tiny", 6, 1, (128, 128), 2, (4e-4, 1e-4))
recipes.RECIPES["smoke"] = recipes.Recipe(stages=(stage,), render_size=(136, 144), pool_pairs=8)
pool.SHARD_PAIRS, runs.SECONDS_BETWEEN_SAVES, runs.STEPS_BETWEEN_LINES = 4, 0, 1
draw_from_pool = batches.draw_from_pool

def draw_or_die(*arguments):
    draw = draw_from_pool(*arguments)
    def drawn(number, stage):
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(number, stage)
    return drawn

batches.draw_from_pool = draw_or_die
main()
"""


def train(folder: Path, *, kill_at: int) -> int:
    line = ["train", "--run", str(folder), "--recipe", "smoke", "--threads", "1", "--device", "cpu", str(kill_at)]
    return subprocess.run([sys.executable, "-c", TRAIN, *line], cwd=ROOT, capture_output=True, check=False).returncode


def loss_curve(folder: Path) -> dict[int, float]:
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {record["step"]: record["loss"] for record in records}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_training_resumed_after_a_kill_gives_the_same_loss_curve(tmp_path: Path) -> None:
    assert train(tmp_path / "whole", kill_at=-1) == 0
    assert train(tmp_path / "killed", kill_at=3) == -signal.SIGKILL
    before = loss_curve(tmp_path / "killed")
    assert list(before) == [1, 2, 3]
    assert train(tmp_path / "killed", kill_at=-1) == 0
    assert loss_curve(tmp_path / "killed") == loss_curve(tmp_path / "whole")
    assert list(loss_curve(tmp_path / "whole")) == [1, 2, 3, 4, 5, 6]
