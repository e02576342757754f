"""The Python snippets of the README and the guide, and their job array, run as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.docs.markdown import GUIDE, commands, snippets, text

SNIPPETS = [
    pytest.param(code, id=f"{name}, {number}") for name in GUIDE for number, code in enumerate(snippets(name), start=1)
]
RECIPES = "docs/recipes.md"


@pytest.fixture
def inputs(tmp_path: Path, make_video, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the snippets name, in the current folder."""
    import flowcli.model.weights
    from flowcli.flow.formats import flo

    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8), (0, 0), 2)
    for name, shift in (("a.png", 4), ("b.png", 0)):
        cv2.imwrite(str(tmp_path / name), texture[:, shift : shift + 64])
    flo.write(tmp_path / "a_flow.flo", np.zeros((48, 64, 2), np.float32))
    make_video("in.mp4", frames=5)
    embedded = flowcli.model.weights.find("raft-small").path
    (tmp_path / embedded.name).write_bytes(embedded.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("code", SNIPPETS)
def test_every_snippet_runs(code: str) -> None:
    names: dict[str, object] = {}
    exec(compile(code, "snippet", "exec"), names)
    if re.search(r"^\s*flow = ", code, re.MULTILINE):
        assert tuple(names["flow"].shape) in {(48, 64, 2), (1, 2, 240, 320)}  # type: ignore[attr-defined]


def test_the_job_array_computes_every_clip_once(compute, inputs: Path, make_video) -> None:
    (inputs / "clips").mkdir()
    for number in range(3):
        make_video(f"clips/{number}.mp4", frames=2)
    count = int(re.findall(r"#SBATCH --array=1-(\d+)", text(RECIPES))[0])
    (shard,) = (line for line in commands(RECIPES) if "SLURM_ARRAY_TASK_ID" in line)
    total = shard.partition(" --shard")[0] + " --report"
    assert total in commands(RECIPES)
    for number in range(1, count + 1):
        assert compute(*shard.replace("$SLURM_ARRAY_TASK_ID", str(number)).split()).code == 0
    before = {path: path.stat().st_mtime_ns for path in (inputs / "flows").glob("*_flow.*")}
    assert len(before) == 6
    assert compute(*total.split()).code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert json.loads((inputs / "flows/batch.json").read_bytes())["counts"] == {"done": 3}
    assert (inputs / "flows/report.html").exists()


def test_the_readme_has_snippets() -> None:
    assert len(SNIPPETS) >= 8


def test_ci_runs_what_the_readme_says() -> None:
    script = Path(__file__).parents[1] / ".ci/run"
    if not script.exists():
        pytest.skip("not in a source distribution")
    steps = script.read_text(encoding="utf-8").replace(" --quiet", "").replace(' -o "$(mktemp -d)"', "").splitlines()
    lines = re.findall(r"^ {4}(.*\.venv/bin/pip install.*)$", text("README.md"), re.MULTILINE)
    assert len(lines) == 2
    assert {step for line in lines for step in line.split(" && ")} <= set(steps)
