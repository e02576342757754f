"""Audio copied into output videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from flowcli.flow.estimate import Estimate
from flowcli.media.frames import FramePair
from flowcli.media.pyav import VideoReader
from flowcli.model.estimator import FlowEstimator
from tests.conftest import quarters

pytestmark = pytest.mark.usefixtures("place")

RATE = 48000


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair has zero flow, on which audio does not depend."""

    def estimate_batch(_: FlowEstimator, batch: list[FramePair], *__: object) -> list[Estimate]:
        return [Estimate(pair, torch.zeros(2, *pair.first.image.shape[:2]), iterations=1, warm=False) for pair in batch]

    monkeypatch.setattr(FlowEstimator, "estimate_batch", estimate_batch)


@pytest.fixture
def clicking():
    """Writes a video whose audio has a click every tenth of a second, and returns its path."""

    def make(name: str = "clicks.mp4", *, frames: int = 40, codec: str = "aac", start: int = 0) -> Path:
        with av.open(name, "w") as container:
            video = container.add_stream("libx264", rate=25, options={"bf": "0", "g": "10"})
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            audio = container.add_stream(codec, rate=RATE, layout="mono")
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(quarters(shift=number % 8), format="rgb24")
                frame.pts, frame.time_base = number + start, Fraction(1, 25)
                container.mux(video.encode(frame))
            samples = np.zeros(frames * RATE // 25, np.float32)
            for click in range(0, len(samples), RATE // 10):
                samples[click : click + 200] = 0.9
            block = audio.codec_context.frame_size or 1024
            for begin in range(0, len(samples) - block, block):
                block_frame = av.AudioFrame.from_ndarray(
                    samples[None, begin : begin + block], format="fltp", layout="mono"
                )
                block_frame.sample_rate, block_frame.pts, block_frame.time_base = (
                    RATE,
                    begin + start * RATE // 25,
                    Fraction(1, RATE),
                )
                container.mux(audio.encode(block_frame))
            container.mux(video.encode(None))
            container.mux(audio.encode(None))
        return Path(name)

    return make


def _packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]


def _clicks(path: Path) -> list[float]:
    """When clicks begin, in seconds by the file's clock."""
    times, samples = [], []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        for frame in container.decode(stream):
            values = frame.to_ndarray()[0]
            times.append(float(frame.pts * frame.time_base) + np.arange(len(values)) / frame.sample_rate)
            samples.append(values)
    time, loud = np.concatenate(times), np.abs(np.concatenate(samples)) > 0.4
    starts = time[1:][loud[1:] & ~loud[:-1]]
    return [float(start) for before, start in zip([-1.0, *starts], starts, strict=False) if start - before > 0.05]


def test_audio_is_copied_packet_by_packet_into_every_video(compute, clicking) -> None:
    clicking()
    assert compute("video", "clicks.mp4", "--audio", "--save", "video,side", "--max-flow", 4, "--segment", 9).code == 0
    original = _packets(Path("clicks.mp4"))
    for name in ("clicks_flow.mp4", "clicks_side.mp4"):
        copied = _packets(Path(name))
        assert len(copied) > 0.9 * len(original)
        assert all(packet in original for packet in copied)
        with VideoReader(Path(name)) as reader:
            assert [frame.time for frame in reader.frames()] == [Fraction(number, 25) for number in range(39)]


@pytest.mark.parametrize("options", [[], ["--skip", 3], ["--start", "0.6", "--end", "1.4"]], ids=str)
@pytest.mark.parametrize("start", [0, 70])
def test_audio_stays_in_sync_with_its_frames_and_ends_with_them(compute, clicking, options, start) -> None:
    clicking(start=start)
    assert compute("video", "clicks.mp4", "--audio", "--max-flow", 4, *options).code == 0
    clicks = _clicks(Path("clicks_flow.mp4"))
    assert len(clicks) >= 5
    assert all(abs(click * 10 - round(click * 10)) < 0.03 for click in clicks), clicks
    with av.open("clicks_flow.mp4") as container:
        ends = [float((stream.duration or 0) * stream.time_base) for stream in container.streams]
    assert abs(ends[0] - ends[1]) < 0.06


@pytest.mark.parametrize("starts", [(0, 500), (500, 0), (0, 0), (0, 12), (30, 500, 30)], ids=str)
@pytest.mark.parametrize("options", [[], ["--start", "#30"]], ids=str)
def test_audio_stays_in_sync_where_the_clock_restarts(compute, clicking, starts, options) -> None:
    parts = [clicking(f"{n}.ts", frames=25, start=start).read_bytes() for n, start in enumerate(starts)]
    Path("joined.ts").write_bytes(b"".join(parts))
    assert compute("video", "joined.ts", "--audio", "--max-flow", 4, *options).code == 0
    clicks = _clicks(Path("joined_flow.mp4"))
    first = 1.2 if options else 0
    wanted = {number for number in range(10 * len(starts) - round(10 * first)) if (number + 10 * first) % 10 < 9}
    assert {round(click * 10) for click in clicks} >= wanted - {0}
    assert all(abs(click * 10 - round(click * 10)) < 0.3 for click in clicks), clicks


def test_audio_is_not_copied_by_default(compute, clicking) -> None:
    clicking()
    assert compute("video", "clicks.mp4", "--max-flow", 4).code == 0
    with av.open("clicks_flow.mp4") as container:
        assert len(container.streams) == 1


def test_a_video_without_audio_is_reported_and_computed(compute, make_video) -> None:
    make_video(frames=3)
    ended = compute("video", "clip.mp4", "--audio")
    assert (ended.code, ended.err[0]) == (0, "clip.mp4 has no audio to copy")


def test_audio_that_a_container_cannot_hold_is_refused_before_anything_is_computed(compute, clicking) -> None:
    clicking(frames=10)
    ended = compute("video", "clicks.mp4", "--audio", "--codec", "vp9")
    assert ended.code == 2
    assert ended.err == [
        "error: the audio of clicks.mp4 is aac, which .webm files cannot hold",
        "hint: leave --audio out, or use another --codec, or -o NAME.mkv",
    ]
    assert compute("video", "clicks.mp4", "--audio", "--codec", "vp9", "-o", "x.mkv").code == 0
    assert _packets(Path("x.mkv"))


def test_the_pixel_aspect_is_kept(compute, make_video) -> None:
    def widen(stream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    make_video(frames=5, prepare=widen)
    for length in (99, 2):
        assert compute("video", "clip.mp4", "--max-flow", 4, "--segment", length, "-y").code == 0
        with av.open("clip_flow.mp4") as container:
            assert container.streams.video[0].codec_context.sample_aspect_ratio == Fraction(4, 3)
