from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import cv2
import numpy as np
import pytest

from flowcli.errors import OutputError
from flowcli.media.pyav import VideoReader, VideoWriter

RED = np.full((48, 64, 3), (210, 30, 40), np.uint8)


def _write(path, times, *, rate=Fraction(25), tick=Fraction(1, 25), image=RED):
    writer = VideoWriter(path, rate=rate, tick=tick)
    for time in times:
        writer.write(image, time=time)
    writer.close()


def _times(path):
    with VideoReader(path) as reader:
        return [frame.time for frame in reader.frames()]


@pytest.mark.parametrize(
    ("rate", "tick", "times"),
    [
        (Fraction(24000, 1001), Fraction(1, 24000), [Fraction(1001 * i, 24000) for i in range(30)]),
        (Fraction(24000, 1001), Fraction(1001, 24000), [Fraction(1001 * i, 24000) for i in range(30)]),
        (Fraction(30), Fraction(1, 15360), [Fraction(p, 15360) for p in (0, 511, 1024, 9000, 9001)]),
        (Fraction(25), Fraction(1, 1000), [Fraction(p, 1000) for p in (0, 33, 67, 100, 1100)]),
        (Fraction(25), Fraction(1, 90000), [Fraction(p, 90000) for p in (0, 3601, 7200)]),
        (Fraction(25), Fraction(1, 10**9), [Fraction(p, 10**9) for p in (0, 40_000_001, 80_000_000)]),
    ],
)
def test_times_are_exact(tmp_path, rate, tick, times):
    path = tmp_path / "out.mp4"
    _write(path, times, rate=rate, tick=tick)
    assert _times(path) == times


def test_the_rate_is_exact(tmp_path):
    rate = Fraction(24000, 1001)
    _write(tmp_path / "out.mp4", [i / rate for i in range(20)], rate=rate, tick=1 / rate)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.rate == rate


def test_the_default_encoding_plays_in_browsers(tmp_path):
    import av

    _write(tmp_path / "out.mp4", [Fraction(i, 25) for i in range(5)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, "mp4" in container.format.name) == ("h264", "yuv420p", True)
        assert stream.codec_context.colorspace == 1


def test_opencv_decodes_the_written_colours(tmp_path):
    _write(tmp_path / "out.mp4", [Fraction(0), Fraction(1, 25)])
    seen = cv2.cvtColor(cv2.VideoCapture(str(tmp_path / "out.mp4")).read()[1], cv2.COLOR_BGR2RGB)
    assert np.abs(seen.astype(int) - RED).max() <= 4


def test_odd_sizes_are_padded_not_cropped(tmp_path):
    image = np.zeros((31, 45, 3), np.uint8)
    image[-1, :] = image[:, -1] = 255
    _write(tmp_path / "out.mp4", [Fraction(0), Fraction(1, 25)], image=image)
    with VideoReader(tmp_path / "out.mp4") as reader:
        seen = next(reader.frames()).image
    assert seen.shape == (32, 46, 3)
    assert seen[30:, :].min() > 200
    assert seen[:, 44:].min() > 200


def test_a_video_has_its_name_only_when_complete(tmp_path):
    writer = VideoWriter(tmp_path / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25))
    writer.write(RED, time=Fraction(0))
    assert [file.name for file in tmp_path.iterdir()] == [".out.part.mp4"]
    writer.close()
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_an_aborted_video_leaves_nothing(tmp_path):
    writer = VideoWriter(tmp_path / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25))
    writer.write(RED, time=Fraction(0))
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_video_is_playable_under_a_partial_name(tmp_path):
    writer = VideoWriter(tmp_path / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25))
    for number in range(3):
        writer.write(RED, time=Fraction(number, 25))
    assert writer.finish_partial() == tmp_path / "out.partial.mp4"
    assert [file.name for file in tmp_path.iterdir()] == ["out.partial.mp4"]
    assert len(_times(tmp_path / "out.partial.mp4")) == 3


def test_a_video_without_frames_is_not_left_behind(tmp_path):
    VideoWriter(tmp_path / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25)).close()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_video_never_has_its_name_and_can_be_played(tmp_path):
    script = f"""
import os, signal, numpy as np
from fractions import Fraction
from pathlib import Path
from flowcli.media.pyav import VideoWriter
writer = VideoWriter(Path({str(tmp_path)!r}) / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25))
for number in range(150):
    writer.write(np.full((48, 64, 3), number, np.uint8), time=Fraction(number, 25))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert [file.name for file in tmp_path.iterdir()] == [".out.part.mp4"]
    assert len(_times(tmp_path / ".out.part.mp4")) >= 50


def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    import signal

    monkeypatch.setattr(signal, "signal", signal.signal)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0)
    writer = VideoWriter(tmp_path / "out.mp4", rate=Fraction(25), tick=Fraction(1, 25))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        with pytest.raises(OutputError, match=r"out\.mp4 cannot be written: ") as failure:
            for number in range(200):
                writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8), time=Fraction(number, 25))
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert failure.value.exit_code == 7
    assert list(tmp_path.iterdir()) == []
