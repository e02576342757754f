from __future__ import annotations

import io
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flowcli.evaluation.compare import measure, picture
from flowcli.evaluation.sides import numbered, setting, side_of
from flowcli.flow.colour import ColourScale
from flowcli.flow.error_map import colour_error
from flowcli.flow.formats import flo, writer
from flowcli.media.frames import Frame, FramePair
from flowcli.pipeline.request import Request
from tests.outputs import times_of

pytestmark = pytest.mark.usefixtures("place")


def pair(height: int = 48, width: int = 64) -> FramePair:
    frames = (Frame(n, Fraction(n, 25), np.full((height, width, 3), 50 + n, np.uint8)) for n in (0, 1))
    return FramePair(*frames, continues=False)


def steady(x: float, y: float, height: int = 48, width: int = 64) -> np.ndarray:
    return np.broadcast_to(np.float32([x, y]), (height, width, 2)).copy()


@pytest.fixture
def clip(make_video) -> Path:
    return make_video("clip.mp4", frames=5)


@pytest.fixture
def folders(place: Path, clip: Path) -> tuple[Path, Path]:
    """Two folders of flow for the clip's pairs: 3 px right, and 3 px right and 4 px down."""
    for name, flow in (("a", steady(3, 0)), ("b", steady(3, 4))):
        Path(name).mkdir()
        for number in range(4):
            flo.write(Path(name) / f"{number:06d}.flo", flow)
    return Path("a"), Path("b")


def test_two_folders_of_flow_are_compared(flowcli, clip, folders) -> None:
    ended = flowcli("compare", clip, *folders, "-o", "out")
    assert (ended.code, ended.out) == (0, ["out/clip_compare.mp4", "out/clip_compare.json"])
    assert ended.err[0].startswith(
        "4 pairs: 4.00 px apart on average, 100.0 % of pixels by more than 3 px; mean photometric error"
    )
    assert times_of("out/clip_compare.mp4") == [Fraction(n, 25) for n in range(4)]
    record = json.loads(Path("out/clip_compare.json").read_text())
    assert [side["files"] for side in record["sides"]] == [4, 4]
    assert [each["mean"] for each in record["pairs"]] == [4] * 4
    assert record["mean"]["above_1"] == record["mean"]["above_3"] == 1


def test_saved_flow_equals_flow_computed_again(compute, flowcli, clip, weights) -> None:
    assert compute("video", clip, "--save", "npz", "--skip", 2, "-o", "saved").code == 0
    ended = flowcli("compare", clip, "saved/clip_flow", f"{weights},iters=1", "--skip", 2, "--json")
    assert ended.code == 0
    record = json.loads("\n".join(ended.out))
    assert [each["first"] for each in record["pairs"]] == [0, 2]
    assert record["mean"]["percentile_95"] == 0
    assert record["sides"][1]["iterations"] == 1


def test_a_video_on_stdin_is_compared(flowcli, make_video, weights, monkeypatch) -> None:
    sides = [f"{weights},iters=1", f"{weights},iters=2"]
    with make_video("clip.mkv", frames=4).open("rb") as clip:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(clip))
        assert flowcli("compare", "-", *sides).code == 0
    assert [each["first"] for each in json.loads(Path("stdin_compare.json").read_text())["pairs"]] == [0, 1, 2]


def test_two_settings_differ(flowcli, clip, weights) -> None:
    ended = flowcli("compare", clip, f"{weights},iters=1", f"{weights},iters=3,scale=0.5", "--max-frames", 2)
    record = json.loads(Path("clip_compare.json").read_text())
    assert ended.code == 0
    assert [(side["iterations"], side["scale"]) for side in record["sides"]] == [(1, 1), (3, 0.5)]
    assert record["mean"]["mean"] > 0


def test_the_difference_is_measured_where_both_flows_are_known() -> None:
    one, other = steady(0, 0), steady(0, 0)
    other[:, :16] = 3, 4
    one[:, 32:], other[0, 31] = np.nan, 1e10
    found = measure(pair(), one, other)
    known = 48 * 32 - 1
    assert found.mean == pytest.approx(5 * 48 * 16 / known, abs=1e-4)
    assert found.above_3 == pytest.approx(48 * 16 / known, abs=1e-4)
    assert measure(pair(), one * np.nan, other).mean is None


def test_a_picture_shows_the_frame_the_difference_and_both_flows() -> None:
    one, other = steady(0, 0), steady(8, 0)
    image = picture(pair(), one, other, ("x", "x"), ColourScale(8.0))
    assert image.shape == (2 * (28 + 48) + 28, 2 * 64, 3)
    frame, difference = image[28:76, :64], image[28:76, 64:]
    a, b = image[104:152, :64], image[104:152, 64:]
    assert (frame == 50).all() and (a == 255).all()
    assert b[0, 0].tolist() == [255, 0, 0]
    assert (difference == colour_error(np.full((1, 1), 8, np.float32), np.ones((1, 1), bool))[0, 0]).all()


def test_large_frames_are_shown_smaller() -> None:
    image = picture(pair(600, 1200), steady(0, 0, 600, 1200), steady(0, 0, 600, 1200), ("x", "y"), ColourScale(8.0))
    assert image.shape[1] == 2 * 960


def test_the_most_exact_format_is_read_and_backward_flow_is_ignored() -> None:
    Path("mixed").mkdir()
    for kind, name in (("kitti", "000000_kitti.png"), ("npz", "000000.npz"), ("npz", "000000_backward.npz")):
        writer(kind, bound=1, half=False)(Path("mixed") / name, steady(1, 2))
    assert numbered(Path("mixed")) == {0: ("npz", Path("mixed/000000.npz"))}


def test_settings_are_parsed_by_the_names_of_options(weights) -> None:
    side = side_of(
        f"{weights},iters=auto,tolerance=0.1,max-side=64,warm-start=yes",
        Request((Path("x"),), None, "", iterations="12"),
    )
    settings = side.settings
    assert (settings.tolerance, settings.resizing.max_side, settings.warm_start) == (0.1, 64, True)
    assert setting("iters = 4") == ("iterations", "4")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ("clip.mp4 nope {w}", 5, "there are no weights called 'nope'"),
        ("clip.mp4 {w},colour=red {w}", 2, "'colour=red' is not a setting"),
        ("clip.mp4 {w},max-side=big {w}", 2, "'max-side=big' does not give a valid value of max-side"),
        ("clip.mp4 {w},warm-start=maybe {w}", 2, "'warm-start=maybe' does not give a valid value of warm-start"),
        ("clip.mp4 {w},iters=0 {w}", 2, "--iters 0 is not a number of at least 1"),
        ("clip.mp4 void {w}", 3, "void holds no numbered flow files"),
        ("clip.mp4 a b --skip 2 -o taken_compare.mp4", 2, "taken_compare.mp4 exists already"),
        ("nope.mp4 a b", 2, "nope.mp4 does not exist"),
        ("clip.mp4 short b", 3, "short has no flow from frame 1"),
        ("clip.mp4 small b", 3, "small/000000.flo is 4 x 4, but the frames are 64 x 48"),
        ("clip.mp4 a b --skip 9", 3, "clip.mp4 is too short for a pair"),
    ],
)
@pytest.mark.usefixtures("clip", "folders")
def test_unusable_sides_and_inputs_are_refused_and_leave_no_video(
    flowcli, weights, arguments: str, code: int, error: str
) -> None:
    for name in ("void", "short", "small"):
        Path(name).mkdir()
    flo.write(Path("short/000000.flo"), steady(1, 1))
    flo.write(Path("small/000000.flo"), steady(1, 1, 4, 4))
    Path("taken_compare.mp4").write_text("mine")
    ended = flowcli("compare", *arguments.format(w=weights).split())
    assert (ended.code, ended.err[0], ended.out) == (code, f"error: {error}", [])
    assert sorted(path.name for path in Path().glob("*compare*")) == ["taken_compare.mp4"]
    assert not list(Path().glob(".*"))
