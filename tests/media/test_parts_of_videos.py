"""Frames from the middle of a video equal those of a full decode, byte for byte."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flowcli.errors import UsageError
from flowcli.media import pyav
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source

FRAMES = 90
CLIPS = Path(__file__).parents[3] / "shared" / "clips"
X264 = {"bf": "3", "b_strategy": "0", "refs": "4"}


def packets_of(path: Path) -> list[tuple[int, int]]:
    import av

    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64 + FRAMES, 3), np.uint8)
    wide = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return [np.ascontiguousarray(wide[:, number : number + 64]) for number in range(FRAMES)]


@lru_cache(maxsize=1)
def oracle(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and bytes of every frame, by PyAV alone."""
    import av

    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24").tobytes())
            for frame in container.decode(video=0)
        ]
    origin = frames[0][0]
    return [(time - origin, data) for time, data in frames]


def coded(
    make_video, name: str, images: list[np.ndarray], *, options: dict[str, str] | None = None, **how: Any
) -> Path:
    """A video encoded with `options`."""

    def set_options(stream: Any) -> None:
        stream.codec_context.options = options or {}

    return make_video(name, images=images, prepare=set_options, **how)


def check(path: Path, *options: str | int | None) -> None:
    """Asserts that the selected frames have the bytes and times of a full decode."""
    start, end, most = (*options, None, None, None)[:3]
    selection = parse_selection(start, end, most)
    everything = oracle(path)
    wanted = [
        (number, time, data)
        for number, (time, data) in enumerate(everything)
        if selection.start.reached(number, time) and not (selection.end and selection.end.reached(number, time))
    ][:most]
    with open_source(path, selection=selection) as source:
        frames = list(source.frames())
        assert source.lost == 0
        assert source.meta.start == wanted[0][1]
    assert [frame.index for frame in frames] == list(range(len(wanted)))
    assert [frame.time for frame in frames] == [time - wanted[0][1] for _, time, _ in wanted]
    assert [frame.image.tobytes() for frame in frames] == [data for *_, data in wanted]
    known = [frame.source_index for frame in frames]
    assert known in ([number for number, *_ in wanted], [None] * len(wanted))
    assert [frame.source_time for frame in frames] == [time for _, time, _ in wanted]


CODINGS = {
    "b-frames.mp4": {"options": {**X264, "g": "20"}},
    "one-gop.mp4": {"options": {**X264, "g": "1000"}},
    "open-gop.mp4": {"options": {**X264, "g": "20", "x264-params": "open-gop=1"}},
    "b-frames.ts": {"options": {**X264, "g": "20"}},
    "one-gop.ts": {"options": {**X264, "g": "1000"}},
    "open-gop.ts": {"options": {**X264, "g": "20", "x264-params": "open-gop=1"}},
    "intra-refresh.ts": {"options": {"g": "20", "x264-params": "intra-refresh=1"}},
    "b-frames.mkv": {"options": {**X264, "g": "20"}},
    "open-gop.mkv": {"options": {**X264, "g": "20", "x264-params": "open-gop=1"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=20:bframes=3:log-level=none"}},
    "hevc.ts": {"codec": "libx265", "options": {"x265-params": "keyint=20:bframes=3:log-level=none"}},
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"g": "15", "bf": "2"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "15", "bf": "2"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"g": "15", "bf": "2"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "15", "bf": "2"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "20", "deadline": "realtime", "cpu-used": "8"}},
    "vp8.webm": {"codec": "libvpx", "options": {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}},
    "av1.mp4": {"codec": "libsvtav1", "options": {"g": "20", "preset": "12"}},
    "moving.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "moving.apng": {"codec": "apng", "pix_fmt": "rgb24"},
}


@pytest.mark.parametrize("name", CODINGS)
def test_selected_frames_equal_those_of_a_full_decode(make_video, images, name):
    path = coded(make_video, name, images, **CODINGS[name])
    for start in ("#1", "#19", "#20", "#21", "#33", "#61", "#88"):
        check(path, start)
    check(path, "1.3", "2")
    check(path, "#45", "#52")
    check(path, "#30", None, 3)


def test_variable_frame_rates_are_sought_exactly(make_video, images):
    steps = np.random.default_rng(1).integers(3, 300, FRAMES)
    pts = [int(pts) for pts in np.cumsum(steps)]
    for name in ("vfr.mp4", "vfr.mkv", "vfr.ts"):
        options = {**X264, "g": "20"}
        path = coded(make_video, name, images, pts=pts, tick=Fraction(1, 1000), options=options)
        check(path, "#50", "#70")
        check(path, "6.28")
        time = Fraction(pts[60] - pts[0], 1000)
        check(path, f"{time.numerator / time.denominator:.3f}", None, 4)


@pytest.mark.parametrize("name", ["b-frames.mp4", "open-gop.ts", "b-frames.mkv", "mpeg4.avi", "hevc.mp4", "vp9.webm"])
def test_a_part_is_reached_without_decoding_everything_before_it(make_video, images, monkeypatch, name):
    path = coded(make_video, name, images, **CODINGS[name])
    decoded = []
    convert = pyav.VideoReader._decoded

    def counted(reader):
        for frame in convert(reader):
            decoded.append(frame.pts)
            yield frame

    source = open_source(path, selection=parse_selection("#85", None, None))
    monkeypatch.setattr(pyav.VideoReader, "_decoded", counted)
    assert len(list(source.frames())) == FRAMES - 85
    assert len(decoded) < 60


def test_lost_frames_after_a_part_are_not_counted(make_video, images):
    path = make_video(images=images[:30], options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: sum(packets_of(path)[20])])
    whole = open_source(path)
    assert len(list(whole.frames())) + whole.lost == 30 and whole.lost > 0
    part = open_source(path, selection=parse_selection("#2", "#8", None))
    assert (len(list(part.frames())), part.lost) == (6, 0)


def test_lost_frames_before_a_part_are_not_counted(make_video, images):
    path = coded(make_video, "clip.mp4", images, options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    for position, size in packets_of(path)[4:7]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    whole = open_source(path)
    frames = list(whole.frames())
    assert whole.lost == 3
    for start in (5, 40):
        part = open_source(path, selection=parse_selection(f"#{start}", None, None))
        assert [frame.image.tobytes() for frame in part.frames()] == [
            frame.image.tobytes() for frame in frames if frame.index >= start
        ]
    assert part.lost == 0


@pytest.mark.parametrize(("start", "shown"), [("#5", "#5"), ("0.2", "0.2"), ("1:00:00", "3600")])
def test_a_start_beyond_the_end_is_a_usage_error(make_video, start, shown):
    path = make_video(frames=5)
    with pytest.raises(UsageError) as failure:
        open_source(path, selection=parse_selection(start, None, None))
    assert str(failure.value) == f"{path} ends before --start {shown}"


def test_sampled_pairs_stay_within_the_part(make_video):
    path = make_video(frames=40)
    source = open_source(path, selection=parse_selection("#20", "#30", None))
    pairs = source.sample_pairs(count=3, skip=2)
    assert [pair.first.time for pair in pairs] == [Fraction(index, 25) for index in (21, 24, 26)]


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs ../shared/clips")
@pytest.mark.parametrize(("name", "start", "end"), [("bikes.mp4", "#231", "#236"), ("bigbuckbunny.mp4", "4.9", "#126")])
def test_real_clips_are_sought_exactly(name, start, end):
    check(CLIPS / name, start, end)
