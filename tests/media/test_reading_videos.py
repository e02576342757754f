from __future__ import annotations

import weakref
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.media.decoding import Decoding
from flowcli.media.pairs import pair_up
from flowcli.media.pyav import MAX_BAD_IN_A_ROW, VideoReader
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source


def _packets(path: Path) -> list[tuple[int, int]]:
    import av

    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def _spoil(path: Path, numbers: range) -> None:
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(0)
    for number in numbers:
        position, size = _packets(path)[number]
        data[position : position + size] = noise.bytes(size)
    path.write_bytes(data)


def _close(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(image.astype(int) - colour).max() < 25)


def test_frames_equal_those_of_opencv(make_video):
    path = make_video(frames=5)
    capture = cv2.VideoCapture(str(path))
    frames = list(open_source(path).frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    for frame in frames:
        ours = frame.image.astype(int)
        theirs = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        assert np.abs(ours - theirs).mean() < 1


def test_metadata_is_known_before_the_frames(make_video):
    meta = open_source(make_video("a clip.mp4", frames=7)).meta
    assert (meta.name, meta.width, meta.height, meta.rate, meta.frame_count) == ("a clip.mp4", 64, 48, 25, 7)


def test_a_source_can_be_read_twice(make_video):
    with open_source(make_video(frames=4)) as source:
        first, second = list(source.frames()), list(source.frames())
    assert [frame.time for frame in first] == [frame.time for frame in second]
    assert source.lost == 0


def test_variable_frame_times_are_exact(make_video):
    pts = [0, 40, 80, 500, 510, 1000]
    path = make_video(frames=6, pts=pts, tick=Fraction(1, 1000), rate=Fraction(25))
    assert [frame.time for frame in open_source(path).frames()] == [Fraction(p, 1000) for p in pts]


def test_ntsc_film_times_are_exact(make_video):
    source = open_source(make_video(frames=9, rate=Fraction(24000, 1001)))
    assert source.meta.rate == Fraction(24000, 1001)
    assert [frame.time for frame in source.frames()] == [Fraction(1001 * i, 24000) for i in range(9)]


def test_times_start_at_the_first_frame(make_video):
    path = make_video("late.ts", frames=4, pts=[900, 901, 902, 903], tick=Fraction(1, 25))
    assert [frame.time for frame in open_source(path).frames()] == [Fraction(i, 25) for i in range(4)]


@pytest.mark.parametrize("name", ["damaged.mkv", "damaged.ts"])
def test_frames_that_the_decoder_repairs_are_noted(make_video, name):
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
    path = make_video(name, images=list(noise), codec="mpeg2video")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(byte ^ 0x5A for byte in data[middle : middle + 60])
    path.write_bytes(data)
    source = open_source(path)
    assert len(list(source.frames())) == 6
    assert source.notes == ["1 frame is damaged, first at 0.040 s: the decoder filled in what was missing"]


def test_a_raw_stream_has_the_given_rate_or_25_frames_per_second(make_video):
    path = make_video("raw.h264", frames=5)
    source = open_source(path, rate=Fraction(30000, 1001))
    assert [frame.time for frame in source.frames()] == [Fraction(1001 * number, 30000) for number in range(5)]
    assert source.notes == []
    source = open_source(path)
    assert [frame.time for frame in source.frames()] == [Fraction(number, 25) for number in range(5)]
    assert source.notes == ["the stream has no timestamps: 25 frames per second are assumed (--fps)"]


def combs(image: np.ndarray) -> float:
    """The mean difference between a row and the mean of its neighbours."""
    rows = image.astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())


@pytest.mark.parametrize("name", ["fields.ts", "fields.mkv"])
def test_interlaced_frames_are_noted_and_deinterlaced_on_request(make_video, name):
    images = []
    for number in range(12):
        image = np.full((48, 96, 3), 40, np.uint8)
        for field in (0, 1):
            image[field::2, 8 + 4 * number + 2 * field :][:, :20] = 220
        images.append(image)

    def interlace(stream):
        stream.codec_context.options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}

    path = make_video(name, images=images, codec="mpeg2video" if name == "fields.ts" else "libx264", prepare=interlace)
    combed, whole = open_source(path), open_source(path, decoding=Decoding(deinterlace=True))
    before, after = list(combed.frames()), list(whole.frames())
    assert combed.notes == ["frames are interlaced, which shows as combs at moving edges; use --deinterlace"]
    assert whole.notes == []
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert all(combs(b.image) < combs(a.image) / 3 for a, b in zip(before[1:-1], after[1:-1], strict=True))
    part = open_source(path, decoding=Decoding(deinterlace=True), selection=parse_selection("#5", "#8", None))
    assert [frame.image.tobytes() for frame in part.frames()] == [frame.image.tobytes() for frame in after[5:8]]


def test_the_pixel_aspect_is_known(make_video):
    def widen(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    assert open_source(make_video(frames=3, prepare=widen)).meta.pixel_aspect == Fraction(4, 3)

    def turn(stream):
        widen(stream)
        stream.set_display_rotation(90)

    assert open_source(make_video(frames=3, prepare=turn)).meta.pixel_aspect == Fraction(3, 4)


def test_the_first_video_stream_is_read(tmp_path):
    import av

    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for width in (64, 96):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
            streams.append(stream)
        for _ in range(4):
            for stream in streams:
                picture = np.zeros((48, stream.width, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    frames = list(open_source(path).frames())
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 4


@pytest.mark.parametrize(
    ("degrees", "corners"),
    [
        (90, ("green", "white", "red", "blue")),
        (180, ("white", "blue", "green", "red")),
        (-90, ("blue", "red", "white", "green")),
    ],
)
def test_a_rotated_video_is_upright(make_video, degrees, corners):
    path = make_video(frames=3, prepare=lambda stream: stream.set_display_rotation(degrees))
    _assert_corners(open_source(path), corners)
    capture = cv2.VideoCapture(str(path))
    theirs = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    ours = next(iter(open_source(path).frames())).image
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < 2


@pytest.mark.parametrize(
    ("flips", "corners"),
    [({"hflip": True}, ("green", "red", "white", "blue")), ({"vflip": True}, ("blue", "white", "red", "green"))],
)
def test_a_mirrored_video_is_mirrored_not_rotated(make_video, flips, corners):
    path = make_video(frames=3, prepare=lambda stream: stream.set_display_rotation(0, **flips))
    _assert_corners(open_source(path), corners)


def _assert_corners(source, corners: tuple[str, ...]) -> None:
    colours = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "white": (200, 200, 200)}
    image = next(iter(source.frames())).image
    height, width = image.shape[:2]
    assert (width, height) == (source.meta.width, source.meta.height)
    places = [(0, 0), (0, width // 2), (height // 2, 0), (height // 2, width // 2)]
    for (y, x), name in zip(places, corners, strict=True):
        middle = image[y + height // 4 - 2 : y + height // 4 + 2, x + width // 4 - 2 : x + width // 4 + 2]
        assert _close(middle, colours[name]), (name, middle[0, 0])


def test_bad_packets_leave_a_gap_and_are_counted(make_video):
    path = make_video(frames=30, options={"movflags": "faststart"})
    _spoil(path, range(10, 12))
    source = open_source(path)
    indices = [frame.index for frame in source.frames()]
    assert source.lost == 2
    assert len(indices) == 28
    assert indices[-1] == 29


def test_a_run_of_bad_packets_ends_the_video(make_video):
    path = make_video(frames=80, prepare=lambda stream: setattr(stream, "gop_size", 200))
    _spoil(path, range(20, 20 + MAX_BAD_IN_A_ROW + 10))
    source = open_source(path)
    frames = list(source.frames())
    assert 10 < len(frames) <= 20
    assert source.lost == MAX_BAD_IN_A_ROW


def test_a_video_cut_after_its_index_gives_its_remaining_frames(make_video):
    path = make_video(frames=30, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: sum(_packets(path)[20]) - 1])
    source = open_source(path)
    assert len(list(source.frames())) + source.lost == 30
    assert source.lost > 0


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv"])
def test_frames_lost_to_a_hole_in_the_file_are_counted_and_keep_their_time(make_video, name):
    path = make_video(name, images=list(np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 4 // 10] + bytes(len(data) // 10) + data[len(data) // 2 :])
    source = open_source(path)
    frames = list(source.frames())
    assert 5 < len(frames) < 30
    assert len(frames) + source.lost == 30
    assert all(frame.time == Fraction(frame.index, 25) for frame in frames)


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm"])
def test_a_cut_matroska_file_counts_what_is_missing(make_video, name):
    path = make_video(name, frames=30, codec="libx264" if name.endswith("mkv") else "libvpx-vp9")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    source = open_source(path)
    frames = list(source.frames())
    assert len(frames) < 30
    assert len(frames) + source.lost == 30


def test_frames_of_a_later_size_are_scaled_to_the_first(make_video):
    first = make_video("a.ts", frames=5)
    second = make_video("b.ts", images=[quarters_of(96, 80)] * 5)
    path = first.with_name("both.ts")
    path.write_bytes(first.read_bytes() + second.read_bytes())
    source = open_source(path)
    frames = list(source.frames())
    assert len(frames) == 10
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert all(a.time < b.time for a, b in pairwise(frames))
    assert [frame.scaled_from for frame in frames] == [None] * 5 + [(96, 80)] * 5
    assert source.notes == [
        "frames change size, first at 0.200 s, to 96 x 80; all are scaled to 64 x 48",
    ]
    continues = [pair.continues for pair in pair_up(iter(frames))]
    assert continues == [False, True, True, True, False, False, True, True, True]


def quarters_of(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 120, np.uint8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("zero.mp4", b"", "is empty"),
        ("page.mp4", b"<!DOCTYPE html><html>404</html>", "is a web page, not a video"),
        ("text.mp4", b"hello there\n" * 9, "is text, not a video"),
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.ts\n", "is a playlist, not a video"),
        ("concat.mp4", b"ffconcat version 1.0\nfile clip.mp4\n", "is a playlist, not a video"),
        ("noise.mp4", np.random.default_rng(0).bytes(5000), "is not a video that can be read"),
    ],
)
def test_the_error_states_why_a_file_is_not_a_video(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as failure:
        open_source(path)
    assert str(failure.value) == f"{path} {message}"


def test_an_image_is_not_a_video(tmp_path):
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(SourceError, match=r"is an image, not a video$"):
        open_source(path)


def test_a_video_without_its_index_is_cut_off(make_video):
    path = make_video(frames=30)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"is cut off: its index \(moov\) is missing$"):
        open_source(path)


def test_one_frame_is_too_few(make_video):
    path = make_video(frames=1)
    with pytest.raises(SourceError) as failure:
        open_source(path)
    assert str(failure.value) == f"{path} has only one frame"


def test_audio_alone_has_no_video_stream(tmp_path):
    import av

    path = tmp_path / "audio.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError) as failure:
        open_source(path)
    assert str(failure.value) == f"{path} has no video stream"


def test_a_missing_path_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError) as failure:
        open_source(tmp_path / "none.mp4")
    assert str(failure.value) == f"{tmp_path / 'none.mp4'} does not exist"


def test_frames_of_too_many_pixels_are_refused(make_video, monkeypatch):
    monkeypatch.setattr("flowcli.media.pyav.stream_facts.MAX_PIXELS", 3000)
    path = make_video(frames=3)
    with pytest.raises(SourceError, match=r"has frames of 64 x 48, more than "):
        open_source(path)


def test_a_title_that_is_not_utf_8_is_no_error(make_video):
    path = make_video("clip.mkv", frames=3, prepare=lambda stream: stream.metadata.update(title="caf-"))
    path.write_bytes(path.read_bytes().replace(b"caf-", b"caf\xe9"))
    assert len(list(open_source(path).frames())) == 3


def test_a_name_like_a_url_or_an_option_is_a_file(make_video, monkeypatch):
    path = make_video(frames=3)
    monkeypatch.chdir(path.parent)
    for name in ("http:x.mp4", "co:lon.mp4", "-dash.mp4", "ba\udcffd.mp4"):
        path.rename(name)
        path = Path(name)
        assert len(list(open_source(path).frames())) == 3


def test_sampled_pairs_are_spread_over_the_video(make_video):
    source = open_source(make_video(frames=40))
    pairs = source.sample_pairs(count=4, skip=2)
    assert [pair.first.time for pair in pairs] == [Fraction(index, 25) for index in (4, 14, 23, 33)]
    assert all(pair.second.time - pair.first.time == Fraction(2, 25) for pair in pairs)


def test_sampling_a_pair_holds_no_frame_between_its_two(make_video, monkeypatch):
    source = open_source(make_video(frames=40))
    read, alive, most = VideoReader.frames, weakref.WeakSet(), [0]

    def counted(self, *arguments, **options):
        for frame in read(self, *arguments, **options):
            alive.add(frame)
            most[0] = max(most[0], len(alive))
            yield frame

    monkeypatch.setattr(VideoReader, "frames", counted)
    assert source.sample_pairs(count=1, skip=30)
    assert most[0] <= 4


@pytest.mark.parametrize("name", ["clip.ts", "raw.h264"])
def test_pairs_are_sampled_without_seeking(make_video, name):
    assert open_source(make_video(name, frames=40)).sample_pairs(count=3, skip=1)


def test_fewer_pairs_are_sampled_of_a_short_video(make_video):
    assert len(open_source(make_video(frames=3)).sample_pairs(count=5, skip=1)) == 2


def test_packets_that_pyav_cannot_place_do_not_end_the_video(make_video):
    """PyAV looks up the stream of each packet, and has no entry for one that begins within the file."""

    class Faulty:
        def __init__(self, container):
            self._container = container

        def __getattr__(self, name):
            return getattr(self._container, name)

        def demux(self, stream):
            for number, packet in enumerate(self._container.demux(stream)):
                yield packet
                if number == 2:
                    raise IndexError

    with VideoReader(make_video("clip.ts", frames=12)) as reader:
        reader._container = Faulty(reader._container)
        assert len(list(reader.frames())) == 12
        assert reader.lost == 0


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv", "clip.mp4", "clip.avi", "clip.gif"])
def test_damage_leaves_frames_in_order_or_a_refusal(make_video, name):
    codec, pixels = ("gif", "rgb8") if name.endswith("gif") else ("libx264", "yuv420p")
    path = make_video(name, frames=30, codec=codec, pix_fmt=pixels)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for number in range(24):
        data = bytearray(whole[: int(len(whole) * rng.uniform(0.3, 1))] if number % 3 == 0 else whole)
        for place in rng.integers(0, len(data), 30):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        start = ("#0", "#5", "0.4")[number % 3]
        try:
            source = open_source(path, selection=parse_selection(start, None, None))
            frames = list(source.frames())
        except (SourceError, UsageError):
            continue
        assert all(a.time < b.time and a.index < b.index for a, b in pairwise(frames))
        assert not frames or (frames[0].index, frames[0].time) == (0, 0)
