"""The flow of many pairs in one array: from a video, from a folder, and back."""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.flow.arrays import is_stack, read_stack
from flowcli.flow.formats import flo
from flowcli.flow.naming import Part
from flowcli.flow.outputs import kind_of, npy
from tests.faults.running import limited_file_size

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


KINDS = {"npy": ".npy", "npz_video": ".npz", "hdf5": ".h5", "zarr": ".zarr"}
ENDINGS = [
    pytest.param(ending, marks=pytest.mark.skipif(not find_spec(library), reason=f"needs {library}"), id=name)
    for (name, ending), library in zip(KINDS.items(), ("numpy", "numpy", "h5py", "zarr"), strict=True)
]
NAMES = {ending: name for name, ending in KINDS.items()}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_video_gives_the_array_of_its_flow_whatever_its_segments(compute, make_images, ending):
    line = ["video", make_images(count=4), "--save", f"{NAMES[ending]},flo", "--direction", "both"]
    for options in (["--segment", 1], ["--segment", 2, "-y"]):
        assert compute(*line, *options).code == 0
        for name, direction in ((f"shots_flow{ending}", ""), (f"shots_flow_backward{ending}", "_backward")):
            stack = read_stack(Path(name))
            assert (stack.array.shape, stack.array.dtype) == ((3, 48, 64, 2), np.float32)
            for number, flow in enumerate(stack):
                assert np.array_equal(flow, flo.read(Path(f"shots_flow/00000{number}{direction}.flo")))
            if ending != ".npy":
                assert [stack.frames(number) for number in range(3)] == [(0, 1), (1, 2), (2, 3)]
                assert [stack.times(number) for number in range(3)] == [(n / 25, (n + 1) / 25) for n in range(3)]
                assert (stack.attributes["scale_factor"], stack.attributes["max_error"]) == (1, 0)
    assert compute(*line).err[0].endswith("exists already")


@pytest.mark.parametrize("ending", ENDINGS[1:])
@pytest.mark.parametrize(("option", "kind"), [("--half", "float16"), ("--quantise", "int16")])
def test_smaller_forms_say_their_error_and_parts_are_not_rounded_again(compute, make_images, ending, option, kind):
    line = ["--save", f"{NAMES[ending]},flo", "--segment", 1, option]
    assert compute("video", make_images(count=3), *line).code == 0
    stack = read_stack(Path(f"shots_flow{ending}"))
    assert stack.array.dtype == kind
    whole = [flo.read(path) for path in sorted(Path("shots_flow").glob("*.flo"))]
    off = max(float(np.abs(flow - back).max()) for flow, back in zip(whole, stack, strict=True))
    assert 0 < off <= 1 / 128
    assert stack.attributes["max_error"] == pytest.approx(off)


@pytest.mark.parametrize("ending", ENDINGS[1:])
def test_converted_arrays_keep_the_frames_and_times_of_their_pairs(compute, flowcli, make_images, ending):
    assert compute("video", make_images(count=5), "--skip", 2, "--save", NAMES[ending]).code == 0
    assert flowcli("convert", f"shots_flow{ending}", "again.npz", "--half").code == 0
    again = read_stack(Path("again.npz"))
    assert [again.frames(number) for number in range(2)] == [(0, 2), (2, 4)]
    assert [again.times(number) for number in range(2)] == [(0, 0.08), (0.08, 0.16)]
    assert flowcli("convert", "again.npz", "files", "--to", "flo").code == 0
    assert sorted(path.name for path in Path("files").iterdir()) == ["000000.flo", "000002.flo"]


def test_every_flow_from_a_reference_becomes_a_file_of_its_own(compute, flowcli, make_images):
    assert compute("video", make_images(count=4), "--reference", 2, "--save", "npz_video,flo").code == 0
    assert flowcli("convert", "shots_flow.npz", "files", "--to", "flo").code == 0
    written, converted = (sorted(Path(folder).iterdir()) for folder in ("shots_flow", "files"))
    assert [path.name for path in written] == [path.name for path in converted]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(written, converted, strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_link_to_an_array_is_replaced_and_the_array_stays(flowcli, ending):
    assert flowcli("convert", folder(), f"kept{ending}").code == 0
    for target in (f"kept{ending}", "nowhere"):
        Path(f"link{ending}").symlink_to(target)
        assert flowcli("convert", "in_flow", f"link{ending}", "-y").code == 0
        assert not Path(f"link{ending}").is_symlink()
        Path(f"link{ending}").rename(f"done-{target}{ending}")
    assert len(read_stack(Path(f"kept{ending}"))) == 3


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_array_that_does_not_fit_on_the_disk_leaves_nothing(flowcli, ending):
    whole = Path(f"whole{ending}")
    assert flowcli("convert", folder(), whole).code == 0
    largest = max(path.stat().st_size for path in [whole, *whole.rglob("*")] if path.is_file())
    for size in range(0, largest, largest // 30):
        with limited_file_size(size):
            ended = flowcli("convert", "in_flow", f"all{ending}")
        assert ended.code == 7 and ended.err[0].startswith(f"error: all{ending} cannot be written: "), size
        assert not list(Path().glob("*all*")), size


@pytest.mark.parametrize("ending", ENDINGS[1:])
def test_quantised_flow_keeps_what_is_unknown_and_convert_says_the_loss(flowcli, ending):
    folder(2)
    flow = FLOWS[0].copy()
    flow[1, 1] = np.nan
    flow[2, 2] = 600, 0
    flo.write(Path("in_flow/000000.flo"), flow)
    ended = flowcli("convert", "in_flow", f"all{ending}", "--quantise")
    assert ended.code == 0
    back = read_stack(Path(f"all{ending}"))[0]
    assert np.argwhere(np.isnan(back[..., 0])).tolist() == [[1, 1], [2, 2]]
    assert ended.err[0].startswith("2 files from flo to one array, vectors changed by up to 0.00")
    assert ended.err[0].endswith(" px; 1 out of range and marked unknown; backward flow left out")


@pytest.mark.parametrize("ending", ENDINGS)
def test_arrays_are_converted_to_files_each_other_and_pictures_and_back(flowcli, ending):
    assert flowcli("convert", folder(), f"all{ending}").code == 0
    assert flowcli("convert", f"all{ending}", "again", "--to", "flo").err[0].endswith("to flo, without loss")
    assert np.array_equal(flo.read(Path("again/000002.flo")), FLOWS[2])
    assert flowcli("convert", "again", f"all{ending}").err[0] == f"error: all{ending} exists already"
    assert flowcli("convert", "again", f"all{ending}", "-y").code == 0
    assert flowcli("convert", f"all{ending}", f"all{ending}", "-y").err[0] == f"error: all{ending} is the input itself"
    assert flowcli("convert", f"all{ending}", "other.npy").code == 0
    assert np.array_equal(np.load("other.npy"), FLOWS[:3])
    assert flowcli("convert", f"all{ending}", "all.mp4").code == 0
    Path("arrays").mkdir()
    Path(f"all{ending}").rename(f"arrays/clip{ending}")
    assert flowcli("convert", "arrays", "files", "--to", "pfm").code == 0
    names = [str(path) for path in sorted(Path("files").rglob("*.pfm"))]
    assert names == [f"files/clip/00000{number}.pfm" for number in range(3)]


def test_every_folder_becomes_an_array_of_its_own(flowcli):
    pytest.importorskip("h5py")
    for name in ("a", "b/deep"):
        folder(2)
        Path("tree", name).parent.mkdir(parents=True, exist_ok=True)
        Path("in_flow").rename(Path("tree", name))
    ended = flowcli("convert", "tree", "out", "--to", "hdf5")
    assert ended.err == ["4 files from flo to 2 arrays, without loss; backward flow left out"]
    assert len(read_stack(Path("out/a.h5"))) == len(read_stack(Path("out/b/deep.h5"))) == 2


def test_an_array_that_another_program_wrote_with_its_channels_first_is_read(flowcli):
    h5py = pytest.importorskip("h5py")
    with h5py.File("other.hdf5", "w") as file:
        file["motion"] = FLOWS.transpose(0, 3, 1, 2)
    assert flowcli("convert", "other.hdf5", "all.npy").code == 0
    assert np.array_equal(np.load("all.npy"), FLOWS)
    np.savez_compressed("small.npz", flow=FLOWS.transpose(0, 3, 1, 2))
    assert flowcli("convert", "small.npz", "same.npy").code == 0
    assert np.array_equal(np.load("same.npy"), FLOWS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_array_of_a_stopped_run_is_kept_under_a_partial_name(ending):
    file = kind_of(NAMES[ending]).open(Path(f"cut{ending}"))
    file.add(FLOWS[0])
    assert file.finish_partial() == Path(f"cut.partial{ending}")
    assert np.array_equal(read_stack(Path(f"cut.partial{ending}"))[0], FLOWS[0])
    assert kind_of(NAMES[ending]).open(Path(f"none{ending}")).finish_partial() is None
    assert sorted(path.name for path in Path().iterdir()) == [f"cut.partial{ending}"]


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


def test_parts_are_joined():
    parts = []
    for number in range(3):
        path = Path(f"part{number}.npy")
        file = npy.NpyFile(path)
        for flow in FLOWS[4 * number : 4 * number + 4]:
            file.add(flow)
        file.close()
        parts.append(Part(path, number))  # type: ignore[arg-type]
    npy.KIND.join(parts, Path("whole.npy"))
    assert np.array_equal(np.load("whole.npy"), FLOWS)


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_may_be_more_parts_than_open_files(ending):
    resource = pytest.importorskip("resource")
    kind = kind_of(NAMES[ending])
    parts = []
    for number in range(60):
        path = Path(f"part{number}{ending}")
        file = kind.open(path)
        file.add(FLOWS[number % 12])
        file.close()
        parts.append(Part(path, Fraction(number)))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + 40, before[1]))
    try:
        kind.join(parts, Path(f"whole{ending}"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len(read_stack(Path(f"whole{ending}"))) == 60


@pytest.mark.parametrize("shape", [(3, 4, 5, 3), (0, 4, 5, 2), (2, 2, 2)])
def test_other_arrays_are_refused(shape):
    np.save("a.npy", np.zeros(shape, np.float32))
    with pytest.raises(SourceError, match=r"^a\.npy cannot be used: it is float32 "):
        read_stack(Path("a.npy"))
    np.save("b.npy", np.array([{}], object))
    assert not is_stack(Path("b.npy"))
    with pytest.raises(SourceError):
        read_stack(Path("b.npy"))
