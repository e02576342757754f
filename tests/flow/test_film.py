"""EXR for compositing: both directions in one file, with y as asked for and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowcli.flow.formats import exr, flo
from flowcli.media.exr import read_headers
from flowcli.media.pyav import decode_exr

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize("y", ["up", "down"])
@pytest.mark.parametrize("half", [False, True])
def test_a_file_holds_both_directions_and_says_where_y_goes(compute, make_images, y, half):
    line = ["--save", "film,flo", "--direction", "both", "--y-axis", y, *(["--half"] if half else [])]
    assert compute("video", make_images(count=2), *line).code == 0
    path = Path("shots_film/000000.exr")
    data = path.read_bytes()
    header = read_headers(data)[0]
    assert header.names == ("backward.u", "backward.v", "forward.u", "forward.v")
    assert {channel.kind for channel in header.channels} == {"float16" if half else "float32"}
    assert header.texts[exr.Y] == y
    forward, backward = (flo.read(Path(f"shots_flow/000000{name}.flo")) for name in ("", "_backward"))
    sign = -1 if y == "up" else 1
    near = {"rtol": 1e-3 if half else 0, "atol": 1e-4 if half else 0}
    np.testing.assert_allclose(exr.read(path), forward, **near)
    stored = decode_exr(path, data, ["forward.u", "forward.v", "backward.u", "backward.v"])
    np.testing.assert_allclose(stored, np.dstack((forward, backward)) * (1, sign, 1, sign), **near)


def test_an_unknown_direction_of_y_is_refused(compute, make_images):
    assert (
        compute("video", make_images(), "--save", "film", "--y-axis", "left").err[0]
        == "error: --y-axis left is not known"
    )
