"""Every output there is, found by itself, through whole runs of `pair` and `video`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.cli.app import run
from flowcli.flow.arrays import read_stack
from flowcli.flow.formats import flo, planes
from flowcli.flow.kinds import ArrayFile, Picture
from flowcli.flow.outputs import kind_of, output_names, plan_outputs
from flowcli.media.pyav import VideoReader
from flowcli.model import estimator
from tests.outputs import WRITABLE, files_below

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")

EVERY = ",".join(WRITABLE)
OF_PAIRS = [name for name in output_names() if kind_of(name).naming.pairs]
OF_VIDEOS = [name for name in WRITABLE if kind_of(name).naming.video]
NUMBERED = [name for name in WRITABLE if name not in OF_VIDEOS]


def _planned(saved: list[str], source: str, *, video: bool, direction: str = "both") -> list[str]:
    """The names of the files that a run of three frames, or of a pair, should write."""
    outputs = plan_outputs(saved, Path(source), video=video, output=Path("out"), direction=direction)
    paths = [output.file_of(stem) for output in outputs for stem in ("000000", "000001")]
    paths += [planes.sibling(path) for path in paths if path.stem.endswith("_x")]
    return sorted({str(path.relative_to("out")) for path in paths} | {f"{Path(source).stem}_flow.json"})


def test_a_run_writes_every_output_there_is_and_nothing_else(compute, make_video) -> None:
    make_video(frames=3)
    ended = compute("video", "clip.mp4", "--save", EVERY, "-o", "out")
    assert (ended.code, ended.err[:-1]) == (0, [])
    assert files_below("out") == _planned(WRITABLE, "clip.mp4", video=True)
    assert compute("video", "clip.mp4", "--save", EVERY, "-o", "out").code == 2
    assert compute("video", "clip.mp4", "--save", EVERY, "-o", "out", "-y").code == 0


def test_a_pair_gives_every_output_that_needs_no_video(compute, make_images) -> None:
    folder = make_images()
    line = ["pair", folder / "0.png", folder / "1.png", "-o", "out"]
    assert compute(*line, "--save", ",".join(OF_PAIRS)).code == 0
    assert files_below("out") == _planned(OF_PAIRS, "0.png", video=False)
    for name in set(output_names()) - set(OF_PAIRS):
        ended = compute(*line, "--save", name)
        assert (ended.code, ended.err[0]) == (2, f"error: --save {name} needs a video")


@pytest.fixture(scope="module")
def segments(write_video, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every output that is one file for a whole video, made in one piece and in segments of two pairs."""
    folder = tmp_path_factory.mktemp("segments")
    clip = write_video(folder / "clip.mp4", frames=6)
    for length, name in ((99, "whole"), (2, "parts")):
        line = ["--save", ",".join(OF_VIDEOS), "--segment", length, "-o", folder / name, "--max-flow", 4]
        line = ["video", clip, *line, "--weights", weights, "--iters", 1]
        assert run([str(word) for word in line]) == 0
    return folder


@pytest.mark.parametrize("name", OF_VIDEOS)
def test_segments_make_the_same_output_as_one_piece(segments: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(segments)
    assert files_below("parts") == files_below("whole")
    for output in plan_outputs([name], Path("clip.mp4"), video=True, output=Path("parts")):
        found = output.path
        assert _content(name, found) == _content(name, Path("whole", found.name))


def _content(name: str, path: Path) -> object:
    """Which pairs an output shows, and when; what it shows of them differs by how frames were batched."""
    if path.suffix == ".mp4":
        with VideoReader(path) as reader:
            return [frame.time for frame in reader.frames()], reader.frame_count
    if path.suffix in {".gif", ".webp"}:
        _, animation = cv2.imreadanimation(str(path))
        return len(animation.frames), list(animation.durations)
    if isinstance(kind_of(name), ArrayFile):
        stack = read_stack(path)
        return stack.array.shape, [stack.times(number) for number in range(len(stack))]
    return [(pair["first"], pair["time"]) for pair in json.loads(path.read_text())["pairs"]]


@pytest.mark.parametrize("names", [NUMBERED, OF_VIDEOS], ids=["numbered", "of videos"])
def test_a_run_that_is_stopped_names_its_output_partial_or_numbers_it(compute, make_video, monkeypatch, names) -> None:
    make_video(frames=6)
    estimate = estimator.FlowEstimator.estimate

    def stopping(self, *arguments, **named):
        for number, one in enumerate(estimate(self, *arguments, **named)):
            yield one
            if number == 2:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(estimator.FlowEstimator, "estimate", stopping)
    assert compute("video", "clip.mp4", "--save", ",".join(names), "-o", "out", "--max-flow", 4).code == 130
    assert not list(Path("out").rglob("*.part.*"))
    for name in names:
        (output, *_) = plan_outputs([name], Path("clip.mp4"), video=True, output=Path("out"))
        if output.numbered:
            assert output.existing(), name
        else:
            assert not output.path.exists(), name
            assert output.path.with_name(f"{output.path.stem}.partial{output.path.suffix}").stat().st_size > 0, name


@pytest.mark.parametrize("names", [NUMBERED, OF_VIDEOS], ids=["numbered", "of videos"])
def test_a_run_that_fails_leaves_only_what_is_complete(compute, make_images, names) -> None:
    folder = make_images(count=4)
    cv2.imwrite(str(folder / "2.png"), np.zeros((20, 20, 3), np.uint8))
    assert compute("video", folder, "--save", ",".join(names), "-o", "out", "--max-flow", 4).code == 3
    left = files_below("out") if Path("out").exists() else []
    numbered = [path for path in left if Path(path).name.startswith("000000")]
    # Where files of pairs are left, so is the journal with which the run can go on.
    assert all(path in numbered or (numbered and path.startswith(".shots_flow.run/")) for path in left), left


def test_several_outputs_cost_one_inference(compute, make_video, monkeypatch) -> None:
    counted: list[int] = []
    batch = estimator.FlowEstimator.estimate_batch

    def counting(self, pairs, *arguments):
        counted.append(len(pairs))
        return batch(self, pairs, *arguments)

    monkeypatch.setattr(estimator.FlowEstimator, "estimate_batch", counting)
    make_video(frames=4)
    assert compute("video", "clip.mp4", "--save", EVERY, "--max-flow", 4).code == 0
    assert sum(counted) == 3


def test_both_directions_are_files_of_their_own(compute, make_images) -> None:
    folder = make_images()
    line = ["pair", folder / "0.png", folder / "1.png", "--save", "flo,npz,png"]
    for direction in ("both", "forward", "backward"):
        assert compute(*line, "--direction", direction, "-o", direction).code == 0
    assert files_below("both") == ["0_flow.flo", "0_flow.json", "0_flow.npz", "0_flow.png", "0_flow_backward.flo"]
    names = ["0_flow.json", "0_flow_backward.flo", "0_flow_backward.npz", "0_flow_backward.png"]
    assert files_below("backward") == names
    for name, direction in (("0_flow.flo", "forward"), ("0_flow_backward.flo", "backward")):
        alone, together = flo.read(Path(direction, name)), flo.read(Path("both", name))
        np.testing.assert_allclose(together, alone, atol=1e-4)
    with np.load("both/0_flow.npz") as arrays:
        assert sorted(arrays) == ["backward", "flow", "occluded", "valid"]
        assert np.array_equal(arrays["backward"], flo.read(Path("both/0_flow_backward.flo")))


def test_a_still_half_stays_white_while_the_other_half_moves_more_and_less(flowcli, make_video) -> None:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (128, 400, 3), np.uint8), (0, 0), 1.5)
    images = []
    for shift in (0, 2, 10, 11, 11):
        picture = texture[:, :256].copy()
        picture[:, 160:] = texture[:, 160 + shift : 256 + shift]
        images.append(picture)
    make_video(images=images, options={}, pix_fmt="yuv444p")
    assert flowcli("video", "clip.mp4", "--iters", 6, "--refine", "none", "--save", "png").code == 0
    pictures = [cv2.imread(str(path)) for path in sorted(Path("clip_flow").iterdir())]
    still = np.array([picture[20:-20, 20:100].mean(axis=(0, 1)) for picture in pictures])
    moving = np.array([picture[20:-20, 200:240].min(axis=(0, 1)) for picture in pictures])
    assert still.min() > 240
    assert np.ptp(still, axis=0).max() < 6
    assert np.ptp(moving.min(axis=1)) > 100


def test_each_pair_has_its_own_scale_where_that_is_asked_for(compute, make_video) -> None:
    make_video(frames=4)
    assert compute("video", "clip.mp4", "--scale-mode", "frame", "--save", "png,video").code == 0
    assert json.loads(Path("clip_flow.json").read_text())["settings"]["max_flow"] is None
    fullest = [255 - cv2.imread(str(path)).min() for path in sorted(Path("clip_flow").iterdir())]
    assert min(fullest) > 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scale-mode", "pair"], "--scale-mode pair is not known"),
        (["--scale-mode", "frame", "--max-flow", "3"], "--max-flow is one scale for all pairs"),
        (["--gamma", "0"], "--gamma 0 is not between 0.1 and 10"),
        (["--background", "red"], "--background red is not known"),
        (["--codec", "mpeg2"], "--codec mpeg2 is not known"),
        (["--codec", "ffv1", "-o", "x.mp4"], "-o x.mp4 does not fit what is saved: video (.mkv)"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_written(
    compute, make_video, options, message
) -> None:
    make_video(frames=3)
    ended = compute("video", "clip.mp4", *options)
    assert (ended.code, ended.err[0]) == (2, f"error: {message}")
    assert files_below(".") == ["clip.mp4"]


def test_a_codec_gives_its_own_file(compute, make_video) -> None:
    make_video(frames=3)
    assert compute("video", "clip.mp4", "--codec", "vp9", "--crf", 40, "--save", "video,side").out == [
        "clip_flow.webm",
        "clip_side.webm",
    ]
    assert compute("video", "clip.mp4", "--codec", "h265", "-o", "x.mkv").out == ["x.mkv"]


def test_the_background_and_the_arrows_are_as_asked_for(compute, make_images) -> None:
    folder = make_images()
    line = ["pair", folder / "0.png", folder / "0.png", "--max-flow", "1e6", "--save", "png,arrows"]
    assert compute(*line, "--background", "black", "--arrow-min", "1e6").code == 0
    assert cv2.imread(str(folder / "0_flow.png")).max() <= 2
    grey = cv2.imread(str(folder / "0_arrows.png"))
    assert np.ptp(grey.astype(int), axis=2).max() == 0


def test_pictures_and_data_are_told_apart() -> None:
    assert {name for name in output_names() if not isinstance(kind_of(name), Picture)} == {
        "exr",
        "film",
        "flo",
        "hdf5",
        "kitti",
        "npy",
        "npz",
        "npz_video",
        "pfm",
        "planes",
        "planes_png",
        "stats",
        "stmap",
        "zarr",
    }
