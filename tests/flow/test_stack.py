"""The flow of many pairs in one array: from a video, from a folder, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.flow.formats import flo
from flowcli.flow.formats.stack import StackFile, is_stack, read_stack
from flowcli.flow.naming import Part
from flowcli.flow.outputs import npy

pytestmark = pytest.mark.usefixtures("place")

FLOWS = (10 * np.random.default_rng(0).normal(size=(12, 9, 7, 2))).astype(np.float32)


def folder(count: int = 3) -> Path:
    """A folder of flow files of both directions."""
    path = Path("in_flow")
    path.mkdir()
    for number in range(count):
        flo.write(path / f"{number:06d}.flo", FLOWS[number])
        flo.write(path / f"{number:06d}_backward.flo", -FLOWS[number])
    return path


@pytest.mark.parametrize("segment", [1, 2, 64])
def test_a_video_gives_the_array_of_its_flow_whatever_its_segments(compute, make_images, segment):
    ended = compute("video", make_images(count=4), "--save", "npy,flo", "--direction", "both", "--segment", segment)
    assert ended.code == 0
    for name, ending in (("shots_flow.npy", ""), ("shots_flow_backward.npy", "_backward")):
        array = np.load(name)
        assert (array.shape, array.dtype) == ((3, 48, 64, 2), np.float32)
        for number, flow in enumerate(array):
            assert np.array_equal(flow, flo.read(Path(f"shots_flow/00000{number}{ending}.flo")))


def test_half_precision_and_the_file_itself_can_be_chosen(compute, make_images):
    assert compute("video", make_images(count=3), "--save", "npy", "--half", "-o", "one.npy").code == 0
    assert np.load("one.npy").dtype == np.float16


def test_a_pair_gives_an_array_of_three_axes(compute, make_images):
    make_images()
    assert compute("pair", "shots/0.png", "shots/1.png", "--save", "npy", "-o", "a.npy").code == 0
    assert np.load("a.npy").shape == (48, 64, 2)


def test_a_folder_becomes_an_array_of_its_forward_flow_and_files_again(flowcli):
    ended = flowcli("convert", folder(), "all.npy")
    assert ended.err == ["3 files from flo to one array, without loss; backward flow left out"]
    assert np.array_equal(np.load("all.npy"), FLOWS[:3])
    assert flowcli("convert", "all.npy", "again", "--to", "flo").err == ["3 files from npy to flo, without loss"]
    assert sorted(path.name for path in Path("again").iterdir()) == [f"00000{number}.flo" for number in range(3)]
    assert np.array_equal(flo.read(Path("again/000002.flo")), FLOWS[2])


def test_channels_may_come_first_and_an_array_can_be_drawn(flowcli):
    np.save("first.npy", FLOWS.transpose(0, 3, 1, 2).astype(np.float64))
    assert flowcli("convert", "first.npy", "last.npy").code == 0
    assert np.array_equal(np.load("last.npy"), FLOWS)
    assert flowcli("convert", "first.npy", "drawn", "--to", "png").code == 0
    assert len(list(Path("drawn").glob("*.png"))) == 12
    assert flowcli("convert", "first.npy", "first.npy", "-y").err[0] == "error: first.npy is the input itself"


def test_a_folder_with_a_single_file_keeps_its_files(flowcli):
    assert flowcli("convert", folder(1), "out", "--to", "npy").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["000000.npy", "000000_backward.npy"]


def test_unknown_flow_is_nan_and_flow_of_another_size_is_refused(flowcli):
    folder(2)
    flow = FLOWS[0].copy()
    flow[1, 1] = 1e10
    flo.write(Path("in_flow/000000.flo"), flow)
    assert flowcli("convert", "in_flow", "all.npy").code == 0
    assert np.argwhere(np.isnan(np.load("all.npy")[..., 0])).tolist() == [[0, 1, 1]]
    flo.write(Path("in_flow/000001.flo"), FLOWS[0, :5])
    ended = flowcli("convert", "in_flow", "other.npy")
    assert (ended.code, ended.err[0]) == (3, "error: flow number 1 is 7 x 5, but the first is 7 x 9")
    assert not list(Path().glob("*other*"))


def test_parts_are_joined_and_an_interrupted_array_is_kept_under_a_partial_name():
    parts = []
    for number in range(3):
        path = Path(f"part{number}.npy")
        file = StackFile(path)
        for flow in FLOWS[4 * number : 4 * number + 4]:
            file.add(flow)
        file.close()
        parts.append(Part(path, number))  # type: ignore[arg-type]
    npy.join(parts, Path("whole.npy"))
    assert np.array_equal(np.load("whole.npy"), FLOWS)
    file = StackFile(Path("cut.npy"))
    file.add(FLOWS[0])
    assert file.finish_partial() == Path("cut.partial.npy")
    assert np.array_equal(np.load("cut.partial.npy"), FLOWS[:1])
    assert StackFile(Path("none.npy")).finish_partial() is None
    assert not list(Path().glob("*none*"))


@pytest.mark.parametrize("shape", [(3, 4, 5, 3), (0, 4, 5, 2), (2, 2, 2)])
def test_other_arrays_are_refused(shape):
    np.save("a.npy", np.zeros(shape, np.float32))
    with pytest.raises(SourceError, match=r"^a\.npy cannot be used: it is float32 "):
        read_stack(Path("a.npy"))
    np.save("b.npy", np.array([{}], object))
    assert not is_stack(Path("b.npy"))
    with pytest.raises(SourceError):
        read_stack(Path("b.npy"))
