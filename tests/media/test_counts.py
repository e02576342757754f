"""Files that are cut off, joined or packed: the frames that are there are read, those that are missing counted."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.media.pyav import VideoReader
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source

GREYS = [np.full((48, 64, 3), 9 * number, np.uint8) for number in range(24)]
NOISE = list(np.random.default_rng(0).integers(0, 256, (24, 48, 64, 3), np.uint8))
SLOTS = [Fraction(number, 25) for number in range(24)]


def cut(path: Path, part: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    return path


@pytest.mark.parametrize("codec", ["mjpeg", "libx264", "mpeg4"])
@pytest.mark.parametrize("part", [0.5, 0.7, 0.9])
def test_a_cut_avi_counts_every_frame_that_it_announces(make_video, codec, part):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = cut(make_video("a.avi", images=NOISE, codec=codec, pix_fmt=pixels), part)
    source = open_source(path)
    frames = list(source.frames())
    assert frames
    assert len(frames) + source.lost == 24
    # The frame that the cut goes through.
    repaired = f"1 frame is damaged, first at {float(frames[-1].time):.3f} s: the decoder filled in what was missing"
    assert source.notes in ([], [repaired])


def test_an_avi_that_is_cut_in_its_index_has_lost_nothing(make_video):
    path = make_video("a.avi", images=NOISE, codec="mjpeg", pix_fmt="yuvj420p")
    path.write_bytes(path.read_bytes()[:-30])
    source = open_source(path)
    assert (len(list(source.frames())), source.lost, source.notes) == (24, 0, [])


@pytest.mark.parametrize("name", ["a.mjpeg", "a.mkv"])
def test_a_frame_of_motion_jpeg_that_is_cut_off_is_lost_and_not_filled_up_with_grey(make_video, name):
    path = make_video(name, images=NOISE[:6], codec="mjpeg", pix_fmt="yuvj420p")
    data = path.read_bytes()
    starts = [match.start() for match in re.finditer(rb"\xff\xd8\xff", data)]
    middle, end = (starts[3] + starts[4]) // 2, data.index(b"\xff\xd9", starts[3]) + 2
    # In a container every packet keeps its size.
    path.write_bytes(data[:middle] + bytes(end - middle) * (name == "a.mkv") + data[end:])
    source = open_source(path)
    assert [frame.index for frame in source.frames()] == [0, 1, 2, 4, 5]
    assert source.lost == 1


def test_a_frame_of_motion_jpeg_without_its_end_marker_is_whole(make_video):
    path = make_video("a.mjpeg", images=NOISE[:6], codec="mjpeg", pix_fmt="yuvj420p")
    whole = [frame.image.tobytes() for frame in open_source(path).frames()]
    path.write_bytes(path.read_bytes().replace(b"\xff\xd9\xff\xd8", b"\xff\xd8").removesuffix(b"\xff\xd9"))
    source = open_source(path)
    assert [frame.image.tobytes() for frame in source.frames()] == whole
    assert source.lost == 0


@pytest.mark.parametrize("codec", ["libx264", "libvpx", "mjpeg"])
@pytest.mark.parametrize("lengths", [(24, 24), (8, 8), (24, 3)])
def test_joined_matroska_files_go_on_where_the_clock_restarts(make_video, tmp_path, codec, lengths):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    parts = [
        make_video(f"{number}.mkv", images=GREYS[:length], codec=codec, pix_fmt=pixels).read_bytes()
        for number, length in enumerate(lengths)
    ]
    path = tmp_path / "joined.mkv"
    path.write_bytes(b"".join(parts))
    source = open_source(path)
    frames = list(source.frames())
    assert [frame.time for frame in frames] == [Fraction(number, 25) for number in range(sum(lengths))]
    assert source.lost == 0
    assert [note for note in source.notes if "the clock jumps" in note]
    part = open_source(path, selection=parse_selection(f"#{lengths[0] + 1}", None, None))
    assert [frame.image.tobytes() for frame in part.frames()] == [
        frame.image.tobytes() for frame in frames[lengths[0] + 1 :]
    ]


def test_more_than_two_joined_matroska_files_are_refused(make_video, tmp_path):
    path = tmp_path / "joined.mkv"
    path.write_bytes(3 * make_video("a.mkv", images=GREYS[:4]).read_bytes())
    with pytest.raises(SourceError) as failure:
        open_source(path)
    assert str(failure.value) == f"{path} is 3 Matroska files one behind the other, of which FFmpeg reads two"


@pytest.mark.parametrize("options", [{}, {"movflags": "+faststart"}])
def test_an_mp4_behind_another_one_is_said_not_to_be_read(make_video, options):
    path = make_video("a.mp4", images=GREYS[:4], options=options)
    assert (len(list((source := open_source(path)).frames())), source.notes) == (4, [])
    path.write_bytes(2 * path.read_bytes())
    assert len(list((source := open_source(path)).frames())) == 4
    assert source.notes == [
        "another MP4 stands behind the first one, and is not read: join them with ffmpeg's concat demuxer"
    ]


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\1mdat", b"\0\0\0\0free", b"\xff" * 40])
def test_other_data_behind_an_mp4_does_not_matter(make_video, tail):
    path = make_video("a.mp4", images=GREYS[:4])
    path.write_bytes(path.read_bytes() + tail)
    source = open_source(path)
    assert (len(list(source.frames())), source.lost, source.notes) == (4, 0, [])


THEORA = [bytes([kind]) + b"theora" for kind in (0x80, 0x81, 0x82)]


def test_the_headers_of_a_joined_theora_stream_are_no_lost_frames(make_video):
    path = make_video("a.mkv", images=GREYS[:6], codec="ffv1")
    with VideoReader(path) as reader:
        packets, decoder = reader._packets, reader._decoder
        decoder._is_theora = True
        decoder._packets = lambda: (one for packet in packets() for one in with_comment(packet))
        assert [frame.time for frame in reader.frames()] == SLOTS[:6]
        assert (reader.lost, reader.notes, decoder.delivered) == (0, [], 6)


class Comment:
    """Stands for the second header of Theora, of which FFmpeg writes none."""

    pts = dts = -1
    is_corrupt = is_discard = False
    size = 40

    def __bytes__(self) -> bytes:
        return THEORA[1] + bytes(33)

    def has_sidedata(self, _: str) -> bool:
        return False

    def decode(self) -> list[Any]:
        raise av.error.PermissionError(1, "Operation not permitted")


def with_comment(packet: Any) -> list[Any]:
    return [packet, Comment()] if packet.pts == 120 else [packet]


def kind_of(data: bytes) -> str:
    return "IPBS"[data[data.rindex(b"\0\0\1\xb6") + 4] >> 6]


def packed(path: Path, target: Path) -> Path:
    """The same MPEG-4, as DivX packs it: each first B-frame is in its P-frame's packet, an empty frame in its place."""
    empty, mark = b"\0\0\1\xb6\x50\x0f\x7f", b"\0\0\1\xb2DivX503b1393p"
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream: Any = source.streams.video[0]
        frames = [bytes(packet) for packet in source.demux(stream) if packet.size]
        starts = [number for number, data in enumerate(frames) if kind_of(data) != "B"]
        groups = [frames[a:b] for a, b in zip(starts, [*starts[1:], len(frames)], strict=True)]
        slots = [slot for a, *rest in groups for slot in ([a + rest[0], *rest[1:], empty] if rest else [a])]
        copied = container.add_stream_from_template(stream, opaque=True)
        copied.codec_context.extradata = re.sub(b"\0\0\1\xb2.*", mark, stream.codec_context.extradata)
        slots[0] = re.sub(b"\0\0\1\xb2Lavc[0-9.]+", mark, slots[0])
        for number, data in enumerate(slots):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.stream, packet.time_base, packet.is_keyframe = copied, Fraction(1, 25), kind_of(data) == "I"
            container.mux(packet)
    return target


@pytest.mark.parametrize("between", [1, 2])
def test_packed_b_frames_have_the_times_of_their_slots_and_none_is_missing(make_video, tmp_path, between):
    def prepare(stream: Any) -> None:
        stream.codec_context.options = {"bf": str(between), "g": "12", "b_strategy": "0"}

    path = make_video("plain.avi", images=GREYS, codec="mpeg4", prepare=prepare)
    whole = list(open_source(path).frames())
    assert [frame.time for frame in whole] == SLOTS
    source = open_source(packed(path, tmp_path / "packed.avi"))
    frames = list(source.frames())
    assert [frame.time for frame in frames] == SLOTS
    assert [frame.image.tobytes() for frame in frames] == [frame.image.tobytes() for frame in whole]
    assert (source.lost, source.notes) == (0, [])
    part = open_source(source.path, selection=parse_selection("#15", None, None))
    assert [frame.image.tobytes() for frame in part.frames()] == [frame.image.tobytes() for frame in frames[15:]]
