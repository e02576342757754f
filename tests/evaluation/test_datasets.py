"""The readers of all datasets, on tiny trees of the published layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.evaluation import datasets
from flowcli.evaluation.datasets import FlowItem, Part
from tests import trees
from tests.trees import flow_of


def read(name: str, root: Path, part: Part = "validation") -> dict[str, FlowItem]:
    return {item.name: item for item in datasets.items(name, root, part)}


def reds(item: FlowItem) -> tuple[int, int]:
    """The red values that identify the frames of a tiny tree."""
    return int(item.first[0, 0, 0]), int(item.second[0, 0, 0])


def places(marks: np.ndarray | None) -> list[tuple[int, int]]:
    assert marks is not None
    return [(int(row), int(column)) for row, column in np.argwhere(marks)]


def same_where_valid(item: FlowItem, expected: np.ndarray) -> bool:
    return bool((item.flow[item.valid] == expected[item.valid]).all()) and bool((item.flow[~item.valid] == 0).all())


# Sintel


def test_sintel_pairs_the_frames_of_each_scene_in_both_passes(tmp_path: Path) -> None:
    items = read("sintel", trees.sintel(tmp_path))
    assert [(item.name, item.group, *reds(item)) for item in items.values()] == [
        ("clean/alley_1/frame_0001", "clean", 11, 12),
        ("clean/alley_1/frame_0002", "clean", 12, 13),
        ("clean/market_2/frame_0001", "clean", 11, 12),
        ("final/alley_1/frame_0001", "final", 101, 102),
        ("final/alley_1/frame_0002", "final", 102, 103),
        ("final/market_2/frame_0001", "final", 101, 102),
    ]
    assert np.array_equal(items["final/alley_1/frame_0002"].flow, flow_of(2))


def test_sintel_excludes_invalid_pixels_and_marks_occluded_ones(tmp_path: Path) -> None:
    sample = datasets.samples("sintel", trees.sintel(tmp_path))[0]
    item = datasets.read(sample)
    assert places(~item.valid) == [(0, 1)]
    assert places(item.occluded) == [(2, 3)]
    assert datasets.read(sample, count_invalid=True).valid.all()


def test_only_the_first_pair_of_a_sintel_scene_does_not_continue(tmp_path: Path) -> None:
    samples = datasets.samples("sintel", trees.sintel(tmp_path))
    assert [sample.continues for sample in samples] == [False, True, False] * 2


def test_sintel_without_its_masks_has_flow_valid_everywhere(tmp_path: Path) -> None:
    trees.sintel(tmp_path)
    for folder in ("occlusions", "invalid"):
        (tmp_path / "training" / folder).rename(tmp_path / folder)
    item = next(datasets.items("sintel", tmp_path))
    assert item.valid.all() and item.occluded is None


def test_sintel_test_pairs_have_no_ground_truth_but_a_file_in_the_submission(tmp_path: Path) -> None:
    from flowcli.evaluation.datasets import sintel

    first, second = datasets.samples("sintel", trees.sintel(tmp_path), "test")
    assert (first.ground_truth, second.ground_truth) == (None, None)
    assert str(sintel.submission(second)) == "final/ambush_1/frame0001.flo"
    with pytest.raises(SourceError, match=r"^clean/ambush_1/frame_0001 has no ground truth$"):
        datasets.read(first)


# KITTI


@pytest.mark.parametrize(("frames", "group"), [("image_2", "kitti2015"), ("colored_0", "kitti2012")])
def test_kitti_is_sparse_and_marks_occluded_pixels(tmp_path: Path, frames: str, group: str) -> None:
    items = read("kitti", trees.kitti_2015(tmp_path, frames))
    assert [(item.name, item.group, *reds(item)) for item in items.values()] == [
        ("000000_10", group, 10, 11),
        ("000007_10", group, 10, 11),
    ]
    item = items["000007_10"]
    assert places(~item.valid) == [(0, 0)]
    assert places(item.occluded & item.valid) == [(1, 1)]
    assert same_where_valid(item, flow_of(7))


@pytest.mark.parametrize(("frames", "folder"), [("image_2", "flow/"), ("colored_0", ""), ("image_0", "")])
def test_kitti_test_pairs_have_a_file_in_the_submission(tmp_path: Path, frames: str, folder: str) -> None:
    from flowcli.evaluation.datasets import kitti

    # As the development kits of 2015 (folder flow) and 2012 (root folder of the archive) say.
    samples = datasets.samples("kitti", trees.kitti_2015(tmp_path, frames), "test")
    names = ["000000_10.png", "000007_10.png"]
    assert [str(kitti.submission(sample)) for sample in samples] == [folder + name for name in names]
    assert datasets.placement("kitti") == "bottom"
    assert datasets.placement("sintel") == "centre"


# FlyingChairs


def test_chairs_are_split_by_the_published_file(tmp_path: Path) -> None:
    trees.chairs(tmp_path)
    training, validation = read("chairs", tmp_path, "training"), read("chairs", tmp_path)
    assert [(name, *reds(item)) for name, item in training.items()] == [("00001", 11, 12), ("00003", 31, 32)]
    assert list(validation) == ["00002"]
    assert np.array_equal(validation["00002"].flow, flow_of(2))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (None, r"has no FlyingChairs_train_val\.txt$"),
        ("1\n2\n", r"has 3 flows, but 2 lines in its split$"),
        ("1\n2\nx\n", r"FlyingChairs_train_val\.txt has lines other than 1 and 2$"),
    ],
)
def test_chairs_without_a_valid_split_are_refused(tmp_path: Path, split: str | None, message: str) -> None:
    path = trees.chairs(tmp_path) / "FlyingChairs_train_val.txt"
    if split is None:
        path.unlink()
    else:
        path.write_text(split)
    with pytest.raises(SourceError, match=message):
        datasets.samples("chairs", tmp_path)


# FlyingThings3D


def test_things_have_pairs_in_both_directions_and_passes(tmp_path: Path) -> None:
    items = read("things", trees.things(tmp_path), "training")
    assert [(item.name, item.group, *reds(item)) for item in items.values()] == [
        (f"{group}/TRAIN/A/0000/{way}/{first:04d}", group, first, second)
        for group in ("clean", "final")
        for way, pairs in (("into_future", [(6, 7), (7, 8)]), ("into_past", [(8, 7), (7, 6)]))
        for first, second in pairs
    ]
    assert np.array_equal(items["clean/TRAIN/A/0000/into_future/0007"].flow, flow_of(7))
    assert np.array_equal(items["clean/TRAIN/A/0000/into_past/0007"].flow, flow_of(93))
    assert all(name.split("/")[1] == "TEST" for name in read("things", tmp_path))


# HD1K, Middlebury, Spring, TartanAir


def test_hd1k_pairs_the_frames_of_each_sequence(tmp_path: Path) -> None:
    items = read("hd1k", trees.hd1k(tmp_path))
    assert list(items) == ["000000/000000_0000", "000000/000000_0001", "000005/000005_0000"]
    item = items["000000/000000_0001"]
    assert reds(item) == (1, 2)
    assert places(~item.valid) == [(0, 0)] and same_where_valid(item, flow_of(1))


def test_middlebury_excludes_unknown_flow(tmp_path: Path) -> None:
    items = read("middlebury", trees.middlebury(tmp_path))
    assert list(items) == ["Venus"]
    assert reds(items["Venus"]) == (10, 11)
    assert places(~items["Venus"].valid) == [(0, 0)] and same_where_valid(items["Venus"], flow_of(1))


def test_spring_flow_is_subsampled_to_the_frames_grid(tmp_path: Path) -> None:
    items = read("spring", trees.spring(tmp_path))
    assert [(item.name, item.group, *reds(item)) for item in items.values()] == [
        ("0001/forward/frame_left_0001", "forward", 1, 2),
        ("0001/backward/frame_left_0002", "backward", 2, 1),
    ]
    for number, item in enumerate(items.values(), start=1):
        assert places(~item.valid) == [(0, 0)] and same_where_valid(item, flow_of(number))


def test_tartanair_pixels_are_occluded_where_the_mask_is_not_zero(tmp_path: Path) -> None:
    items = read("tartanair", trees.tartanair(tmp_path))
    assert [(item.name, item.group, *reds(item)) for item in items.values()] == [
        ("office/Hard/P003/000000_left", "Hard", 0, 1),
        ("office/Hard/P003/000001_left", "Hard", 1, 2),
    ]
    item = items["office/Hard/P003/000001_left"]
    assert item.valid.all() and places(item.occluded) == [(0, 0), (0, 1)]
    assert np.array_equal(item.flow, flow_of(1))


# Errors name the folder or file.

TREES: dict[str, Callable[[Path], Path]] = {
    "sintel": trees.sintel,
    "kitti": trees.kitti_2015,
    "chairs": trees.chairs,
    "things": trees.things,
    "hd1k": trees.hd1k,
    "middlebury": trees.middlebury,
    "spring": trees.spring,
    "tartanair": trees.tartanair,
}
LOST = {
    "sintel": ["training/flow/alley_1/frame_0002.flo"],
    "kitti": ["training/image_2/000007_11.png", "training/flow_occ/000000_10.png"],
    "chairs": ["data/00002_img2.ppm"],
    "things": ["optical_flow/TEST/A/0000/into_past/left/OpticalFlowIntoPast_0008_L.pfm"],
    "hd1k": ["hd1k_flow_gt/flow_occ/000000_0001.png"],
    "middlebury": ["other-data/Venus/frame11.png"],
    "spring": ["train/0001/flow_BW_left/flow_BW_left_0002.flo5"],
    "tartanair": ["office/Hard/P003/flow/000001_000002_flow.npy"],
}


def test_every_dataset_is_tested_on_a_tree() -> None:
    assert {*TREES, "pairs"} == set(datasets.names())
    assert all(text != name for name, text in datasets.descriptions().items())


@pytest.mark.parametrize("name", [*TREES, "pairs"])
def test_a_wrong_folder_is_refused_with_the_expected_layout(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="does not exist"):
        datasets.samples(name, tmp_path / "nowhere")
    with pytest.raises(SourceError, match="empty holds no") as caught:
        datasets.samples(name, tmp_path / "empty")
    assert "holds" in caught.value.hint


@pytest.mark.parametrize(("name", "lost"), [(name, lost) for name, all_lost in LOST.items() for lost in all_lost])
def test_an_incomplete_pair_is_refused_before_anything_is_read(name: str, lost: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(SourceError) as caught:
        datasets.samples(name, tmp_path)
    assert str(caught.value) == f"{tmp_path / lost} is missing"


@pytest.mark.parametrize(
    ("name", "lost", "message"),
    [
        ("sintel", "training/clean/alley_1/frame_0002.png", "clean/alley_1 has no frame 2 of pair 1, 2"),
        ("sintel", "training/final/alley_1/frame_0003.png", "final/alley_1 has no frame 3 of pair 2, 3"),
        ("spring", "train/0001/frame_left/frame_left_0001.png", "frame_left has no frame 1 of pair 1, 2"),
        ("tartanair", "office/Hard/P003/image_left/000002_left.png", "image_left has no frame 2 of pair 1, 2"),
        ("things", "frames_cleanpass/TEST/A/0000/left/0007.png", "0000/left has no frame 7 of pair 6, 7"),
    ],
)
def test_a_frame_missing_from_a_sequence_is_named(name: str, lost: str, message: str, tmp_path: Path) -> None:
    (TREES[name](tmp_path) / lost).unlink()
    with pytest.raises(SourceError, match=rf"{message}$"):
        datasets.samples(name, tmp_path)


@pytest.mark.parametrize("name", ["chairs", "middlebury"])
def test_a_dataset_without_a_test_part_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{name} has no test part"):
        datasets.samples(name, TREES[name](tmp_path), "test")


def test_flow_and_frames_of_different_sizes_are_refused_by_name(tmp_path: Path) -> None:
    trees.middlebury(tmp_path)
    trees.flo(tmp_path / "other-gt-flow/Venus/flow10.flo", np.zeros((4, 5, 2)))
    with pytest.raises(SourceError, match=r"flow10\.flo: the flow is 5 x 4 where the frames are 8 x 6$"):
        read("middlebury", tmp_path)
    trees.picture(tmp_path / "other-data/Venus/frame11.png", size=(6, 9))
    with pytest.raises(SourceError, match=r"frame10\.png is 8 x 6 and .*frame11\.png is 9 x 6$"):
        read("middlebury", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not HDF5", "cannot be read as HDF5"),
        ({"disparity": np.zeros((2, 2, 2))}, "holds no array called flow"),
        ({"flow": np.zeros((2, 2))}, r"is float64 \(2, 2\) where \(height, width, 2\) is expected"),
    ],
)
def test_an_invalid_flo5_file_is_refused(tmp_path: Path, content: object, message: str) -> None:
    import h5py

    path = trees.spring(tmp_path) / "train/0001/flow_FW_left/flow_FW_left_0001.flo5"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with h5py.File(path, "w") as file:
            file.update(content)
    with pytest.raises(SourceError, match=message):
        read("spring", tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-8], r"says float32 \(6, 8, 2\), which takes 512 bytes, but has 504$"),
        (lambda data: b"\x93NUMPX" + data[6:], "cannot be used"),
        (lambda data: data.replace(b"(6, 8, 2)", b"(9999999, 8, 2)"), "cannot be used|which takes"),
    ],
)
def test_an_npy_file_of_another_size_than_its_header_states_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = trees.tartanair(tmp_path) / "office/Hard/P003/flow/000000_000001_flow.npy"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceError, match=message):
        read("tartanair", tmp_path)
