"""Times and counts of files that repeat, hold, hide or restart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcli.media.pyav import VideoReader, VideoWriter
from flowcli.media.pyav.stream_facts import _is_hidden
from flowcli.media.selection import parse_rate, parse_selection
from flowcli.media.sources import open_source

GREYS = [np.full((48, 64, 3), 8 * number, np.uint8) for number in range(30)]


def times(source: Any) -> list[Fraction]:
    return [frame.time for frame in source.frames()]


def remuxed(path: Path, name: str, change: Any) -> Path:
    """The packets of a file in another one, each as `change(packet)` makes it; None leaves it out."""
    import av

    target = path.with_name(name)
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream = source.streams.video[0]
        copied = container.add_stream_from_template(stream, opaque=True)
        for packet in source.demux(stream):
            if packet.pts is not None and (changed := change(packet)) is not None:
                changed.stream = copied
                container.mux(changed)
    return target


def stretch(make_video: Any, name: str, offset: int, codec: str) -> bytes:
    pts = [offset * 25 + number for number in range(8)]
    return make_video(name, images=GREYS[:8], pts=pts, tick=Fraction(1, 25), codec=codec).read_bytes()


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
@pytest.mark.parametrize("offsets", [(7210, 10), (10, 7210), (10, 5000, 20, 95000)])
def test_joined_streams_go_on_where_the_clock_restarts(make_video, tmp_path, codec, offsets):
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(stretch(make_video, f"{n}.ts", offset, codec) for n, offset in enumerate(offsets)))
    source = open_source(path)
    assert times(source) == [Fraction(number, 25) for number in range(8 * len(offsets))]
    assert source.lost == 0
    assert [note for note in source.notes if "the clock jumps" in note]
    assert source.meta.frame_count <= path.stat().st_size // 188
    part = open_source(path, selection=parse_selection("#10", "#13", None))
    assert (part.meta.start, times(part)) == (Fraction(10, 25), [Fraction(number, 25) for number in range(3)])


@pytest.mark.parametrize("options", [{"bf": "3"}, {"bf": "1"}, {"bf": "3", "x264-params": "open-gop=1"}])
def test_frames_of_h264_in_avi_have_the_times_of_their_slots(make_video, options):
    def prepare(stream: Any) -> None:
        stream.codec_context.options = {"g": "10", "b_strategy": "0", **options}

    source = open_source(make_video("b.avi", images=GREYS, prepare=prepare))
    whole = list(source.frames())
    assert [frame.time for frame in whole] == [Fraction(number, 25) for number in range(30)]
    assert (source.lost, source.notes) == (0, [])
    part = open_source(source.path, selection=parse_selection("#18", None, None))
    assert [frame.image.tobytes() for frame in part.frames()] == [frame.image.tobytes() for frame in whole[18:]]


def test_empty_entries_of_an_avi_are_frames_that_stay(make_video):
    pts = [*range(10), *range(21, 41)]
    source = open_source(
        make_video("gap.avi", images=GREYS, codec="mjpeg", pix_fmt="yuvj420p", pts=pts, tick=Fraction(1, 25))
    )
    assert times(source) == [Fraction(number, 25) for number in pts]
    assert (source.lost, source.notes, source.meta.frame_count) == (0, [], 30)


def test_an_empty_packet_is_the_frame_before_it_again(make_video):
    with VideoReader(make_video("a.mkv", images=GREYS[:12], codec="mjpeg", pix_fmt="yuvj420p")) as reader:
        packets = reader._packets
        reader._decoder._packets = lambda: map(emptied, packets())
        frames = list(reader.frames())
        assert reader.lost == 0
    assert [frame.time for frame in frames] == [Fraction(number, 25) for number in range(12)]
    assert len({frame.image.tobytes() for frame in frames[3:9]}) == 1


class EmptyPacket:
    """Stands for a packet without bytes, which no muxer of FFmpeg but Ogg's writes."""

    def __init__(self, packet: Any) -> None:
        self.pts, self.dts, self.size = packet.pts, packet.dts, 0
        self.is_corrupt = self.is_discard = False

    def has_sidedata(self, _: str) -> bool:
        return False


def emptied(packet: Any) -> Any:
    return EmptyPacket(packet) if packet.pts is not None and 4 <= packet.pts // 40 < 9 else packet


@pytest.mark.parametrize("name", ["held.mkv", "held.webm", "held.mp4", "held.mov"])
def test_a_last_frame_that_is_held_is_no_loss(make_video, name):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = make_video("short.mkv", images=GREYS[:6], codec=codec)

    def hold(packet: Any) -> Any:
        packet.duration = 3000 if packet.pts == 200 else packet.duration
        return packet

    source = open_source(remuxed(path, name, hold))
    assert len(times(source)) == 6
    assert (source.lost, source.notes) == (0, [])


def test_a_trimmed_mp4_announces_what_its_edit_list_shows(make_video):
    path = make_video("whole.mp4", images=GREYS)

    def later(packet: Any) -> Any:
        shift = round(Fraction(42, 100) / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return packet

    source = open_source(remuxed(path, "cut.mp4", later))
    assert times(source) == [Fraction(number, 25) for number in range(len(times(source)))]
    assert (source.notes, source.lost, source.meta.frame_count) == ([], 0, len(times(source)))
    assert source.meta.frame_count < 30


def test_a_cut_fragment_counts_every_frame_that_it_lists(make_video):
    noise = list(np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8))
    options = {"movflags": "frag_keyframe+empty_moov"}

    def prepare(stream: Any) -> None:
        stream.codec_context.options = {"g": "10", "sc_threshold": "0"}

    path = make_video("f.mp4", images=noise, options=options, prepare=prepare)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    assert 10 < len(times(source)) < 20
    assert len(times(source)) + source.lost == 20


@pytest.mark.parametrize(
    ("data", "hidden"),
    [
        (b"\x82\x00", False),  # a key frame that is shown
        (b"\x84\x00", True),  # a frame that is not
        (b"\x86\x00", False),
        (b"\x8a", False),  # an earlier frame is shown
        (b"\xb0\x00", True),  # profile 3 has another bit
        (b"\xb1\x00", False),
        (b"\x84\x00\xc0", False),  # a superframe ends with the frame that is shown
    ],
)
def test_hidden_frames_of_vp9_have_no_time(data, hidden):
    packet = type("Packet", (), {"size": len(data), "__bytes__": lambda _: data})()
    assert _is_hidden(packet, "vp9") is hidden


def test_the_count_of_an_ivf_may_be_in_ticks(make_video):
    path = make_video("a.ivf", images=GREYS, codec="libvpx-vp9")
    source = open_source(path)
    assert (len(times(source)), source.notes) == (30, [])


def test_the_rate_of_a_high_speed_camera_is_known(make_video, tmp_path):
    assert open_source(make_video("fast.mp4", images=GREYS, rate=Fraction(5000))).meta.rate == 5000
    path = tmp_path / "fast.y4m"
    path.write_bytes(b"YUV4MPEG2 W64 H48 F20000:1\n" + 4 * (b"FRAME\n" + bytes(64 * 48 * 3 // 2)))
    source = open_source(path)
    assert (source.meta.rate, times(source)) == (20_000, [Fraction(number, 20_000) for number in range(4)])


def test_high_rates_of_images_are_taken_up_to_a_million():
    assert parse_rate("5000") == 5000
    assert parse_rate("1000000") == 1_000_000


def boxes(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        found.append(data[4:8])
        data = data[int.from_bytes(data[:4], "big") :]
    return found


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_the_index_is_in_front_and_times_stay(tmp_path, name):
    moments = [Fraction(1, 25), Fraction(3, 25), Fraction(4, 25), Fraction(40, 25)]
    for part in (True, False):
        writer = VideoWriter(tmp_path / name, rate=Fraction(25), tick=Fraction(1, 25), part=part)
        for image, moment in zip(GREYS, moments, strict=False):
            writer.write(image, time=moment)
        writer.close()
        kinds = boxes(tmp_path / name)
        assert (kinds.index(b"moov") < kinds.index(b"mdat")) is not part
        assert times(open_source(tmp_path / name)) == [moment - moments[0] for moment in moments]
    assert [path.name for path in tmp_path.iterdir()] == [name]
