from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.flow.colour import ColourScale, colour_flow
from flowcli.flow.formats import FORMATS, flo, npy, planes, reader, writer
from tests.outputs import times_of

pytestmark = pytest.mark.usefixtures("place")

EXACT = ("flo", "npz", "npy", "pfm", "exr", "flo5")


def make(seed: int = 0, *, height: int = 6, width: int = 8, speed: float = 10.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(height, width, 2)) * speed).astype(np.float32)


@pytest.fixture
def flow() -> np.ndarray:
    """Flow with every kind of value that a format may lose, in `a.flo`."""
    field = make()
    field[0, 0] = 1e-30, -1e-30
    field[1, 1] = np.nan
    field[2, 2] = 700, -900.123
    flo.write(Path("a.flo"), field)
    return field


def test_flow_goes_through_all_exact_formats_and_back_without_loss(flowcli, flow) -> None:
    pytest.importorskip("h5py")
    for kind, other in pairwise([*EXACT, *EXACT[-2::-1]]):
        before, after = f"a{FORMATS[kind].ending}", f"a{FORMATS[other].ending}"
        assert flowcli("convert", before, after, "-y").err[-1] == f"1 file from {kind} to {other}, without loss"
        assert np.array_equal(reader(other, bound=1)(Path(after)), flow, equal_nan=True), (kind, other)


def test_converting_to_kitti_reports_what_it_cannot_store(flowcli, flow) -> None:
    ended = flowcli("convert", "a.flo", "a_kitti.png")
    kept = reader("kitti", bound=1)(Path("a_kitti.png"))
    off = np.nanmax(np.abs(kept - flow)[np.isfinite(kept).all(axis=2)])
    assert 0 < off <= 1 / 128
    assert ended.err == [
        f"1 file from flo to kitti, vectors changed by up to {off:.2g} px; 1 out of range and marked unknown"
    ]
    again = flowcli("convert", "a_kitti.png", "b.flo")
    assert again.err == ["1 file from kitti to flo, without loss"]


def test_planes_are_grey_between_black_and_white_at_the_bound() -> None:
    field = np.zeros((16, 16, 2), np.float32)
    field[..., 0], field[..., 1] = 20, -50
    planes.write(Path("a_x.jpg"), field, bound=20)
    assert cv2.imread("a_x.jpg", cv2.IMREAD_UNCHANGED).shape == (16, 16)
    assert set(cv2.imread("a_x.jpg", cv2.IMREAD_UNCHANGED).flat) == {255}
    assert set(cv2.imread("a_y.jpg", cv2.IMREAD_UNCHANGED).flat) == {0}
    field[:] = np.nan
    planes.write(Path("b_x.jpg"), field, bound=20)
    assert set(cv2.imread("b_y.jpg", cv2.IMREAD_UNCHANGED).flat) == {128}


def test_smooth_flow_survives_planes_within_their_quantisation(flowcli) -> None:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    field = np.stack((x / 8 - 4, 4 - y / 8), axis=-1)
    flo.write(Path("a.flo"), field)
    ended = flowcli("convert", "a.flo", "a_x.jpg", "--bound", 8)
    assert ended.err[0].startswith("1 file from flo to planes, vectors changed by up to 0.0")
    assert flowcli("convert", "a_x.jpg", "b.flo", "--bound", 8).code == 0
    assert np.abs(flo.read(Path("b.flo")) - field).max() < 0.1


def test_half_precision_is_rounded_and_the_summary_says_so(flowcli, flow) -> None:
    ended = flowcli("convert", "a.flo", "a.npz", "--half")
    assert ended.err[0].startswith("1 file from flo to npz, vectors changed by up to 0.")
    assert np.load("a.npz")["flow"].dtype == np.float16


def test_the_summary_names_arrays_of_an_npz_that_are_left_out(flowcli) -> None:
    np.savez("a.npz", flow=make(), backward=make(1), occluded=np.zeros((6, 8), bool))
    assert flowcli("convert", "a.npz", "a.flo").err == [
        "1 file from npz to flo, without loss; backward and occluded left out"
    ]


@pytest.fixture
def folder() -> Path:
    """Flow of three pairs, in both directions."""
    path = Path("in_flow")
    path.mkdir()
    for number in (0, 2, 4):
        flo.write(path / f"{number:06d}.flo", make(number, height=32, width=48))
        flo.write(path / f"{number:06d}_backward.flo", make(number + 1, height=32, width=48))
    (path / "notes.txt").write_text("mine")
    return path


def test_converting_a_folder_keeps_its_names_and_removes_kittis_ending(flowcli, folder) -> None:
    there = flowcli("convert", folder, "kitti", "--to", "kitti")
    assert (there.code, there.out) == (0, ["kitti"])
    assert sorted(path.name for path in Path("kitti").iterdir())[:2] == [
        "000000_backward_kitti.png",
        "000000_kitti.png",
    ]
    assert flowcli("convert", "kitti", "back", "--to", "flo").code == 0
    assert sorted(path.name for path in Path("back").iterdir()) == sorted(path.name for path in folder.glob("*.flo"))


def test_two_files_that_would_become_one_are_refused(flowcli, folder) -> None:
    assert flowcli("convert", folder / "000000.flo", "mixed/a.png", "--to", "kitti").code == 0
    assert flowcli("convert", folder / "000002.flo", "mixed/a_kitti.png", "--to", "kitti").code == 0
    ended = flowcli("convert", "mixed", "out", "--to", "flo")
    assert (ended.code, ended.err[0]) == (2, "error: mixed has flow twice for out/a.flo")
    assert not Path("out").exists()


def test_a_folder_becomes_a_video_of_its_forward_flow_in_one_scale(flowcli, folder) -> None:
    ended = flowcli("convert", folder, "in.mp4", "--max-flow", 20, "--fps", 10, "--legend")
    assert (ended.code, ended.out) == (0, ["in.mp4"])
    assert ended.err == ["3 files drawn, full colour at 20 px"]
    assert [float(time) for time in times_of("in.mp4")] == pytest.approx([0, 0.1, 0.2])


def test_a_video_has_the_exact_times_of_the_clip_of_the_flow(compute, flowcli, make_video) -> None:
    tick, pts = Fraction(1, 1000), [0, 40, 95, 120, 200, 230, 260]
    clip = make_video("clip.mp4", frames=7, tick=tick, pts=pts)
    assert compute("video", clip, "--skip", 2, "--save", "npz,video").code == 0
    assert flowcli("convert", "clip_flow", "again.mp4").code == 0
    assert times_of("again.mp4") == times_of("clip_flow.mp4") == [pts[n] * tick for n in (0, 2, 4)]


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ("--save flo,video --reference 2", "clip_flow"),
        ("--save flo,video --names frame --start #2", "clip_flow"),
        ("--save film,video --direction both", "clip_film"),
        ("--save stmap,video --skip 2", "clip_stmap"),
        ("--save flo,video --direction backward", "clip_flow"),
        ("--save npz_video,video --direction both", "clip_flow_backward.npz"),
    ],
)
def test_a_video_of_any_flow_has_the_times_of_its_clip(compute, flowcli, make_video, options, folder) -> None:
    make_video("clip.mp4", frames=6, tick=Fraction(1, 1000), pts=[0, 40, 95, 120, 200, 230])
    assert compute("video", "clip.mp4", *options.split()).code == 0
    kind = {"clip_stmap": ["--from", "stmap"], "clip_film": ["--from", "film"]}.get(folder, [])
    assert flowcli("convert", folder, "again.mp4", *kind).code == 0
    assert times_of("again.mp4") == times_of(next(Path().glob("clip_flow*.mp4")))


def test_images_named_by_their_own_names_keep_their_times(compute, flowcli, make_images) -> None:
    make_images(count=4)
    assert compute("video", "shots", "--save", "flo", "--names", "source", "--fps", 10, "--start", "#1").code == 0
    assert flowcli("convert", "shots_flow", "again.mp4").code == 0
    assert times_of("again.mp4") == [0, Fraction(1, 10)]


def test_pictures_are_drawn_as_pair_draws_them(flowcli, folder) -> None:
    flowcli("convert", folder / "000002.flo", "one.png", "--max-flow", 7)
    image = cv2.imread("one.png")[..., ::-1]
    assert np.array_equal(image, colour_flow(flo.read(folder / "000002.flo"), scale=ColourScale(7.0)))
    options = ["--max-flow", 7, "--gamma", 2, "--background", "black", "-y"]
    assert flowcli("convert", folder / "000002.flo", "one.png", *options).code == 0
    dark = colour_flow(flo.read(folder / "000002.flo"), scale=ColourScale(7.0, gamma=2.0, dark=True))
    assert np.array_equal(cv2.imread("one.png")[..., ::-1], dark)


def test_unreadable_files_of_a_folder_are_skipped_and_reported(flowcli, folder) -> None:
    (folder / "000002.flo").write_bytes(b"cut off")
    ended = flowcli("convert", folder, "out", "--to", "npy")
    assert ended.code == 4
    assert ended.err == [
        "5 files from flo to npy, without loss",
        "error: 1 file could not be converted: in_flow/000002.flo is not a .flo file",
        "hint: give a Middlebury .flo file",
    ]
    assert len(list(Path("out").iterdir())) == 5


def test_a_video_of_several_sizes_is_refused_and_leaves_no_file(flowcli, folder) -> None:
    flo.write(folder / "000004.flo", make())
    ended = flowcli("convert", folder, "in.mp4")
    assert (ended.code, ended.err[0]) == (3, "error: in_flow/000004.flo is 8 x 6, but the first is 48 x 32")
    assert not list(Path().glob("*in*.mp4"))


REFUSALS = [
    ("nope.flo x.npz", 2, "nope.flo does not exist"),
    ("picture.png x.flo", 3, "picture.png is not a known flow file"),
    ("cut.flo x.npz", 3, "cut.flo is not a .flo file"),
    ("in_flow x.bin", 2, "x.bin does not name a format"),
    ("in_flow x.pfm", 2, "x.pfm is one file, and in_flow holds 6"),
    ("in_flow x --to jpeg", 2, "--to jpeg is not known"),
    ("in_flow x --to npz --from exr", 3, "in_flow holds no exr files"),
    ("in_flow x --to npz --from raw", 2, "--from raw is not known"),
    ("mixed x --to npz", 2, "mixed holds flo and npy"),
    ("void x --to npz", 3, "void holds no flow files"),
    ("in_flow/000000.flo x.mp4", 2, "a video needs a folder of flow files"),
    ("in_flow/000000.flo in_flow/000000.flo -y", 2, "in_flow/000000.flo is the input itself"),
    ("in_flow/000000.flo taken.npz", 2, "taken.npz exists already"),
    ("in_flow/000000.flo x.jpg --to planes", 2, "x.jpg does not end with _x.jpg"),
    ("in_flow/000000.flo x.png --gamma 0", 2, "--gamma 0 is not between 0.1 and 10"),
    ("in_flow/000000.flo x_x.jpg --bound 0", 2, "--bound 0.0 is not a motion in px"),
    ("in_flow x --to film --y-axis left", 2, "--y-axis left is not known"),
    ("in_flow x.npz --half --quantise", 2, "--half and --quantise are two forms of one array"),
]


def test_impossible_conversions_are_refused(flowcli, folder) -> None:
    cv2.imwrite("picture.png", np.zeros((4, 4, 3), np.uint8))
    Path("cut.flo").write_bytes(b"PIEH")
    Path("taken.npz").write_text("mine")
    for name in ("void", "mixed"):
        Path(name).mkdir()
    for name in ("flo", "npy"):
        writer(name, bound=1, half=False)(Path("mixed") / f"a.{name}", make())
    before = sorted(Path().rglob("*"))
    for arguments, code, error in REFUSALS:
        ended = flowcli("convert", *arguments.split())
        assert (ended.code, ended.err[0], ended.out) == (code, f"error: {error}", []), arguments
        assert ended.err[1].startswith("hint: ") and len(ended.err) == 2
        assert Path("taken.npz").read_text() == "mine"
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4)), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.int32), np.array([{}], object)],
    ids=["two axes", "three channels", "integers", "a pickle"],
)
def test_an_npy_without_flow_is_refused(array: np.ndarray) -> None:
    np.save("a.npy", array)
    with pytest.raises(SourceError, match=r"^a\.npy cannot be used: "):
        npy.read(Path("a.npy"))


def test_an_npy_with_its_channels_first_is_read_too() -> None:
    field = make()
    np.save("a.npy", field.transpose(2, 0, 1).astype(np.float64))
    assert np.array_equal(npy.read(Path("a.npy")), field)


def test_a_folder_of_folders_keeps_its_folders(flowcli) -> None:
    for name in ("a", "b/deep", ".hidden"):
        Path("tree", name).mkdir(parents=True)
        flo.write(Path("tree", name, "000000.flo"), make())
        flo.write(Path("tree", name, "000001.flo"), make(1))
    assert flowcli("convert", "tree", "out", "--to", "npz").err == ["4 files from flo to npz, without loss"]
    names = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.npz"))
    assert names == ["a/000000.npz", "a/000001.npz", "b/deep/000000.npz", "b/deep/000001.npz"]
    assert flowcli("convert", "tree", "drawn", "--to", "png").code == 0
    assert len(list(Path("drawn").rglob("*.png"))) == 4
    for output in ("all.npy", "all.mp4"):
        said = f"error: {output} is one file, and tree holds 2 folders of flow"
        assert flowcli("convert", "tree", output).err[0] == said
    assert flowcli("convert", "tree", "videos", "--to", "video").err[0].startswith("4 files drawn, full colour at ")
    assert [str(path) for path in sorted(Path("videos").rglob("*.mp4"))] == ["videos/a.mp4", "videos/b/deep.mp4"]
