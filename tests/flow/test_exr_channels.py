"""EXR files of other programs: which channels are motion, and what of a file is read."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.flow.formats import exr, flo
from flowcli.media.exr import encode, read_headers

pytestmark = pytest.mark.usefixtures("place")

HEIGHT, WIDTH = 20, 13
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
FLOW = np.stack((X * 0.25 - 3, 2 - Y * 0.5), axis=-1)


def planes(*names: str, kind: type = np.float32) -> dict[str, np.ndarray]:
    """Channels of colour, none of which is motion."""
    return {name: np.full((HEIGHT, WIDTH), 0.1 * number + 0.5, kind) for number, name in enumerate(names)}


def motion(x: str, y: str, kind: type = np.float32) -> dict[str, np.ndarray]:
    return {x: FLOW[..., 0].astype(kind), y: FLOW[..., 1].astype(kind)}


LAYOUTS = [
    ("forward.u", "forward.v", "R G B"),
    ("forward.u", "forward.v", "R G B A Z backward.u backward.v"),
    ("forward.u", "forward.v", "Vector.X Vector.Y u v"),
    ("motion.forward.u", "motion.forward.v", "R G B motion.backward.u motion.backward.v"),
    ("View Layer.Vector.X", "View Layer.Vector.Y", "Combined.R Combined.G Combined.B"),
    ("Vector.X", "Vector.Y", "R G B A Vector.Z Vector.W"),
    ("velocity.x", "velocity.y", "R G B N.X N.Y N.Z"),
    ("motionvector.R", "motionvector.G", "R G B"),
    ("optical_flow.u", "optical_flow.v", "R G B uv.u uv.v"),
    ("of.U", "of.V", "R G B"),
    ("u", "v", "R G B"),
    ("X", "Y", "Z"),
    ("backward.u", "backward.v", "R G B"),
    ("R", "G", ""),
    ("R", "G", "A"),
    ("R", "G", "N.X N.Y N.Z UV.U UV.V"),
]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize(("x", "y", "others"), LAYOUTS)
def test_motion_is_read_beside_anything_else_and_the_channels_are_said(flowcli, x, y, others, kind):
    Path("a.exr").write_bytes(encode({**planes(*others.split(), kind=np.float16), **motion(x, y, kind)}))
    ended = flowcli("convert", "a.exr", "a.flo")
    assert (ended.code, ended.out) == (0, ["a.flo"])
    assert np.array_equal(flo.read(Path("a.flo")), FLOW)
    left = sorted(others.split())
    said = f"; {x} and {y} read" if others or x != "R" else ""
    said += f"; {' and '.join(filter(None, [', '.join(left[:-1]), left[-1]]))} left out" if left else ""
    assert "".join(ended.err) == f"1 file from exr to flo, without loss{said}"


def test_other_channels_can_be_named(flowcli):
    Path("a.exr").write_bytes(encode({**planes("R", "G", "B", "forward.u", "forward.v"), **motion("P.X", "P.Y")}))
    ended = flowcli("convert", "a.exr", "a.flo", "--channels", "P.X,P.Y")
    assert ended.err[0].startswith("1 file from exr to flo, without loss; P.X and P.Y read; ")
    assert np.array_equal(flo.read(Path("a.flo")), FLOW)
    ended = flowcli("convert", "a.exr", "b.flo", "--channels", "P.X,P.Z")
    assert (ended.code, ended.err[0]) == (2, "error: --channels P.X,P.Z are not two channels of a.exr")


def test_a_drawing_says_the_channels_too(flowcli):
    Path("a.exr").write_bytes(encode({**planes("R", "G", "B"), **motion("forward.u", "forward.v")}))
    ended = flowcli("convert", "a.exr", "a.png", "--max-flow", 4)
    assert "".join(ended.err) == (
        "1 file drawn, full colour at 4 px; forward.u and forward.v read; B, G and R left out"
    )


@pytest.mark.parametrize("others", ["N.X N.Y N.Z", "Z", "UV.U UV.V", "Combined.R Combined.G Combined.B"])
def test_a_file_without_motion_is_refused_with_its_channels(others):
    Path("a.exr").write_bytes(encode(planes(*others.split())))
    with pytest.raises(SourceError, match=r"^a\.exr holds no motion in its channels: "):
        exr.read(Path("a.exr"))


@pytest.mark.parametrize("origin", [(0, 0), (-7, -5), (4, 9)])
@pytest.mark.parametrize("shown", [(-2, -3, WIDTH + 1, HEIGHT), (1, 2, 5, 6), (3, -4, WIDTH + 4, 3)])
def test_the_display_window_is_read_and_unknown_outside_of_the_data_window(origin, shown):
    data = bytearray(encode(motion("forward.u", "forward.v")))
    left, top = origin
    header = read_headers(bytes(data))[0]
    struct.pack_into("<4i", data, header.windows[0], left, top, left + WIDTH - 1, top + HEIGHT - 1)
    struct.pack_into("<4i", data, header.windows[1], *np.add(shown, origin * 2).tolist())
    for place in np.frombuffer(bytes(data), "<u8", 2, header.end + 1).tolist():
        struct.pack_into("<i", data, place, struct.unpack_from("<i", data, place)[0] + top)
    Path("a.exr").write_bytes(data)
    around = np.full((HEIGHT + 20, WIDTH + 20, 2), np.nan, np.float32)
    around[10 : 10 + HEIGHT, 10 : 10 + WIDTH] = FLOW
    expected = around[shown[1] + 10 : shown[3] + 11, shown[0] + 10 : shown[2] + 11]
    assert np.array_equal(exr.read(Path("a.exr")), expected, equal_nan=True)


def test_y_up_is_turned_where_the_file_says_so():
    Path("a.exr").write_bytes(encode(motion("forward.u", "forward.v"), texts={exr.Y: "up"}))
    assert np.array_equal(exr.read(Path("a.exr")), FLOW * (1, -1))


def parts(*files: bytes) -> bytes:
    """One file of the parts that the given files hold."""
    heads, chunks = [], []
    for number, data in enumerate(files):
        header = read_headers(data)[0]
        table = header.end + 1
        first = struct.unpack_from("<Q", data, table)[0]
        count = (first - table) // 8
        places = [*np.frombuffer(data, "<u8", count, table).tolist(), len(data)]
        chunks.append([struct.pack("<i", number) + data[a:b] for a, b in pairwise(places)])
        more = b"chunkCount\0int\0" + struct.pack("<2i", 4, count)
        more += b"type\0string\0" + struct.pack("<i", 13) + b"scanlineimage"
        more += b"name\0string\0" + struct.pack("<i", 2) + f"p{number}".encode()
        heads.append(data[8 : header.end] + more + b"\0")
    head = b"v/1\x01" + struct.pack("<I", 2 | 0x1000) + b"".join(heads) + b"\0"
    flat = [chunk for each in chunks for chunk in each]
    offsets = len(head) + 8 * len(flat) + np.cumsum([0, *map(len, flat[:-1])])
    return head + offsets.astype("<u8").tobytes() + b"".join(flat)


def test_motion_is_found_in_any_part_of_a_file(flowcli):
    Path("a.exr").write_bytes(parts(encode(planes("R", "G", "B")), encode(motion("forward.u", "forward.v"))))
    ended = flowcli("convert", "a.exr", "a.flo")
    assert ended.err == ["1 file from exr to flo, without loss; forward.u and forward.v read; B, G and R left out"]
    assert np.array_equal(flo.read(Path("a.flo")), FLOW)


def test_damaged_files_of_several_parts_are_refused():
    whole = parts(encode(planes("R", "G", "B")), encode(motion("forward.u", "forward.v")))
    dice = np.random.default_rng(0)
    for length in range(0, len(whole), 97):
        Path("a.exr").write_bytes(whole[:length])
        with pytest.raises(SourceError):
            exr.read(Path("a.exr"))
    for _ in range(200):
        data = bytearray(whole)
        data[dice.integers(len(data))] = dice.integers(256)
        Path("a.exr").write_bytes(data)
        try:
            assert exr.read(Path("a.exr")).ndim == 3
        except (SourceError, UsageError) as failure:
            assert failure.hint


def test_compressions_that_are_not_decoded_are_named():
    data = encode({**planes("R", "G", "B"), **motion("forward.u", "forward.v")})
    place = data.index(b"compression\0compression\0") + 28
    for number, name in ((8, "DWAA"), (9, "DWAB"), (13, "number 13")):
        Path("a.exr").write_bytes(data[:place] + bytes([number]) + data[place + 1 :])
        with pytest.raises(SourceError, match=rf"^a\.exr is compressed by {name}, which is not read$"):
            exr.read(Path("a.exr"))
