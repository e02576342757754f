"""flowcli inspect: what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.flow.formats import flo
from raft_core import checkpoint
from raft_core.config import SMALL_CONVEX
from raft_core.raft import RAFT

pytestmark = pytest.mark.usefixtures("place", "one_picture")

SIZE = (140, 203)  # padded by 2 and 2, and by 2 and 3


def write_pair(folder: Path, size: tuple[int, int] = SIZE) -> tuple[Path, Path]:
    """A texture of `size` (height, width) that moves by 6 px to the right, as a.png and b.png."""
    noise = np.random.default_rng(0).integers(0, 256, (size[0], size[1] + 6, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    for name, picture in {"a.png": texture[:, 6:], "b.png": texture[:, :-6]}.items():
        cv2.imwrite(str(folder / name), picture)
    return folder / "a.png", folder / "b.png"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path)


def test_the_last_update_is_the_flow_of_pair(compute, pair) -> None:
    assert compute("inspect", *pair, "--at", "100,70", "--at", "3,5").code == 0
    assert compute("pair", *pair, "--save", "flo").code == 0
    record = json.loads(Path("a_inspect/inspect.json").read_text())
    flow = flo.read(Path("a_flow.flo"))
    for pixel in record["pixels"]:
        assert pixel["flow"] == pytest.approx(flow[pixel["y"], pixel["x"]], abs=1e-5)


def test_the_record_holds_the_numbers_of_every_update(flowcli, weights, pair) -> None:
    assert flowcli("inspect", *pair, "--at", "9,9", "--weights", weights, "--iters", 3).code == 0
    record = json.loads(Path("a_inspect/inspect.json").read_text())
    (pixel,) = record["pixels"]
    assert (record["width"], record["height"]) == (203, 140)
    assert record["grid"]["padding"] == {"left": 2, "right": 3, "top": 2, "bottom": 2}
    assert pixel["cell"] == {"row": 1, "column": 1}
    assert [update["update"] for update in pixel["updates"]] == [1, 2, 3]
    assert record["convergence"]["loss_weight"] == pytest.approx([0.64, 0.8, 1])
    assert record["convergence"]["epe"] is None
    for update in pixel["updates"]:
        for level, lookup in enumerate(update["lookups"]):
            assert lookup["center"] == pytest.approx([value / 2**level for value in update["center"]], abs=1e-5)
            assert lookup["row_column"] == lookup["center"][::-1]
            assert np.shape(lookup["window"]) == (7, 7)


def test_ground_truth_gives_the_error_after_every_update(flowcli, weights, pair) -> None:
    truth = np.full((*SIZE, 2), (6, 0), np.float32)
    truth[:20] = 1e10  # unknown
    flo.write(Path("truth.flo"), truth)
    valid = np.ones(SIZE, bool)
    valid[:20] = False
    np.savez("truth.npz", flow=np.nan_to_num(truth), valid=valid)
    for name in ("truth.flo", "truth.npz"):
        assert flowcli("inspect", *pair, "--gt", name, "-y", "--auto", 1, "--weights", weights, "--iters", 2).code == 0
        record = json.loads(Path("a_inspect/inspect.json").read_text())
        assert flowcli("pair", *pair, "--save", "flo", "-y", "--weights", weights, "--iters", 2).code == 0
        error = np.linalg.norm(flo.read(Path("a_flow.flo"))[20:] - (6, 0), axis=2).mean()
        assert record["convergence"]["epe"][1] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_shows_the_weights_that_made_the_flow(flowcli, pair, precision) -> None:
    checkpoint.save(RAFT(SMALL_CONVEX), "convex.safetensors")
    options = ["--at", "100,70", "--without", "none", "--weights", "convex.safetensors", "--iters", 2]
    assert flowcli("inspect", *pair, *options, "--precision", precision).code == 0
    (pixel,) = json.loads(Path("a_inspect/inspect.json").read_text())["pixels"]
    assert pixel["flow"] == pytest.approx(np.tensordot(pixel["upsampling_weights"], pixel["upsampling_flow"]), abs=1e-4)


def test_a_video_is_inspected_between_two_of_its_frames(compute, make_video) -> None:
    video = make_video(frames=6)
    assert compute("inspect", video, "--frame", 2, "--skip", 3, "--auto", 1, "--warm-start").code == 2
    assert compute("inspect", video, "--frame", 2, "--skip", 2, "--auto", 1, "--warm-start").code == 0
    record = json.loads(Path("clip_inspect/inspect.json").read_text())
    assert record["frames"] == [2, 4]
    assert record["settings"]["warm_start"] is True


def test_the_demo_knows_its_truth(compute) -> None:
    ended = compute("inspect", "demo", "--auto", 1, "--iters", 2, "--without", "none")
    assert ended.out == ["fan_inspect"]
    record = json.loads(Path("fan_inspect/inspect.json").read_text())
    assert (record["width"], record["height"], record["frames"]) == (640, 480, [10, 13])
    assert record["convergence"]["epe"][0] > 0
    assert record["pixels"][0]["truth"] is not None


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["--at", "203,70"],
            "--at 203,70 lies outside the frame of 203 x 140",
            "X goes from 0 to 202, Y from 0 to 139",
        ),
        (["--at=-1,0"], "--at -1,0 lies outside the frame of 203 x 140", "X goes from 0 to 202, Y from 0 to 139"),
        (["--at", "3;4"], "--at 3;4 is not a pixel", "write X,Y in whole pixels, such as --at 320,200"),
        (["--frame", "1"], "--frame and --skip choose frames of a video", "leave them out for two images"),
        (["b.png"], "3 inputs are too many", "give two images, one video, or demo"),
        (["--gt", "a.png"], "--gt a.png is not a .flo or .npz file", "convert it with flowcli convert"),
        (["--gt", "no.npz"], "no.npz does not exist", "check the path"),
        (
            ["--without", "context,level4"],
            "--without context,level4: level4 is not a part that can be switched off",
            "choose among context, hidden, motion, level0, level1, level2, level3; "
            "a comma separates runs, + joins parts of one run",
        ),
        (
            ["--radius", "3"],
            "--radius 3 is not smaller than 3, the radius of these weights",
            "a lookup can be cut down, but its weights know no further offsets",
        ),
        (
            ["--motion-channels", "3,82"],
            "--motion-channels 3,82: 82 is not a channel",
            "these weights have channels 0 to 81; write them like 3,14,15, or auto",
        ),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_written(compute, pair, arguments, message, hint) -> None:
    ended = compute("inspect", "a.png", "b.png", *arguments)
    assert (ended.code, ended.err) == (2, [f"error: {message}", f"hint: {hint}"])
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "b.png"]


def test_pictures_of_two_sizes_are_refused(compute, pair) -> None:
    cv2.imwrite("c.png", np.zeros((30, 40, 3), np.uint8))
    ended = compute("inspect", "a.png", "c.png")
    assert (ended.code, ended.err[0]) == (2, "error: the images differ in size: 203 x 140 and 40 x 30")


def test_truth_of_another_size_is_refused(compute, pair) -> None:
    flo.write(Path("t.flo"), np.zeros((30, 40, 2), np.float32))
    ended = compute("inspect", *pair, "--gt", "t.flo")
    assert (ended.code, ended.err[0]) == (3, "error: t.flo is 40 x 30, but the frames are 203 x 140")


def test_truth_that_is_nowhere_known_is_refused(compute, pair) -> None:
    np.savez("t.npz", flow=np.zeros((*SIZE, 2), np.float32), valid=np.zeros(SIZE, bool))
    ended = compute("inspect", *pair, "--gt", "t.npz")
    assert (ended.code, ended.err) == (
        3,
        ["error: t.npz holds no known flow", "hint: leave --gt out, or give other ground truth"],
    )


def test_a_frame_that_is_not_there_is_refused(compute, make_video) -> None:
    ended = compute("inspect", make_video(frames=4), "--frame", 3)
    assert (ended.code, ended.err[0].endswith("clip.mp4 has no frame 4")) == (2, True)


def test_an_existing_inspection_is_replaced_only_when_asked(compute, pair) -> None:
    assert compute("inspect", *pair, "--auto", 1).code == 0
    ended = compute("inspect", *pair, "--auto", 1)
    assert (ended.code, ended.err[0].endswith("a_inspect exists already")) == (2, True)
    assert compute("inspect", *pair, "--at", "9,9", "--at", "99,9", "-y").code == 0
    assert len(json.loads(Path("a_inspect/inspect.json").read_text())["pixels"]) == 2
    Path("a_inspect/mine.txt").write_text("notes")
    ended = compute("inspect", *pair, "-y")
    assert (ended.code, ended.err[0].endswith("a_inspect holds a file that inspect did not write: mine.txt")) == (
        2,
        True,
    )


def test_a_failure_leaves_nothing_and_keeps_what_was_there(compute, pair, monkeypatch) -> None:
    assert compute("inspect", *pair, "--auto", 1, "-o", "out").code == 0
    before = Path("out/a_inspect/inspect.json").read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    for folder in ("out", "new/folder"):
        ended = compute("inspect", *pair, "--auto", 1, "-o", folder, "-y")
        assert (ended.code, ended.err[0].endswith("the disk is full")) == (7, True)
    assert [path.name for path in Path("out").iterdir()] == ["a_inspect"]
    assert Path("out/a_inspect/inspect.json").read_bytes() == before
    assert not Path("new").exists()


def test_a_folder_without_permission_is_refused(compute, pair, monkeypatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    ended = compute("inspect", *pair)
    assert (ended.code, ended.err[0].endswith("a_inspect cannot be written: permission denied")) == (7, True)
