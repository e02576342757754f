from __future__ import annotations

import errno
import io
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import OutputError, SourceError, UsageError
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source
from flowcli.media.sources.pipe import Stream
from flowcli.system.threads import prefetch

STDIN = Path("-")


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch):
    """Sends bytes to standard input through a pipe, which cannot be sought in."""
    ends: list[io.IOBase] = []

    def send(data: bytes) -> None:
        read, write = os.pipe()
        source = os.fdopen(read, "rb")
        ends.append(source)

        def feed() -> None:
            with os.fdopen(write, "wb") as end:
                try:
                    end.write(data)
                except BrokenPipeError:
                    return

        threading.Thread(target=feed, daemon=True).start()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))

    yield send
    monkeypatch.undo()
    for end in ends:
        end.close()


@pytest.mark.parametrize("name", ["clip.mkv", "clip.ts", "clip.nut", "clip.avi", "front.mp4"])
def test_a_piped_video_gives_the_frames_of_the_file(make_video, pipe, name):
    path = make_video(name, frames=12, options={"movflags": "faststart"} if name == "front.mp4" else None)
    with open_source(path) as file:
        expected = list(file.frames())
    pipe(path.read_bytes())
    with open_source(STDIN) as source:
        assert (source.meta.name, source.meta.width, source.meta.height) == ("stdin", 64, 48)
        frames = list(source.frames())
    assert [frame.index for frame in frames] == [frame.index for frame in expected]
    assert [frame.time for frame in frames] == [frame.time for frame in expected]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, expected, strict=True))


def test_sampling_pairs_of_a_pipe_loses_no_frame(make_video, pipe):
    pipe(make_video("clip.mkv", frames=12).read_bytes())
    with open_source(STDIN) as source:
        pairs = source.sample_pairs(count=3, skip=2)
        assert [(pair.first.index, pair.second.index) for pair in pairs] == [(0, 2), (1, 3), (2, 4)]
        assert [frame.index for frame in source.frames()] == list(range(12))


def test_an_mp4_whose_index_is_behind_its_frames_is_read(make_video, pipe):
    # Noise takes more bytes than FFmpeg keeps of what it has read.
    noise = np.random.default_rng(0).integers(0, 256, (6, 120, 160, 3), np.uint8)
    path = make_video("behind.mp4", images=list(noise))
    with open_source(path) as file:
        expected = list(file.frames())
    pipe(path.read_bytes())
    with open_source(STDIN) as source:
        assert all(np.array_equal(a.image, b.image) for a, b in zip(source.frames(), expected, strict=True))


def test_a_video_that_does_not_fit_into_the_temporary_folder_is_refused(make_video, pipe, monkeypatch):
    def refuse() -> io.IOBase:
        raise OSError(errno.ENOSPC, "No space left on device")

    pipe(make_video("clip.mp4", frames=4).read_bytes())
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"^the video from the pipe cannot be kept in \S+: the disk is full$"):
        open_source(STDIN)


def test_a_part_of_a_pipe_is_reached_by_decoding(make_video, pipe):
    pipe(make_video("clip.mkv", frames=12).read_bytes())
    with open_source(STDIN, selection=parse_selection("#3", "0.36", None)) as source:
        assert source.meta.start == Fraction(3, 25)
        assert [(frame.index, frame.time) for frame in source.frames()] == [(n, Fraction(n, 25)) for n in range(6)]


def test_outputs_of_standard_input_are_named_stdin(compute, make_video, pipe, place):
    pipe(make_video("clip.mkv", frames=4).read_bytes())
    assert compute("video", "-").out == ["stdin_flow.mp4"]
    assert (place / "stdin_flow.json").exists()


@pytest.mark.parametrize("data", [b"", b"hello\n" * 99], ids=["empty", "text"])
def test_a_pipe_without_video_is_refused(pipe, data):
    pipe(data)
    with pytest.raises(SourceError) as failure:
        open_source(STDIN)
    assert str(failure.value) == "stdin is not a video that can be read"


def test_a_pipe_that_ends_before_the_start_is_a_usage_error(make_video, pipe):
    pipe(make_video("clip.mkv", frames=4).read_bytes())
    with pytest.raises(UsageError, match=r"^stdin ends before --start 9$"):
        open_source(STDIN, selection=parse_selection("9", None, None))


def test_a_terminal_as_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    with pytest.raises(UsageError, match=r"^stdin is a terminal$"):
        open_source(STDIN)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_once(make_video, tmp_path):
    data = make_video("clip.mkv", frames=6).read_bytes()
    path = tmp_path / "pipe"
    os.mkfifo(path)
    feeder = threading.Thread(target=lambda: path.write_bytes(data))
    feeder.start()
    with open_source(path) as source:
        assert source.meta.name == "pipe"
        assert [frame.index for frame in source.frames()] == list(range(6))
    feeder.join()


@pytest.fixture
def silent():
    """A stream that never has data nor ends."""
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as file:
        yield Stream(file)
    os.close(write)


def test_ending_a_stream_ends_its_read(silent):
    threading.Timer(0.1, lambda: setattr(silent, "ended", True)).start()
    assert silent.read(100) == b""


def test_a_signal_that_stops_a_read_is_raised_after_it(silent):
    class Signal(BaseException):
        pass

    def stop() -> bool:
        raise Signal

    silent._has_data = stop
    with pytest.raises(Signal), silent.stopping():
        assert silent.read(100) == b""
        assert silent.read(100) == b""


@pytest.mark.usefixtures("no_thread_stays")
def test_prefetch_can_be_closed_while_its_source_is_blocked(silent):
    def frames():
        yield 1
        silent.read(100)

    ahead = prefetch(frames())
    assert next(ahead) == 1
    ahead.close()
    silent.ended = True
    for thread in threading.enumerate():
        if thread.name == "flowcli-prefetch":
            thread.join(5)
