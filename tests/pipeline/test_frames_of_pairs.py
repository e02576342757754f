"""Which flow belongs to which frame: names of files, frame numbers and times in the report, and sampling by time."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from flowcli.model.estimator import FlowEstimator
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")


def report(path: str = "out/clip_flow.json") -> dict:
    return json.loads(Path(path).read_text())


def flows(folder: str = "out") -> list[str]:
    return [Path(name).name for name in files_below(folder) if name.endswith(".flo")]


def shot(make_images, count: int = 4) -> Path:
    folder = make_images("shot", count=count)
    for number in range(count):
        (folder / f"{number}.png").rename(folder / f"shot.{1001 + number}.png")
    return folder


def test_the_report_names_the_images_and_numbers_of_every_pair(compute, make_images) -> None:
    folder = shot(make_images)
    assert compute("video", folder, "--start", "#1", "--save", "flo", "-o", "out").code == 0
    first, second = report("out/shot_flow.json")["pairs"]
    assert first["image"] == str(folder / "shot.1002.png") and first["second_image"] == str(folder / "shot.1003.png")
    assert (second["first"], second["source_first"], second["source_second"]) == (1, 2, 3)
    assert (second["time"], second["source_time"], second["source_second_time"]) == ("1/25", "2/25", "3/25")


@pytest.mark.parametrize("start", ["#20", "0.8"])
def test_the_report_numbers_the_frames_of_a_part_as_the_whole_video_does(compute, make_video, start: str) -> None:
    path = make_video(frames=30, options={"g": "5"})
    assert (
        compute("video", path, "--start", start, "--skip", 2, "--max-frames", 5, "--save", "flo", "-o", "out").code == 0
    )
    assert [(pair["source_first"], pair["source_second"]) for pair in report()["pairs"]] == [(20, 22), (22, 24)]
    assert [Fraction(pair["source_time"]) * 25 for pair in report()["pairs"]] == [20, 22]


def test_refined_flow_of_a_part_is_that_of_the_whole_clip_to_the_bit(compute, make_video) -> None:
    path = make_video(frames=7, prepare=lambda stream: setattr(stream, "gop_size", 3))
    options = ("--refine", "variational", "--save", "flo", "--names", "source")
    assert compute("video", path, *options, "-o", "whole").code == 0
    assert compute("video", path, *options, "--start", "#2", "--end", "#5", "-o", "part").code == 0
    part = [name for name in files_below("part") if name.endswith(".flo")]
    assert [Path(name).stem for name in part] == ["000002", "000003"]
    for name in part:
        assert Path("part", name).read_bytes() == Path("whole", name).read_bytes()


def test_a_pair_of_images_is_named_in_its_report(compute, make_images) -> None:
    folder = shot(make_images)
    assert compute("pair", folder / "shot.1001.png", folder / "shot.1003.png", "--save", "flo", "-o", "out").code == 0
    (pair,) = report("out/shot.1001_flow.json")["pairs"]
    assert [Path(pair[name]).name for name in ("image", "second_image")] == ["shot.1001.png", "shot.1003.png"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("index", ["000000.flo", "000000_backward.flo", "000001.flo", "000001_backward.flo"]),
        ("frame", ["000001.flo", "000001_backward.flo", "000002.flo", "000002_backward.flo"]),
        ("source", [f"shot.{number}{end}.flo" for number in (1002, 1003) for end in ("", "_backward")]),
    ],
)
def test_files_are_called_after_indices_frames_or_images(compute, make_images, names: str, expected: list[str]) -> None:
    options = ("--start", "#1", "--direction", "both", "--save", "flo", "--names", names, "-o", "out")
    folder = shot(make_images)
    assert compute("video", folder, *options).code == 0
    assert flows() == expected
    again = compute("video", folder, *options)
    assert again.code == 2 and f"out/shot_flow/{expected[0]} exists already" in again.err[0]


def test_images_of_one_stem_keep_their_endings_and_videos_have_frame_numbers(compute, make_images, make_video) -> None:
    folder = make_images("shot", count=2)
    cv2.imwrite(str(folder / "0.jpg"), cv2.imread(str(folder / "0.png")))
    assert compute("video", folder, "--save", "flo", "--names", "source", "-o", "images").code == 0
    assert flows("images") == ["0.jpg.flo", "0.png.flo"]
    assert (
        compute("video", make_video(frames=4), "--start", "#2", "--save", "flo", "--names", "source", "-o", "v").code
        == 0
    )
    assert flows("v") == ["000002.flo"]


def test_overwriting_removes_the_files_of_other_names_and_no_others(compute, make_images) -> None:
    folder = shot(make_images)
    options = ("--save", "flo", "-o", "out", "-y")
    assert compute("video", folder, *options, "--names", "source").code == 0
    Path("out/shot_flow/mine.flo").touch()
    assert compute("video", folder, *options, "--names", "source", "--start", "#2").code == 0
    assert flows() == ["mine.flo", "shot.1003.flo"]


def test_an_unknown_naming_is_refused(compute, make_images) -> None:
    ended = compute("video", make_images(), "--names", "stem")
    assert (ended.code, ended.err) == (2, ["error: --names stem is not known", "hint: use index, frame, source"])


@pytest.mark.parametrize("segment", [1, 2, 64])
def test_padding_gives_as_many_flows_as_frames(compute, make_video, segment: int) -> None:
    path = make_video(frames=5)
    options = ("--pad-last", "--save", "flo,video,npy,stats", "--segment", segment, "-o", "out")
    assert compute("video", path, *options).code == 0
    assert flows() == [f"{number:06d}.flo" for number in range(5)]
    assert Path("out/clip_flow/000004.flo").read_bytes() == Path("out/clip_flow/000003.flo").read_bytes()
    assert [pair["repeated"] for pair in report()["pairs"]] == [False] * 4 + [True]
    assert report()["flows"] == 5
    assert len(json.loads(Path("out/clip_stats.json").read_text())["pairs"]) == 4


def test_a_padded_run_that_was_stopped_goes_on(compute, make_video, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(frames=6)
    options = ("--pad-last", "--save", "flo", "--segment", 2, "--sliding", "--skip", 2, "-o", "out")
    with monkeypatch.context() as patch:
        calls = iter(range(100))
        one = FlowEstimator.estimate_batch

        def failing(*arguments):
            if next(calls) == 3:
                raise RuntimeError("stopped")
            return one(*arguments)

        patch.setattr(FlowEstimator, "estimate_batch", failing)
        assert compute("video", path, *options).code == 1
    assert compute("video", path, *options, "--resume").code == 0
    assert flows() == [f"{number:06d}.flo" for number in range(6)]
    assert [pair["repeated"] for pair in report()["pairs"]] == [False] * 4 + [True] * 2


def test_frames_are_sampled_by_time_before_they_are_skipped(compute, make_video) -> None:
    for rate in (25, 50):
        path = make_video(f"{rate}.mp4", frames=rate, rate=Fraction(rate))
        options = ("--sample-fps", 5, "--skip", 2, "--save", "flo,video", "-o", "out")
        assert compute("video", path, *options).code == 0
        pairs = report(f"out/{rate}_flow.json")["pairs"]
        assert [(pair["time"], pair["second_time"]) for pair in pairs] == [("0", "2/5"), ("2/5", "4/5")]


def test_a_clip_with_too_few_frames_per_second_is_refused(compute, make_video) -> None:
    ended = compute("video", make_video(frames=5), "--sample-fps", 100)
    assert (ended.code, ended.err[-2]) == (
        3,
        f"error: {Path('clip.mp4').absolute()} has no two frames that are 0.01 s apart",
    )


@pytest.mark.parametrize("option", [("--sample-fps", 5), ("--pad-last",)])
def test_chunks_need_known_frames(compute, make_video, option) -> None:
    make_video("clips.mp4", frames=3)
    ended = compute("batch", ".", "--split", 2, *option)
    assert (ended.code, ended.err[0]) == (2, f"error: --split cannot be combined with {option[0]}")
