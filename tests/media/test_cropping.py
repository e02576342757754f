"""Cropping that MP4 and MOV ask for by a clean aperture."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from flowcli.media.sources import open_source

CONTAINERS = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"stsd": 8, b"avc1": 78}
"""The boxes from the outermost one to a video's description, with the bytes before the boxes within each."""


def with_aperture(path: Path, *numbers: int) -> Path:
    """Adds a clean aperture, four fractions (width, height, centre), to a file whose index is at its end."""
    aperture = struct.pack(">I4s8i", 40, b"clap", *numbers)

    def grown(data: bytes) -> bytes:
        whole = b""
        while data:
            size, kind = struct.unpack_from(">I4s", data)
            content, data = data[8:size], data[size:]
            if kind in CONTAINERS:
                head = CONTAINERS[kind]
                content = content[:head] + grown(content[head:])
                content += aperture if kind == b"avc1" else b""
            whole += struct.pack(">I4s", 8 + len(content), kind) + content
        return whole

    path.write_bytes(grown(path.read_bytes()))
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov"])
@pytest.mark.parametrize("turn", [0, 90, 180])
@pytest.mark.parametrize(
    ("aperture", "shown"),
    [
        ((48, 1, 32, 1, 0, 1, 0, 1), np.s_[8:40, 8:56]),
        ((64, 1, 40, 1, 0, 1, -4, 1), np.s_[:40, :]),
        ((120, 2, 48, 1, 2, 1, 0, 1), np.s_[:, 4:]),
        ((63, 1, 48, 1, 1, 2, 0, 1), np.s_[:, 1:]),
    ],
)
def test_the_clean_aperture_is_shown_before_a_rotation(make_video, name, turn, aperture, shown):
    path = make_video(name, frames=3, prepare=lambda stream: stream.set_display_rotation(turn))
    whole = [frame.image for frame in open_source(path).frames()]
    source = open_source(with_aperture(path, *aperture))
    frames = list(source.frames())
    quarters = turn // 90
    wanted = [np.rot90(np.rot90(image, -quarters)[shown], quarters) for image in whole]
    assert all((frame.image == image).all() for frame, image in zip(frames, wanted, strict=True))
    assert (source.meta.height, source.meta.width) == wanted[0].shape[:2]
    assert source.notes[0].startswith("frames are cropped as the file asks for: ")


@pytest.mark.parametrize("aperture", [(64, 1, 48, 1, 0, 1, 0, 1), (80, 1, 48, 1, 0, 1, 0, 1), (9, 0, 9, 1, 0, 1, 0, 1)])
def test_an_aperture_of_the_whole_frame_or_beyond_it_changes_nothing(make_video, aperture):
    source = open_source(with_aperture(make_video("clip.mp4", frames=3), *aperture))
    assert ((source.meta.width, source.meta.height), len(list(source.frames())), source.notes) == ((64, 48), 3, [])
