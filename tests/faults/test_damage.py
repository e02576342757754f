"""Videos cut anywhere, and with any byte changed: no crash, no hang, and no loss that is not reported."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest

from flowcli.errors import FlowcliError
from flowcli.media.sources import open_source
from tests.faults.making import clip

FRAMES = 40
KINDS = {"a.mp4": {"movflags": "+faststart"}, "a.ts": {}, "a.mkv": {}}
# Key frames a second apart, and B-frames, so that damage spreads as in common videos.
CODEC = {"g": "25", "bf": "2"}


def reports_losses(path: Path) -> bool:
    """Whether the video is refused, gives all its frames, or reports that it lost some.

    Transport streams and Matroska state no number of frames: the rest of a cut one may be a complete shorter video.
    In a transport stream of fewer than ten frames, a loss cannot be distinguished from a variable frame rate.
    """
    try:
        with open_source(path) as source:
            frames = [(frame.index, frame.time) for frame in source.frames()]
            noted = source.lost > 0 or any("missing" in note for note in source.notes)
    except FlowcliError as error:
        return bool(error.hint)
    shorter = path.suffix != ".mp4" and frames == [(index, Fraction(index, 25)) for index in range(len(frames))]
    few = path.suffix == ".ts" and len(frames) < 10
    return len(frames) >= FRAMES or noted or shorter or few


@pytest.fixture(params=list(KINDS))
def whole(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = clip(request.param, frames=FRAMES, size=(96, 64), options=KINDS[request.param], codec_options=CODEC)
    assert reports_losses(path)
    return path


@pytest.mark.slow
def test_a_video_cut_anywhere_is_refused_or_reports_its_losses(whole: Path) -> None:
    data = whole.read_bytes()
    silent = []
    for percent in range(2, 100, 2):
        whole.write_bytes(data[: len(data) * percent // 100])
        if not reports_losses(whole):
            silent.append(percent)
    assert not silent


@pytest.mark.slow
def test_a_video_with_any_byte_changed_is_refused_or_reports_its_losses(whole: Path) -> None:
    data = whole.read_bytes()
    generator = random.Random(1)
    silent = []
    for _ in range(100):
        place, value = generator.randrange(len(data)), generator.randrange(1, 256)
        whole.write_bytes(data[:place] + bytes([data[place] ^ value]) + data[place + 1 :])
        if not reports_losses(whole):
            silent.append((place, value))
    assert not silent
