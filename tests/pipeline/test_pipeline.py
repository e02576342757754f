from __future__ import annotations

import json
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flowcli.errors import OutputError
from flowcli.flow.formats import flo
from flowcli.flow.outputs import video as video_output
from flowcli.flow.photometric import photometric_error
from flowcli.media.pyav import VideoReader
from flowcli.model.estimator import FlowEstimator
from tests.outputs import files_below, times_of

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")


def report_of(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


# What is written, and where


def test_outputs_of_a_pair_have_the_names_of_the_design(compute, make_images) -> None:
    folder = make_images()
    ended = compute("pair", folder / "0.png", folder / "1.png", "--save", "png,flo,overlay,side,warp", "-o", "out")
    assert ended.code == 0
    assert files_below("out") == [
        "0_flow.flo",
        "0_flow.json",
        "0_flow.png",
        "0_overlay.png",
        "0_side.png",
        "0_warp.png",
    ]
    assert flo.read(Path("out/0_flow.flo")).shape == (48, 64, 2)


def test_a_pairs_seconds_count_its_computing(compute, make_images, monkeypatch) -> None:
    estimate_batch = FlowEstimator.estimate_batch

    def slowly(*arguments):
        time.sleep(0.5)
        return estimate_batch(*arguments)

    monkeypatch.setattr(FlowEstimator, "estimate_batch", slowly)
    folder = make_images()
    assert compute("pair", folder / "0.png", folder / "1.png", "--save", "flo", "-o", "out").code == 0
    assert report_of("out/0_flow.json")["seconds"] >= 0.5


def test_outputs_of_a_video_have_the_names_of_the_design(compute, make_video) -> None:
    make_video(frames=3)
    ended = compute("video", "clip.mp4", "--save", "video,png,flo,overlay,side,warp", "-o", "out")
    assert ended.code == 0
    numbered = [f"clip_flow/{number}.{kind}" for number in ("000000", "000001") for kind in ("flo", "png")]
    whole = ["clip_flow.json", "clip_flow.mp4", "clip_overlay.mp4", "clip_side.mp4", "clip_warp.mp4"]
    assert files_below("out") == sorted(numbered + whole)


def test_outputs_are_beside_the_input_where_nothing_is_said(compute, make_video, make_images) -> None:
    make_video(frames=2)
    make_images("shots")
    assert compute("video", "clip.mp4").out == ["clip_flow.mp4"]
    assert compute("video", "shots").code == 0
    assert Path("shots_flow.mp4").exists() and Path("shots_flow.json").exists()


def test_output_may_be_the_one_file(compute, make_video) -> None:
    make_video(frames=2)
    assert compute("video", "clip.mp4", "--save", "side", "-o", "new/seen.mp4").out == ["new/seen.mp4"]
    assert files_below("new") == ["clip_flow.json", "seen.mp4"]


def test_overwriting_replaces_and_leaves_no_file_of_the_earlier_run(compute, make_video) -> None:
    make_video(frames=4)
    assert compute("video", "clip.mp4", "--save", "flo").code == 0
    assert compute("video", "clip.mp4", "--save", "flo", "--skip", "2").code == 2
    assert compute("video", "clip.mp4", "--save", "flo", "--skip", "2", "-y").code == 0
    assert files_below("clip_flow") == ["000000.flo"]


def test_the_report_says_what_was_done(compute, make_video, weights) -> None:
    make_video(frames=3)
    compute("video", "clip.mp4", "--no-warm-start")
    report = report_of("clip_flow.json")
    assert report["command"] == "video"
    assert report["inputs"] == [str(Path("clip.mp4").absolute())]
    assert report["outputs"] == [str(Path("clip_flow.mp4").absolute())]
    assert (report["width"], report["height"], report["flows"], report["lost_frames"]) == (64, 48, 2, 0)
    assert report["weights"]["name"] == "random" and len(report["weights"]["sha256"]) == 64
    assert {"iterations": 1, "warm_start": False, "device": "cpu", "precision": "float32"}.items() <= report[
        "settings"
    ].items()
    assert {"python", "torch", "numpy", "av", "opencv"} <= set(report["versions"])
    expected = {"first": 1, "second": 2, "time": "1/25", "second_time": "2/25"}
    source = {"source_first": 1, "source_second": 2, "source_time": "1/25", "source_second_time": "2/25"}
    computed = {"iterations": 1, "warm": False, "cut": False, "finite": True, "repeated": False, "reference": False}
    computed["half_size"] = False
    assert report["pairs"][1] == {
        **expected,
        **source,
        **computed,
        **dict.fromkeys(("image", "second_image", "name")),
    }


# Which pairs, at which times


@pytest.mark.parametrize(
    ("options", "firsts"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["--skip", 2], [0, 2, 4]),
        (["--skip", 4], [0]),
        (["--skip", 4, "--sliding"], [0, 1, 2]),
    ],
)
def test_flows_are_numbered_by_first_frames_and_as_many_as_promised(compute, make_video, options, firsts) -> None:
    make_video(frames=7)
    assert compute("video", "clip.mp4", "--save", "flo,video", *options).code == 0
    assert files_below("clip_flow") == [f"{first:06d}.flo" for first in firsts]
    assert times_of("clip_flow.mp4") == [Fraction(first, 25) for first in firsts]


def test_the_flow_video_has_the_sources_rate_and_exact_times(compute, make_video) -> None:
    rate = Fraction(30000, 1001)
    make_video(frames=6, rate=rate)
    compute("video", "clip.mp4", "--skip", 2)
    with VideoReader(Path("clip_flow.mp4")) as reader:
        assert reader.rate == rate / 2
        assert [frame.time for frame in reader.frames()] == [0, 2 / rate]


def test_times_of_a_variable_rate_survive(compute, make_video) -> None:
    pts = [0, 33, 67, 500, 533]
    make_video("clip.mkv", frames=5, pts=pts, tick=Fraction(1, 1000))
    compute("video", "clip.mkv")
    assert times_of("clip_flow.mp4") == [Fraction(number, 1000) for number in pts[:-1]]


def test_pairs_start_cold_unless_asked_to_start_warm(compute, make_video) -> None:
    make_video(frames=4)
    compute("video", "clip.mp4")
    assert [pair["warm"] for pair in report_of("clip_flow.json")["pairs"]] == [False, False, False]
    compute("video", "clip.mp4", "-y", "--warm-start")
    assert [pair["warm"] for pair in report_of("clip_flow.json")["pairs"]] == [False, True, True]


# How it is drawn


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The colour scale that each picture is drawn with."""
    seen: list[float] = []
    draw = video_output.KIND.draw

    def noted(estimate: Any, style: Any) -> Any:
        seen.append(style.scale.max_flow)
        return draw(estimate, style)

    monkeypatch.setattr(video_output, "KIND", replace(video_output.KIND, draw=noted))
    return seen


def test_one_colour_scale_serves_the_whole_video(compute, make_video, scales) -> None:
    make_video(frames=5)
    compute("video", "clip.mp4")
    assert len(scales) == 4 and len(set(scales)) == 1


def test_the_scale_can_be_given(compute, make_video, scales) -> None:
    make_video(frames=3)
    compute("video", "clip.mp4", "--max-flow", 7)
    assert scales == [7, 7]


def test_photometric_error_is_small_where_the_flow_is_right() -> None:
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8), (0, 0), 2)
    first, second = texture[:, 10:74], texture[:, 7:71]
    flow = np.zeros((48, 64, 2), np.float32)
    flow[..., 0] = 3
    before, after = photometric_error(first, second, flow)
    inside = np.abs(first[:, :61].astype(float) - second[:, :61]).mean()
    assert before == pytest.approx(inside, abs=1e-3)
    assert after < 1e-3


def test_photometric_error_is_unknown_where_all_leads_out() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    assert np.isnan(photometric_error(picture, picture, np.full((4, 4, 2), 9, np.float32))).all()


# What goes wrong on the way


def test_a_lost_frame_is_told_and_exit_4(compute, make_images) -> None:
    folder = make_images(count=6)
    (folder / "2.png").write_bytes(b"damaged")
    ended = compute("video", folder, "--save", "video,flo", "-o", "out")
    assert ended.code == 4
    assert ended.err[-2:] == [
        f"error: 1 frame of {folder} could not be decoded",
        "hint: the flow from and to lost frames is missing; the rest is written",
    ]
    assert files_below("out/shots_flow") == ["000000.flo", "000003.flo", "000004.flo"]
    assert times_of("out/shots_flow.mp4") == [Fraction(index, 25) for index in (0, 3, 4)]
    assert report_of("out/shots_flow.json")["lost_frames"] == 1


def test_an_input_that_fails_on_the_way_leaves_nothing(compute, make_images) -> None:
    folder = make_images(count=5)
    cv2.imwrite(str(folder / "3.png"), np.zeros((20, 20, 3), np.uint8))
    ended = compute("video", folder, "--max-flow", 5, "-o", "new/out")
    assert (ended.code, ended.err[0]) == (3, f"error: {folder}/3.png is 20 x 20, but 0.png is 64 x 48")
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [(OutputError("x cannot be written", hint="choose another -o"), 7), (ZeroDivisionError(), 1)],
    ids=["expected", "bug"],
)
def test_an_output_that_fails_on_the_way_aborts_all(compute, make_video, monkeypatch, error, code) -> None:
    make_video(frames=9)

    def failing(estimate: Any, style: Any) -> Any:
        if estimate.pair.first.index == 3:
            raise error
        return estimate.pair.first.image

    monkeypatch.setattr(video_output, "KIND", replace(video_output.KIND, draw=failing))
    ended = compute("video", "clip.mp4", "--save", "side,video,warp", "-o", "new")
    assert ended.code == code
    assert not Path("new").exists()


@pytest.mark.parametrize("save", ["video,side", "flo"])
def test_a_full_disk_is_exit_7_and_leaves_no_half_file(compute, make_images, save: str) -> None:
    resource = pytest.importorskip("resource")
    folder = make_images(count=3, size=(48, 64))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        ended = compute("video", folder, "--save", save, "-o", "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert ended.code == 7
    assert ended.err[0].endswith("cannot be written: file too large")
    assert not Path("out").exists()


def test_a_failing_overwrite_keeps_what_was_there(compute, make_images) -> None:
    folder = make_images(count=4)
    assert compute("video", folder, "-o", "out").code == 0
    before = Path("out/shots_flow.mp4").read_bytes()
    cv2.imwrite(str(folder / "3.png"), np.zeros((20, 20, 3), np.uint8))
    assert compute("video", folder, "--max-flow", 5, "-o", "out", "-y").code == 3
    assert Path("out/shots_flow.mp4").read_bytes() == before


def test_a_part_of_a_video_is_numbered_and_timed_from_its_first_frame(compute, make_video) -> None:
    pts = [0, 40, 90, 100, 260, 300, 310, 500]
    make_video(frames=8, pts=pts, tick=Fraction(1, 1000))
    ended = compute("video", "clip.mp4", "--save", "flo,video", "--start", "#2", "--end", "#7", "--skip", 2)
    assert ended.code == 0
    assert files_below("clip_flow") == ["000000.flo", "000002.flo"]
    assert times_of("clip_flow.mp4") == [Fraction(pts[index] - 90, 1000) for index in (2, 4)]


def test_what_is_odd_about_a_source_is_said_once_and_noted(compute, make_video) -> None:
    make_video("raw.h264", frames=4)
    ended = compute("video", "raw.h264", "--start", "#1")
    note = "the stream has no timestamps: 25 frames per second are assumed (--fps)"
    assert ended.err.count(f"note: {note}") == 1
    report = report_of("raw_flow.json")
    assert (report["notes"], report["start"]) == ([note], "1/25")


def test_sliding_pairs_of_a_batch_start_from_the_batch_before(compute, make_video) -> None:
    make_video(frames=8)
    compute("video", "clip.mp4", "--skip", 3, "--sliding", "--warm-start", "--batch", 2)
    pairs = report_of("clip_flow.json")["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [(first, first + 3) for first in range(5)]
    assert [pair["warm"] for pair in pairs] == [False, False, True, True, True]


def test_a_folder_with_a_broken_link_is_still_a_folder(compute, make_images) -> None:
    folder = make_images(count=3)
    (folder / "gone.png").symlink_to("nowhere.png")
    assert compute("video", folder).code == 0


@pytest.mark.parametrize("options", [(), ("--codec", "h265"), ("-o", "shown.mkv")], ids=str)
def test_pixels_that_are_not_square_stay_so(compute, make_video, options) -> None:
    def widen(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    make_video(frames=4, prepare=widen)
    ended = compute("video", "clip.mp4", "--save", "side", "--segment", 2, *options)
    assert ended.code == 0
    with VideoReader(Path(ended.out[0])) as reader:
        next(reader.frames())
        assert reader.pixel_aspect == Fraction(4, 3)
