from __future__ import annotations

import io

import av
import numpy as np
import pytest

from flowcli.flow.colour import wheel
from flowcli.media.pyav import encode_gif


def turning_wheel(count: int) -> list[np.ndarray]:
    return [np.roll(np.pad(wheel(40), ((5, 5), (5, 26), (0, 0))), 4 * number, axis=1) for number in range(count)]


def delays(gif: bytes) -> list[int]:
    blocks = gif.split(b"\x21\xf9\x04")[1:]
    return [int.from_bytes(block[1:3], "little") for block in blocks]


def test_a_gif_holds_every_picture_in_similar_colours() -> None:
    pictures = turning_wheel(6)
    with av.open(io.BytesIO(encode_gif(pictures, seconds=0.2))) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 6
    for picture, seen in zip(pictures, shown, strict=True):
        assert 10 * np.log10(255**2 / np.mean((picture.astype(float) - seen) ** 2)) > 27


def test_a_gif_repeats_and_shows_its_last_picture_longer() -> None:
    gif = encode_gif(turning_wheel(4), seconds=0.3, hold=1)
    assert delays(gif) == [30, 30, 30, 130]
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in gif


@pytest.mark.parametrize("size", [(1, 1), (7, 33)])
def test_a_gif_may_have_any_size_and_a_single_picture(size) -> None:
    with av.open(io.BytesIO(encode_gif([np.full((*size, 3), 99, np.uint8)], seconds=1))) as container:
        (shown,) = container.decode(video=0)
    assert (shown.height, shown.width) == size
