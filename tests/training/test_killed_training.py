"""A training process that is ended by SIGKILL, and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# For each pair of arguments, a folder and a step, forks a process that trains six tiny steps, saving each, and kills
# itself while it draws the batch of that step; prints the exit statuses and logs as JSON. Imports are done only once.
TRAIN = """
import json, os, signal, sys
from pathlib import Path
from flowcli.training import batches, pool, recipes, watch
from flowcli.cli import app

stage = recipes.Stage("tiny", 6, 1, (128, 128), 2, (4e-4, 1e-4))
recipes.RECIPES["smoke"] = recipes.Recipe(stages=(stage,), render_size=(136, 144), pool_pairs=8)
pool.SHARD_PAIRS, watch.SECONDS_BETWEEN_SAVES, watch.STEPS_BETWEEN_LINES = 4, 0, 1
draw_from_pool = batches.draw_from_pool

def draw_or_die(*arguments):
    draw = draw_from_pool(*arguments)
    def drawn(number, stage):
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(number, stage)
    return drawn

batches.draw_from_pool = draw_or_die
results = []
for folder, step in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    kill_at, child = step, os.fork()
    if not child:
        line = ["train", "--run", folder, "--recipe", "smoke", "--threads", "1", "--device", "cpu"]
        os._exit(app.run(line))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    results.append((status, (Path(folder) / "log.jsonl").read_text()))
print(json.dumps(results))
"""


def train(*runs: tuple[Path, int]) -> list[tuple[int, dict[int, float]]]:
    """The exit status and the loss by step of each run of a folder, which is killed at a step."""
    arguments = [str(argument) for run in runs for argument in run]
    done = subprocess.run([sys.executable, "-c", TRAIN, *arguments], cwd=ROOT, capture_output=True, check=True)
    results = [(status, map(json.loads, log.splitlines())) for status, log in json.loads(done.stdout.splitlines()[-1])]
    return [(status, {record["step"]: record["loss"] for record in records}) for status, records in results]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL and no fork")
@pytest.mark.slow
def test_training_resumed_after_a_kill_gives_the_same_loss_curve(tmp_path: Path) -> None:
    whole, killed, resumed = train((tmp_path / "whole", -1), (tmp_path / "killed", 3), (tmp_path / "killed", -1))
    assert whole[0] == 0 and list(whole[1]) == [1, 2, 3, 4, 5, 6]
    assert killed[0] == -signal.SIGKILL and list(killed[1]) == [1, 2, 3]
    assert resumed == whole
