"""flowcli eval: tables, protocol, pictures, resuming, submissions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flowcli.evaluation import benchmark, methods
from flowcli.evaluation.benchmark import Benchmark, run_benchmark, to_estimate
from flowcli.evaluation.datasets import Sample
from flowcli.evaluation.methods import MethodOptions, method_options
from flowcli.evaluation.scores import effort_in_words
from flowcli.flow.error_map import colour_error, error_picture
from flowcli.flow.formats import flo, kitti
from flowcli.model.quality import Effort
from flowcli.system.console import Console
from flowcli.system.signals import Stop, StoppedError
from tests import trees

pytestmark = pytest.mark.usefixtures("place")

QUIET = Console(quiet=True)
ZERO = MethodOptions(weights=(), baselines=("zero",))


def test_sintel_is_scored_by_pass_with_occluded_pixels_separately(flowcli) -> None:
    trees.sintel(Path("sintel"))
    ended = flowcli("eval", "sintel", "sintel", "--weights", "raft-small", "--iters", 1, "--baseline", "zero", "--json")
    assert ended.code == 0
    record = json.loads("\n".join(ended.out))
    assert record["protocol"]["padding"] == "centre (sintel)"
    zero = record["compared"]["zero"]
    assert set(zero["groups"]) == {"clean", "final"}
    item = zero["items"][0]
    assert (item["name"], item["pixels"], item["occluded_pixels"]) == ("clean/alley_1/frame_0001", 47, 1)
    speed = np.hypot(*trees.flow_of(1).transpose(2, 0, 1))
    assert item["occluded"] == pytest.approx(speed[2, 3])
    assert item["epe"] == pytest.approx((speed.sum() - speed[0, 1]) / 47)


def test_invalid_pixels_count_when_all_pixels_are_requested(flowcli) -> None:
    trees.sintel(Path("sintel"))
    scores = run_benchmark(Benchmark("sintel", Path("sintel"), ZERO, count_invalid=True), QUIET)
    assert scores.reports["zero"].items[0].metrics.epe.count == 48
    assert scores.notes()[0] == "sintel, validation part, all pixels of known flow."


def test_kitti_is_padded_at_the_bottom_by_default() -> None:
    options = {"weights": ["x"], "baselines": "", "effort": Effort(), "device": "cpu"}
    found = [
        method_options(dataset, warm_start=False, padding=padding, **options).placement  # type: ignore[arg-type]
        for dataset, padding in (("kitti", "auto"), ("sintel", "auto"), ("kitti", "centre"))
    ]
    assert found == ["bottom", "centre", "centre"]


@pytest.mark.parametrize(
    ("effort", "words"),
    [
        (Effort(), "up to 24 iterations at a tolerance of 1.2 px, learned refinement, calm pairs at half the size"),
        (Effort(refine="variational", iterations="6"), "6 iterations, variational refinement"),
        (Effort(quality="exact"), "32 iterations"),
    ],
)
def test_the_protocol_states_updates_and_refinement(effort: Effort, words: str) -> None:
    options = method_options(
        "pairs",
        weights=["raft-small-convex"],
        baselines="",
        effort=effort,
        device="cpu",
        warm_start=False,
        padding="auto",
    )
    (method,) = methods.methods(options)
    assert effort_in_words(method.protocol) == words


def test_the_table_states_the_protocol(flowcli, weights) -> None:
    trees.kitti_2015(Path("kitti"))
    ended = flowcli("eval", "kitti", "kitti", "--weights", weights, "--iters", 2, "--baseline", "zero", "--worst", 1)
    assert ended.code == 0
    text = "\n".join(ended.out)
    assert "random: 2 iterations, float32, padding bottom (kitti), cold start, cpu; sha256 " in text
    titles = [line.split("  ")[0].strip() for line in ended.out]
    wanted = ["EPE, px", "within 1 px, %", "within 3 px, %", "within 5 px, %", "Fl-all, %", "WAUC, %", "EPE s0-10, px"]
    assert [title for title in titles if title in wanted] == ["EPE, px", *wanted, *wanted]
    assert "EPE non-occluded, px" in titles and "EPE s40+, px" not in titles
    worst = ended.out[titles.index("worst pairs") + 1 :][:2]
    assert all("kitti2015" in line for line in worst)


def test_csv_has_a_line_for_each_pair_and_method(flowcli) -> None:
    trees.middlebury(Path("mb"))
    ended = flowcli("eval", "middlebury", "mb", "--baseline", "zero,farneback", "--iters", 1, "--csv", "-q")
    records = list(csv.DictReader(ended.out))
    assert [(record["method"], record["name"]) for record in records] == [
        (method, "Venus") for method in ("raft-small-convex", "zero", "farneback")
    ]
    assert float(records[1]["epe"]) == pytest.approx(np.hypot(*trees.flow_of(1).reshape(-1, 2)[1:].T).mean())
    assert records[1]["s40"] == ""


# Resuming


class Counted:
    """A method of zero flow that records its calls, and stops the run at the call of number `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls: list[bool] = []
        self.stop_at = stop_at

    def __call__(self, first: np.ndarray, second: np.ndarray, *, continues: bool) -> np.ndarray:
        if len(self.calls) == self.stop_at:
            raise Stop(2)
        self.calls.append(continues)
        return np.zeros((*first.shape[:2], 2), np.float32)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch):
    """Makes a `Counted` the only method of runs."""

    def use(*, stop_at: int | None = None, warm: bool = False) -> Counted:
        estimate = Counted(stop_at)
        method = methods.Method("counted", estimate, {"warm_start": warm})
        monkeypatch.setattr(benchmark, "methods", lambda _: [method])
        return estimate

    return use


@pytest.mark.parametrize(("warm", "repeated"), [(False, [True, False, False, True, False]), (True, None)])
def test_a_stopped_run_is_resumed(counted, warm: bool, repeated: list[bool] | None) -> None:
    trees.sintel(Path("sintel"))
    run = Benchmark("sintel", Path("sintel"), ZERO, folder=Path("out"))
    counted(warm=warm)
    whole = run_benchmark(run, QUIET).text()
    again = Benchmark("sintel", Path("sintel"), ZERO, folder=Path("other"), resume=True)
    counted(stop_at=1, warm=warm)
    with pytest.raises(StoppedError) as stopped:
        run_benchmark(again, QUIET)
    assert (stopped.value.exit_code, stopped.value.hint) == (130, "--resume continues from here")
    with Path("other/scores.jsonl").open("a") as file:
        file.write('{"method": "counted", "na')  # an incomplete line, as after a kill
    resumed = counted(warm=warm)
    assert run_benchmark(again, QUIET).text() == whole
    # With warm start, the previous pair is estimated again, as the next one starts from its flow.
    assert resumed.calls == (repeated or [False, True, False, False, True, False])
    assert Path("other/eval.json").read_text() == whole
    finished = counted(warm=warm)
    assert run_benchmark(again, QUIET).text() == whole
    assert finished.calls == []


def test_warm_sequences_are_estimated_again_from_their_first_pair() -> None:
    samples = [
        Sample(name, "x", Path(), Path(), None, continues=name[1] != "1") for name in ("a1", "a2", "a3", "b1", "b2")
    ]
    assert to_estimate(samples, {"a1", "b1", "b2"}, warm=False) == {"a2", "a3"}
    assert to_estimate(samples, {"a1", "b1", "b2"}, warm=True) == {"a1", "a2", "a3"}
    assert to_estimate(samples, {"a1", "a2", "a3", "b1", "b2"}, warm=True) == set()


def test_a_finished_run_is_neither_overwritten_nor_mixed_with_another(flowcli) -> None:
    trees.middlebury(Path("mb"))
    line = ("eval", "middlebury", "mb", "--iters", 1, "-o", "out")
    assert flowcli(*line).code == 0
    ended = flowcli(*line)
    assert (ended.code, ended.err[0]) == (2, "error: out/scores.jsonl exists already")
    ended = flowcli(*line, "--resume", "--baseline", "zero")
    assert (ended.code, ended.err[0]) == (2, "error: out/scores.jsonl was started with other data, methods or settings")
    assert flowcli(*line, "--resume").code == 0
    assert flowcli(*line, "-y", "--baseline", "zero").code == 0
    assert flowcli("eval", "middlebury", "mb", "--resume").err[0] == "error: --resume needs the folder of the run"


# Warm start

TWO = Effort(iterations="2", scale=1, precision="fp32")


def test_warm_start_changes_only_pairs_that_continue(weights) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (128, 128, 3), np.uint8) for _ in range(3)]

    def flows(*, warm: bool, continues: bool) -> list[np.ndarray]:
        (method,) = methods.methods(MethodOptions((str(weights),), effort=TWO, device="cpu", warm_start=warm))
        first = method.estimate(frames[0], frames[1], continues=False)
        return [first, method.estimate(frames[1], frames[2], continues=continues)]

    cold, warm = flows(warm=False, continues=True), flows(warm=True, continues=True)
    restarted = flows(warm=True, continues=False)
    assert np.allclose(cold[0], warm[0], atol=1e-4)
    assert not np.allclose(cold[1], warm[1], atol=1e-2)
    assert np.allclose(cold[1], restarted[1], atol=1e-4)


def test_warm_flow_equals_that_of_the_published_warm_start(weights) -> None:
    """princeton-vl/RAFT initialises the flow by the previous pair's flow at 1/8, carried forward along itself."""
    from flowcli.model.weights import find, load
    from raft_core.images import to_model_range
    from raft_core.warm_start import carry_forward

    random = np.random.default_rng(1)
    frames = [random.integers(0, 256, (128, 136, 3), np.uint8) for _ in range(3)]
    (method,) = methods.methods(MethodOptions((str(weights),), effort=TWO, device="cpu", warm_start=True))
    method.estimate(frames[0], frames[1], continues=False)
    found = method.estimate(frames[1], frames[2], continues=True)
    model = load(find(str(weights))).eval()
    images = [to_model_range(torch.from_numpy(frame).permute(2, 0, 1)[None]) for frame in frames]
    before = model.estimate(images[0], images[1], iterations=2).flow
    after = model.estimate(images[1], images[2], iterations=2, initial_flow=carry_forward(before))
    assert np.allclose(found, after.upsampled()[0].permute(1, 2, 0).numpy(), atol=1e-4)


# Pictures of errors


def test_the_worst_pairs_are_drawn_and_the_others_are_not() -> None:
    trees.kitti_2015(Path("kitti"))
    speeds = {number: np.hypot(*trees.flow_of(number).reshape(-1, 2)[1:].T).mean() for number in (0, 7)}
    worst = max(speeds, key=speeds.__getitem__)
    run_benchmark(Benchmark("kitti", Path("kitti"), ZERO, folder=Path("out"), worst=1), QUIET)
    (picture,) = Path("out/worst/zero").iterdir()
    assert picture.name == f"{worst:06d}_10.png"
    assert cv2.imread(str(picture)).shape == (28 + 6 + 28, 4 * 8, 3)


def test_larger_errors_are_brighter_and_unknown_ground_truth_is_grey() -> None:
    error = np.array([[0.01, 0.5, 2.0, 8.0, 100.0, 1.0]], np.float32)
    valid = np.array([[True, True, True, True, True, False]])
    image = colour_error(error, valid)[0].astype(int).sum(axis=1)
    assert list(image[:5]) == sorted(image[:5]) and len(set(image[:5])) == 5
    assert colour_error(error, valid)[0, 5].tolist() == [128, 128, 128]


def test_flow_of_nan_can_be_drawn_as_an_error() -> None:
    frame, flow = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 2), np.nan, np.float32)
    picture = error_picture(frame, np.zeros((40, 60, 2), np.float32), flow, np.ones((40, 60), bool))
    assert picture.shape == (28 + 40 + 28, 240, 3)


# Submissions


def test_a_sintel_submission_has_a_flo_file_for_every_test_pair(flowcli) -> None:
    trees.sintel(Path("sintel"))
    line = ("eval", "sintel", "sintel", "--iters", 1, "--warm-start", "--submit", "sent")
    ended = flowcli(*line)
    assert (ended.code, ended.err[-1]) == (0, "2 flows of raft-small-convex in sent")
    written = sorted(path for path in Path("sent").rglob("*") if path.is_file())
    assert [str(path) for path in written] == [f"sent/{name}/ambush_1/frame0001.flo" for name in ("clean", "final")]
    assert all(flo.read(path).shape == (6, 8, 2) for path in written)
    assert flowcli(*line).err[0] == "error: sent/clean/ambush_1/frame0001.flo exists already"
    written[1].unlink()
    before = written[0].stat().st_mtime_ns
    assert flowcli(*line, "--resume").code == 0
    assert written[1].is_file() and written[0].stat().st_mtime_ns == before


def test_a_kitti_submission_has_a_png_for_every_test_pair(flowcli) -> None:
    trees.kitti_2015(Path("kitti"))
    assert flowcli("eval", "kitti", "kitti", "--iters", 1, "--submit", "sent").code == 0
    names = sorted(str(path) for path in Path("sent").rglob("*.png"))
    assert names == ["sent/flow/000000_10.png", "sent/flow/000007_10.png"]
    assert np.isfinite(kitti.read(Path(names[0]))).all()


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("chairs", "x", "--submit", "sent"), 2, "error: chairs takes no submissions"),
        (("nope", "x"), 2, "error: there is no dataset called 'nope'"),
        (("sintel", "nowhere"), 2, "error: nowhere does not exist"),
        (("sintel", "void"), 3, "error: void holds no folder training"),
        (("sintel", "void", "--padding", "left"), 2, "error: --padding left is not known"),
        (("sintel", "void", "--part", "half"), 2, "error: there is no half part of a dataset"),
        (("sintel", "void", "--baseline", "nope"), 2, "error: there is no baseline nope"),
    ],
)
def test_wrong_usage_is_refused_with_one_sentence(flowcli, arguments: tuple[str, ...], code: int, error: str) -> None:
    Path("void").mkdir()
    ended = flowcli("eval", *arguments)
    assert (ended.code, ended.err[0]) == (code, error)
