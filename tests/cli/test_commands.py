"""The commands demo, eval and train."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.cli import app
from flowcli.media.demo_clip import source
from flowcli.training import pool, recipes, run

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs whose second frame is the first, moved by 2 px to the right."""
    root = tmp_path_factory.mktemp("pairs") / "scored"
    for name in ("near_1", "far_1"):
        folder = root / name
        folder.mkdir(parents=True)
        texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 66, 3), np.uint8), (0, 0), 2)
        cv2.imwrite(str(folder / "frame1.png"), texture[:, 2:])
        cv2.imwrite(str(folder / "frame2.png"), texture[:, :64])
        flow = np.zeros((48, 64, 2), np.float32)
        flow[..., 0] = 2
        np.savez(folder / "flow.npz", flow=flow)
    return root


# demo


def test_demo_scores_the_fan_and_writes_its_outputs(compute, monkeypatch) -> None:
    for name, value in {"FRAMES": 3, "HEIGHT": 96, "WIDTH": 128}.items():
        monkeypatch.setattr(source, name, value)
    clip = ["shown/in.mp4", "shown/a.png", "shown/b.png"]
    for further in (clip, []):  # the second run replaces the outputs of the first, but for the clip
        ended = compute("demo", "-o", "shown")
        assert ended.code == 0
        assert ended.out == ["shown/fan_flow.mp4", "shown/fan_side.mp4", "shown/fan_compared.png", *further]
    assert all(Path(path).stat().st_size > 0 for path in [*ended.out, *clip])
    (line,) = [line for line in ended.err if line.startswith("mean error ")]
    ours, dis = (float(part.split()[-2]) for part in line.split(", "))
    assert math.isfinite(ours) and math.isfinite(dis)
    picture = cv2.imread("shown/fan_compared.png")
    assert picture.shape[1] == 4 * 128


def test_the_demo_replaces_no_clip_of_the_user(compute, monkeypatch) -> None:
    for name, value in {"FRAMES": 3, "HEIGHT": 96, "WIDTH": 128}.items():
        monkeypatch.setattr(source, name, value)
    Path("in.mp4").write_text("mine")
    ended = compute("demo", "-o", ".")
    assert (ended.code, ended.out[-1]) == (0, "fan_compared.png")
    assert Path("in.mp4").read_text() == "mine"


def test_the_examples_of_other_commands_run_in_the_folder_of_the_demo(place, compute, monkeypatch) -> None:
    for name, value in {"FRAMES": 3, "HEIGHT": 96, "WIDTH": 128}.items():
        monkeypatch.setattr(source, name, value)
    compute("demo", "-o", "shown")
    monkeypatch.chdir(place / "shown")
    assert compute("video", "in.mp4").err[-1].startswith("2 flows in ")
    assert compute("pair", "a.png", "b.png").out == ["a_flow.png"]


# eval


def test_eval_prints_a_table_of_groups_and_methods(compute, scored) -> None:
    ended = compute("eval", "pairs", scored, "--baseline", "zero,dis")
    assert ended.code == 0
    assert ended.out[0].split() == ["EPE,", "px", "pairs", "random", "zero", "dis"]
    rows = {line.split()[0]: line.split()[1:] for line in ended.out[1 : ended.out.index("")]}
    assert list(rows) == ["far", "near", "mean"]
    assert rows["near"][0] == "1" and rows["mean"][0] == "2"
    assert rows["mean"][2] == "2.000"
    assert float(rows["mean"][3]) < 0.5


def test_eval_prints_json_of_the_documented_shape(compute, scored, weights) -> None:
    ended = compute("eval", "pairs", scored, "--baseline", "zero", "--json")
    record = json.loads("\n".join(ended.out))
    assert list(record) == ["protocol", "items", "groups", "mean", "compared"]
    assert {"method": "random", "dataset": "pairs", "iterations": 1}.items() <= record["protocol"].items()
    assert [(item["name"], item["group"]) for item in record["items"]] == [("far_1", "far"), ("near_1", "near")]
    assert all(math.isfinite(item["epe"]) for item in record["items"])
    assert set(record["groups"]) == {"far", "near"}
    assert record["compared"]["zero"]["mean"]["epe"] == pytest.approx(2)


def test_eval_compares_several_weights(compute, scored, weights) -> None:
    other = Path("other.safetensors")
    other.write_bytes(weights.read_bytes())
    ended = compute("eval", "pairs", scored, "--weights", other)
    assert ended.out[0].split()[3:] == ["other", "random"]
    (mean,) = [line for line in ended.out if line.startswith("mean ")]
    assert len(set(mean.split()[2:])) == 1


# train


def shorten(patch: pytest.MonkeyPatch, steps: int) -> None:
    """Shortens the recipe smoke to a number of tiny steps on a pool of four pairs."""
    stage = recipes.Stage("smoke", steps, 1, (128, 128), 1, (1e-4, 1e-4))
    recipe = recipes.Recipe(stages=(stage,), render_size=(144, 160), pool_pairs=4)
    patch.setitem(recipes.RECIPES, "smoke", recipe)
    patch.setattr(pool, "SHARD_PAIRS", 4)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    return lambda steps: shorten(monkeypatch, steps)


@pytest.fixture(scope="module")
def trained(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one step."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, 1)
        assert app.run(["train", "--run", str(folder), "--recipe", "smoke", "--validation", str(scored)]) == 0
    return folder


def test_train_trains_and_resumes(flowcli, quick, scored, monkeypatch) -> None:
    first_steps: list[int] = []
    train_steps = run.train_steps

    def noted(state, *arguments, **named):
        first_steps.append(state.step)
        return train_steps(state, *arguments, **named)

    monkeypatch.setattr(run, "train_steps", noted)
    line = ["train", "--run", "run", "--recipe", "smoke", "--validation", scored]
    for steps, before in ((2, ""), (3, ", 2 of them before"), (3, ", all of them before")):
        quick(steps)
        ended = flowcli(*line)
        assert ended.code == 0
        assert ended.err[-1].startswith(f"trained {steps} of {steps} steps in run{before}")
    assert first_steps == [0, 2, 3]
    made = {"best.json", "best.safetensors", "last.safetensors", "log.jsonl", "run.json", "state.pt", "validation.png"}
    assert made <= {path.name for path in Path("run").iterdir()}


def test_a_damaged_state_and_a_file_instead_of_a_folder_have_their_exit_codes(flowcli, quick) -> None:
    quick(1)
    Path("run").mkdir()
    Path("run/state.pt").write_bytes(b"PK\x03\x04 and no more")
    assert flowcli("train", "--run", "run", "--recipe", "smoke").code == 5
    Path("file").touch()
    assert flowcli("train", "--run", "file", "--recipe", "smoke").code == 7


def test_a_resumed_run_refuses_other_weights(flowcli, quick, trained) -> None:
    quick(1)
    ended = flowcli("train", "--run", trained, "--recipe", "smoke", "--weights", trained / "last.safetensors")
    assert ended.code == 2
    assert ended.err[0] == f"error: {trained} was started with pairs of another size, seed, textures or weights"


def test_trained_weights_can_be_used(flowcli, scored, trained) -> None:
    assert flowcli("eval", "pairs", scored, "--weights", trained / "best.safetensors", "--iters", 1).code == 0


@pytest.mark.parametrize(
    ("folder", "code", "error"),
    [("nope", 2, "error: nope is not a folder"), ("void", 3, "error: void has no images")],
)
def test_train_refuses_unusable_textures(flowcli, quick, folder: str, code: int, error: str) -> None:
    quick(1)
    Path("void").mkdir()
    ended = flowcli("train", "--run", "run", "--recipe", "smoke", "--textures", folder)
    assert (ended.code, ended.err[-2]) == (code, error)


def test_train_refuses_unknown_weights(flowcli, quick) -> None:
    quick(1)
    ended = flowcli("train", "--run", "run", "--recipe", "smoke", "--weights", "nope")
    assert (ended.code, ended.err[0]) == (5, "error: there are no weights called 'nope'")
