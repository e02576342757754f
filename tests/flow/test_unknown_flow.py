"""Unknown flow, however it is marked, is never stored, drawn or measured as motion."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flowcli.flow.colour import ColourScale
from flowcli.flow.drawing import Style
from flowcli.flow.formats import FORMATS, reader, writer
from flowcli.flow.kinds import Picture, Records
from flowcli.flow.outputs import kind_of, output_names

NAN, INF, MIDDLEBURY = np.nan, np.inf, 1666666752.0
MARKS = [(NAN, NAN), (NAN, 3), (3, NAN), (INF, 3), (-INF, INF), (MIDDLEBURY,) * 2, (-MIDDLEBURY, 3), (3, 1e10)]
PICTURES = [name for name in output_names() if isinstance(kind_of(name), Picture)]


def marked(mark: tuple[float, float], *, height: int = 48, width: int = 64) -> np.ndarray:
    """Flow of (3, -2) px, unknown in a square."""
    flow = np.empty((height, width, 2), np.float32)
    flow[:] = 3, -2
    flow[8:24, 8:24] = mark
    return flow


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_stores_unknown_flow_as_unknown_or_as_no_motion(tmp_path, name):
    if name == "flo5":
        pytest.importorskip("h5py")
    path = tmp_path / f"a{FORMATS[name].ending}"
    for mark in MARKS:
        writer(name, bound=20)(path, marked(mark))
        read = reader(name, bound=20)(path)
        inside = read[10:22, 10:22]
        if name.startswith("planes"):
            assert np.abs(inside).max() < 0.3, mark
        elif name != "flo":
            assert np.isnan(inside).all(), mark
        else:
            assert (~(np.abs(inside).max(axis=2) <= 1e9)).all(), mark
        assert np.abs(read[30:, 30:] - (3, -2)).max() < 0.2


def test_vectors_too_long_for_half_precision_are_not_valid(tmp_path):
    writer("npz", half=True)(tmp_path / "a.npz", marked((70000, 1)))
    with np.load(tmp_path / "a.npz") as stored:
        assert not stored["valid"][8:24, 8:24].any()
        assert stored["valid"].sum() == 48 * 64 - 16 * 16
        assert np.isnan(stored["flow"][10, 10]).all()


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_shows_all_marks_alike_and_not_as_motion(make_estimate, name):
    kind = kind_of(name)
    style = Style(ColourScale(5.0))
    hidden = {"occluded": np.zeros((48, 64), bool)}
    images = [kind.draw(make_estimate(marked(mark), **hidden), style) for mark in MARKS]
    for mark, image in zip(MARKS, images, strict=True):
        assert np.array_equal(image, images[0]), mark
    if name not in {"occlusion", "arrows", "overlay", "warp"}:
        right = images[0][:, -64:]
        assert (right[8:24, 8:24] == 0).all()


def test_statistics_are_those_of_the_known_pixels(make_estimate, tmp_path):
    kind = kind_of("stats")
    assert isinstance(kind, Records)
    records = [kind.measure(make_estimate(marked(mark))) for mark in MARKS]
    for record in records:
        record.pop("finite")
    assert all(record == records[0] for record in records)
    assert records[0]["magnitude"]["p95"] == pytest.approx(np.hypot(3, 2), abs=1e-3)
    assert records[0]["known_fraction"] == pytest.approx(1 - 256 / (48 * 64), abs=1e-4)
    json.dumps(records, allow_nan=False)
