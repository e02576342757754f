"""The README's Python snippets and job array run as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def inputs(tmp_path: Path, make_video, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the snippets name, in the current folder."""
    import flowcli.model.weights

    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8), (0, 0), 2)
    for name, shift in (("a.png", 4), ("b.png", 0)):
        cv2.imwrite(str(tmp_path / name), texture[:, shift : shift + 64])
    make_video("in.mp4", frames=5)
    embedded = flowcli.model.weights.find("raft-small").path
    (tmp_path / embedded.name).write_bytes(embedded.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_the_readmes_snippets_run(number: int) -> None:
    names: dict[str, object] = {}
    exec(compile(SNIPPETS[number], f"README.md, snippet {number}", "exec"), names)
    flow = names["flow"]
    assert tuple(flow.shape) in {(48, 64, 2), (1, 2, 240, 320)}  # type: ignore[attr-defined]


def test_the_readmes_job_array_computes_every_clip_once(compute, inputs: Path, make_video) -> None:
    (inputs / "clips").mkdir()
    for number in range(3):
        make_video(f"clips/{number}.mp4", frames=2)
    count = int(re.findall(r"#SBATCH --array=1-(\d+)", README)[0])
    (shard,) = re.findall(r"^    (flowcli batch .*SLURM_ARRAY_TASK_ID.*)$", README, re.MULTILINE)
    total = shard.partition(" --shard")[0] + " --report"
    assert f"    {total}\n" in README
    for number in range(1, count + 1):
        assert compute(*shard.replace("$SLURM_ARRAY_TASK_ID", str(number)).split()[1:]).code == 0
    before = {path: path.stat().st_mtime_ns for path in (inputs / "flows").glob("*_flow.*")}
    assert len(before) == 6
    assert compute(*total.split()[1:]).code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert json.loads((inputs / "flows/batch.json").read_bytes())["counts"] == {"done": 3}
    assert (inputs / "flows/report.html").exists()


def test_the_readme_has_snippets() -> None:
    assert len(SNIPPETS) >= 2
