from __future__ import annotations

import csv
import json
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flowcli.errors import OutputError
from flowcli.flow.estimate import Estimate
from flowcli.flow.points import parse_points
from flowcli.flow.track_files import drawn
from flowcli.flow.tracking import TrackedFrame, follow, grid_points
from flowcli.media.demo_clip import fan_flow
from flowcli.media.demo_clip.clip import _motions, _pixels, _top_layer
from flowcli.media.frames import Frame, FramePair
from flowcli.media.sources import open_source
from tests.outputs import times_of

pytestmark = pytest.mark.usefixtures("place")

HEIGHT, WIDTH = 96, 128


def frame(index: int) -> Frame:
    return Frame(index, Fraction(index, 25), np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def estimate(index: int, forward: np.ndarray, backward: np.ndarray, *, cut: bool = False, skip: int = 1) -> Estimate:
    flows = [torch.from_numpy(flow.astype(np.float32)).permute(2, 0, 1) for flow in (forward, backward)]
    pair = FramePair(frame(index), frame(index + skip), continues=index > 0, cut=cut)
    return Estimate(pair, flows[0], iterations=1, warm=False, backward=flows[1])


def moving(x: float, y: float) -> np.ndarray:
    return np.broadcast_to(np.float32([x, y]), (HEIGHT, WIDTH, 2))


def at_once(points: list[tuple[float, float]], estimates: list[Estimate], **limits: float) -> list[TrackedFrame]:
    return list(follow(np.array(points, np.float32), estimates, **limits))


def test_points_go_where_flow_leads_and_end_with_the_video() -> None:
    shown = at_once([(10, 10), (40.5, 20.25)], [estimate(i, moving(1.5, -0.25), moving(-1.5, 0.25)) for i in range(4)])
    assert [seen.frame.index for seen in shown] == [0, 1, 2, 3, 4]
    assert np.allclose(shown[-1].places, [(16, 9), (46.5, 19.25)], atol=1e-4)
    assert [list(seen.ends) for seen in shown] == [["", ""]] * 4 + [["end", "end"]]


def test_a_point_between_pixels_moves_as_its_neighbours_do() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    turning = np.stack((-0.01 * (y - 40), 0.01 * (x - 60)), axis=-1)
    shown = at_once([(70.3, 44.8)], [estimate(0, turning, np.zeros((HEIGHT, WIDTH, 2)))], absolute=9)
    assert np.allclose(shown[1].places, [(70.3 - 0.048, 44.8 + 0.103)], atol=1e-5)


def test_points_on_the_fan_stay_on_their_blade_as_its_truth_says() -> None:
    """Chained over a quarter turn, against the analytic motion of every layer."""
    frames = 13
    flows = [fan_flow(i, height=HEIGHT, width=WIDTH).flow for i in range(frames)]
    backs = [fan_flow(i + 1, -1, height=HEIGHT, width=WIDTH).flow for i in range(frames)]
    points = grid_points(HEIGHT, WIDTH, spacing=5)
    shown = list(follow(points, [estimate(i, *both) for i, both in enumerate(zip(flows, backs, strict=True))]))
    starts = points[:, 0] + 1j * points[:, 1]
    layer = _top_layer(starts, _motions(0, HEIGHT, WIDTH))
    errors = []
    for seen in shown:
        before, after = _motions(0, HEIGHT, WIDTH), _motions(seen.frame.index, HEIGHT, WIDTH)
        for number, place in zip(seen.numbers, seen.places, strict=True):
            which = layer[number]
            truth = after[which].to_frame(before[which].to_layer(starts[number]))
            errors.append(abs(complex(*place) - truth))
    assert len(shown) == frames + 1
    assert len(shown[-1].numbers) > 0.25 * len(points)
    # Beside an edge a point between pixels reads the flow of either layer.
    assert np.median(errors) < 0.01
    assert np.quantile(errors, 0.9) < 1


def test_what_the_fan_hides_ends_and_what_it_shows_goes_on() -> None:
    truth = fan_flow(0, height=HEIGHT, width=WIDTH)
    back = fan_flow(1, -1, height=HEIGHT, width=WIDTH).flow
    pixels = _pixels(HEIGHT, WIDTH)
    points = np.stack((pixels.real, pixels.imag), axis=-1).reshape(-1, 2).astype(np.float32)
    (first, _) = follow(points, [estimate(0, truth.flow, back)])
    goes_on = np.array([end == "" for end in first.ends])
    agreement = (goes_on == truth.visible.ravel()).mean()
    assert agreement > 0.97
    assert 0 < (~truth.visible).mean() < 0.2


@pytest.mark.parametrize(
    ("flow", "back", "end"),
    [
        ((0.5, 0), (-0.5, 0), ""),
        ((2, 0), (0, 0), "unconfirmed"),
        ((np.nan, 0), (0, 0), "unconfirmed"),
        ((30, 0), (-30, 0), "left"),
    ],
)
def test_a_point_ends_as_its_flows_say(flow: tuple[float, float], back: tuple[float, float], end: str) -> None:
    shown = at_once([(110, 50)], [estimate(0, moving(*flow), moving(*back))])
    assert list(shown[0].ends) == [end]
    assert len(shown) == (1 if end else 2)


def test_the_thresholds_decide_what_is_confirmed() -> None:
    pair = estimate(0, moving(4, 0), moving(-2, 0))  # 4 px² apart, 20 px² long
    assert list(at_once([(9, 9)], [pair], relative=0, absolute=4.1)[0].ends) == [""]
    assert list(at_once([(9, 9)], [pair], relative=0, absolute=3.9)[0].ends) == ["unconfirmed"]
    assert list(at_once([(9, 9)], [pair], relative=0.21, absolute=0)[0].ends) == [""]


def test_points_end_at_a_cut_and_where_frames_are_lost() -> None:
    still = np.zeros((HEIGHT, WIDTH, 2))
    shown = at_once(
        [(9, 9)], [estimate(0, still, still), estimate(1, still, still, cut=True), estimate(2, still, still)]
    )
    assert [(seen.frame.index, list(seen.ends)) for seen in shown] == [(0, [""]), (1, ["cut"])]
    shown = at_once([(9, 9)], [estimate(0, still, still), estimate(5, still, still)])
    assert [(seen.frame.index, list(seen.ends)) for seen in shown] == [(0, [""]), (1, ["gap"])]


def test_flow_of_one_direction_is_not_enough() -> None:
    with pytest.raises(ValueError, match="both directions"):
        at_once([(9, 9)], [replace(estimate(0, moving(0, 0), moving(0, 0)), backward=None)])


def test_a_grid_is_centred_and_points_are_read_in_pixels() -> None:
    points = grid_points(100, 200, spacing=None)
    assert 200 < len(points) <= 300
    assert np.allclose(points.mean(axis=0), (99.5, 49.5))
    assert len(grid_points(10, 10, spacing=500)) == 1
    assert np.array_equal(parse_points("1,2; 30.5 , 4;", height=9, width=40), np.float32([(1, 2), (30.5, 4)]))


def test_a_point_is_drawn_where_it_is_and_a_ring_where_it_ends() -> None:
    start = Frame(0, Fraction(0), np.full((60, 80, 3), 100, np.uint8))
    places = np.float32([(20, 30), (60, 30)])
    image = drawn(
        TrackedFrame(start, np.arange(2), places, ["", "unconfirmed"]),
        {n: deque([tuple(p)]) for n, p in enumerate(places.tolist())},
    )
    assert image[30, 20].max() > 200 and (image[30, 20] != 100).any()
    assert (image[30, 60] == 100).all() or (image[28:33, 58:63] == 100).mean() > 0.5
    assert (image[30, 64:67] != 100).any()
    assert (start.image == 100).all()


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


@pytest.fixture
def clip(make_video) -> Path:
    """A texture that moves by (3, 1) px a frame."""
    scene = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8), (0, 0), 2.5)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    images = [scene[20 - i : 148 - i, 40 - 3 * i : 200 - 3 * i] for i in range(6)]
    return make_video("clip.mp4", images=images, options={}, pix_fmt="yuv444p")


def test_the_embedded_weights_follow_a_moving_texture(flowcli, clip: Path) -> None:
    ended = flowcli("track", clip, "--grid", 16, "--save", "csv", "--occlusion-absolute", 4, "--iters", 6)
    assert ended.code == 0
    rows = table(ended.out[0])
    places = {(int(row["point"]), int(row["frame"])): np.array([float(row["x"]), float(row["y"])]) for row in rows}
    inside = [n for n, f in places if f == 0 and (places[n, 0] > 24).all() and (places[n, 0] < (110, 96)).all()]
    errors = [np.linalg.norm(places[n, 5] - places[n, 0] - (15, 5)) for n in inside if (n, 5) in places]
    assert len(errors) > 0.8 * len(inside)
    # A fifth of the way that they went: how far off is the weights' error, summed over five pairs.
    assert np.median(errors) < np.hypot(15, 5) / 5


def test_track_writes_a_table_json_and_a_video_of_the_same(compute, clip: Path) -> None:
    ended = compute(
        "track", clip, "--points", "50,40;80.5,60", "--save", "csv,json,video", "-o", "out", "--skip", 2,
        "--occlusion-absolute", 1e6, "--max-frames", 5,
    )  # fmt: skip
    assert ended.code == 0
    assert ended.out == ["out/clip_tracks.csv", "out/clip_tracks.json", "out/clip_tracks.mp4"]
    assert ended.err == ["2 of 2 points tracked through 3 frames"]
    rows = table("out/clip_tracks.csv")
    assert [(row["point"], row["frame"], row["time"], row["end"]) for row in rows] == [
        ("0", "0", "0.000000", ""), ("1", "0", "0.000000", ""),
        ("0", "2", "0.080000", ""), ("1", "2", "0.080000", ""),
        ("0", "4", "0.160000", "end"), ("1", "4", "0.160000", "end"),
    ]  # fmt: skip
    assert (rows[1]["x"], rows[1]["y"]) == ("80.500", "60.000")
    record = json.loads(Path("out/clip_tracks.json").read_text())
    assert (record["width"], record["height"], record["ends"]) == (160, 128, {"end": 2})
    told = [
        (str(n), str(f["frame"]), f"{x:.3f}", f"{y:.3f}", end) for f in record["frames"] for n, x, y, end in f["points"]
    ]
    assert told == [(row["point"], row["frame"], row["x"], row["y"], row["end"]) for row in rows]
    assert record["weights"]["name"] == "random"
    assert times_of("out/clip_tracks.mp4") == [0, Fraction(2, 25), Fraction(4, 25)]


def test_the_video_of_tracks_has_the_pixel_aspect_of_its_input(compute, make_video) -> None:
    def widen(stream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    make_video(frames=3, prepare=widen)
    assert compute("track", "clip.mp4", "--occlusion-absolute", 1e6).code == 0
    assert open_source(Path("clip_tracks.mp4")).meta.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ("nope.mp4", 2, "nope.mp4 does not exist"),
        ("clip.mp4 --points 1;2", 2, "'1' is not a point"),
        ("clip.mp4 --points 500,2", 2, "the point 500,2 lies outside of the frames, 160 x 128"),
        ("clip.mp4 --points ;", 2, "--points names no point"),
        ("clip.mp4 --save gif", 2, "--save gif is not known"),
        ("clip.mp4 --save ,", 2, "--save names no output"),
        ("clip.mp4 -o taken.csv --save csv", 2, "taken.csv exists already"),
        ("clip.mp4 -o clip.mp4 --save video -y", 2, "clip.mp4 is the input itself"),
        ("clip.mp4 --skip 9", 3, "clip.mp4 is too short for a pair"),
    ],
)
def test_what_cannot_be_tracked_is_told_and_nothing_is_left(
    compute, clip, arguments: str, code: int, error: str
) -> None:
    Path("taken.csv").write_text("mine")
    before = sorted(Path().iterdir())
    ended = compute("track", *arguments.split())
    assert (ended.code, ended.err[0], ended.out) == (code, f"error: {error}", [])
    assert sorted(Path().iterdir()) == before


@pytest.mark.usefixtures("no_thread_stays")
def test_nothing_is_left_where_a_later_output_cannot_be_opened(compute, clip, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OutputError("no encoder", hint="install one")

    monkeypatch.setattr("flowcli.pipeline.track.TrackVideo", refuse)
    before = sorted(Path().iterdir())
    assert compute("track", clip, "--save", "csv,video").code == 7
    assert sorted(Path().iterdir()) == before


@pytest.mark.usefixtures("no_thread_stays")
def test_nothing_is_left_of_tracks_that_are_stopped_before_the_first_frame(compute, clip, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> Iterator[Estimate]:
        signal.raise_signal(signal.SIGTERM)
        yield from ()

    monkeypatch.setattr("flowcli.pipeline.track.follow", stop)
    before = sorted(Path().iterdir())
    ended = compute("track", clip, "--save", "csv,json,video")
    assert (ended.code, ended.err) == (143, ["error: stopped by TERM", "hint: nothing was finished yet"])
    assert sorted(Path().iterdir()) == before
