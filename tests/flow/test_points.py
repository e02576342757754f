"""Points from the command line and from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.flow.points import parse_points
from flowcli.inspection.pixels import parse_pixels

pytestmark = pytest.mark.usefixtures("place")

POINTS = np.float32([(40, 50), (60.5, 7)])
FILES = {
    "plain.csv": "40,50\n60.5,7\n",
    "windows.csv": "\ufeff40,50\r\n60.5,7\r\n",
    "spaces.txt": "  40 50\n\n60.5\t 7",
    "tabs.tsv": "40\t50\n60.5\t7\n",
    "semicolons.csv": "40;50\n60.5;7\n",
    "named.csv": "x,y\n40,50\n60.5,7\n",
    "quoted.csv": '"point","y","x"\n"a","50","40"\n"b","7","60.5"\n',
    "comments": "# the corners\n40,50\n  # and one more\n6.05e1,7.0\n",
    "tracks.csv": "point,frame,time,x,y,end\n0,0,0.000000,40.000,50.000,\n1,0,0.000000,60.500,7.000,end\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("before", ["", "@"])
def test_points_are_read_from_text(name, before):
    Path(name).write_text(FILES[name], encoding="utf-8", newline="")
    assert np.array_equal(parse_points(f"{before}{name}", height=100, width=100), POINTS)


def test_points_are_read_from_an_array():
    np.save("points.npy", POINTS.astype(np.float64))
    assert np.array_equal(parse_points("points.npy", height=100, width=100), POINTS)
    np.save("points.npy", np.zeros((3, 3)))
    with pytest.raises(SourceError, match=r"^points\.npy is \(3, 3\)$"):
        parse_points("points.npy", height=100, width=100)


REFUSED = {
    "": "points.csv names no point",
    "x,y\n": "points.csv names no point",
    "40,50\n60.5\n": "line 2 of points.csv is not a point: '60.5'",
    "40,50\n\na,b\n": "line 3 of points.csv is not a point: 'a,b'",
    "1,40,50\n": "line 1 of points.csv is not a point: '1,40,50'",
    "40,nan\n": "line 1 of points.csv is not a point: '40,nan'",
    "id,u,v\n1,2,3\n": "points.csv has no columns x and y, but id, u, v",
    "40,50\n100,3\n": "the point 100,3 (number 2 of points.csv) lies outside of the frames, 100 x 80",
    "-1,3\n": "the point -1,3 (number 1 of points.csv) lies outside of the frames, 100 x 80",
}


@pytest.mark.parametrize("text", REFUSED)
def test_files_that_hold_no_points_are_refused_with_the_line(text):
    Path("points.csv").write_text(text)
    with pytest.raises(UsageError) as caught:
        parse_points("points.csv", height=80, width=100)
    assert str(caught.value) == REFUSED[text]
    assert caught.value.hint


def test_a_missing_file_and_bytes_are_refused():
    with pytest.raises(UsageError, match=r"^none\.csv is not a file$"):
        parse_points("@none.csv", height=80, width=100)
    Path("bytes.csv").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match=r"^bytes\.csv cannot be read as text$"):
        parse_points("bytes.csv", height=80, width=100)


def test_pixels_to_inspect_are_read_from_a_file_and_rounded():
    Path("points.csv").write_text(FILES["plain.csv"])
    pixels = parse_pixels(["points.csv", "3,4", "@points.csv"], height=100, width=100)
    assert [(pixel.x, pixel.y) for pixel in pixels] == [(40, 50), (60, 7), (3, 4)]


def test_track_follows_the_points_of_a_file(compute, make_images):
    Path("points.csv").write_text("x,y\n40,30\n10.5,7\n")
    folder = make_images(count=3, size=(128, 160))
    assert compute("track", folder, "--points", "points.csv", "--save", "csv").code == 0
    rows = Path("shots_tracks.csv").read_text().splitlines()
    starts = [row.rpartition(",")[0] for row in rows[1:3]]
    assert starts == ["0,0,0.000000,40.000,30.000", "1,0,0.000000,10.500,7.000"]
