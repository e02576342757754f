"""A shell completes the values of options without loading PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowcli.cli.completion import QUALITIES, completions
from flowcli.model.quality import QUALITIES as KNOWN_QUALITIES

LINES = {
    "video in.mp4 --save flo,ov": ["flo,overlay"],
    "video in.mp4 --codec pro": ["prores"],
    "pair a.png b.png --weights raft-small-": ["raft-small-convex"],
    "video in.mp4 --quality b": ["balanced", "best"],
    "eval kit": ["kitti"],
    "weights show raft-small-": ["raft-small-convex"],
    "train --recipe sin": ["sintel"],
}


@pytest.mark.parametrize("line", LINES)
def test_values_are_completed_in_bash_without_torch(tmp_path: Path, line: str) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')")
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    words = f"flowcli {line}"
    done = subprocess.run(
        [sys.executable, "-c", "from flowcli.cli.app import app; app(prog_name='flowcli')"],
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "_FLOWCLI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (LINES[line], "")


def test_completed_qualities_are_those_that_exist() -> None:
    assert set(QUALITIES) == set(KNOWN_QUALITIES)
    assert completions("quality", "e") == ["exact"]
