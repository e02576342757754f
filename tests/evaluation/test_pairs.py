from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.evaluation import datasets

SIZE = (6, 8)


def write_pair(root: Path, name: str, *, size: tuple[int, int] = SIZE, **arrays: object) -> Path:
    folder = root / name
    folder.mkdir()
    for number in (1, 2):
        blue_is_last = np.zeros((*SIZE, 3), np.uint8)
        blue_is_last[..., 0] = 10 * number  # OpenCV writes BGR
        cv2.imwrite(str(folder / f"frame{number}.png"), blue_is_last)
    arrays = arrays or {"flow": np.full((*size, 2), 1.5, np.float32), "valid": np.ones(size, np.uint8)}
    np.savez(folder / "flow.npz", **arrays)  # type: ignore[arg-type]
    return folder


def test_pairs_come_sorted_with_rgb_frames_and_their_flow(tmp_path: Path) -> None:
    for name in ("b_1", "a_2", "a_1"):
        write_pair(tmp_path, name)
    items = list(datasets.items("pairs", tmp_path))
    assert [(item.name, item.group) for item in items] == [("a_1", "a"), ("a_2", "a"), ("b_1", "b")]
    assert items[0].first[0, 0].tolist() == [0, 0, 10]
    assert items[0].second[0, 0].tolist() == [0, 0, 20]
    assert items[0].flow.dtype == np.float32 and (items[0].flow == 1.5).all() and items[0].valid.all()


def test_groups_of_the_manifest_have_precedence_over_names(tmp_path: Path) -> None:
    write_pair(tmp_path, "a_1")
    write_pair(tmp_path, "a_2")
    (tmp_path / "manifest.json").write_text(json.dumps({"a_1": {"group": "chairs"}, "gone": {"group": "x"}}))
    assert [item.group for item in datasets.items("pairs", tmp_path)] == ["chairs", "a"]


def test_pairs_are_read_one_at_a_time(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    (write_pair(tmp_path, "b") / "frame2.png").write_bytes(b"")
    items = datasets.items("pairs", tmp_path)
    assert next(items).name == "a"
    with pytest.raises(SourceError, match=r"frame2\.png is not an image"):
        next(items)


def test_a_pair_without_its_second_frame_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (write_pair(tmp_path, "a") / "frame2.png").unlink()
    with pytest.raises(SourceError, match=r"frame2\.png is missing$"):
        datasets.items("pairs", tmp_path)


def test_unknown_flow_is_not_valid_and_is_zero(tmp_path: Path) -> None:
    flow = np.ones((*SIZE, 2), np.float32)
    flow[0, 0], flow[0, 1, 0], flow[0, 2] = np.nan, np.inf, 1.7e9
    write_pair(tmp_path, "a", flow=flow)
    item = next(datasets.items("pairs", tmp_path))
    assert item.valid.sum() == SIZE[0] * SIZE[1] - 3
    assert (item.flow[~item.valid] == 0).all()


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        datasets.items("pairs", tmp_path / "nowhere")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_file_or_an_empty_folder_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(SourceError):
        datasets.items("pairs", tmp_path / "x")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"valid": np.ones(SIZE)}, r"flow\.npy"),
        ({"flow": np.array([{}], dtype=object)}, "flow is object"),
    ],
)
def test_flow_of_the_wrong_kind_is_refused_with_a_hint(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    write_pair(tmp_path, "a", **arrays)
    with pytest.raises(SourceError, match=message) as caught:
        next(datasets.items("pairs", tmp_path))
    assert "array `flow`" in caught.value.hint


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"flow": np.ones((5, 8, 2), np.float32)}, r"a/flow\.npz: the flow is 8 x 5 where the frames are 8 x 6$"),
        ({"flow": np.ones((*SIZE, 2)), "valid": np.ones((8, 6))}, r"flow is \(6, 8, 2\), but valid is \(8, 6\)$"),
        ({"flow": np.ones((*SIZE, 2)), "occ": np.ones((8, 6))}, r"the occlusion mask is 6 x 8 where .* 8 x 6$"),
    ],
)
def test_flow_of_another_size_than_its_frames_is_refused(
    tmp_path: Path, arrays: dict[str, object], message: str
) -> None:
    write_pair(tmp_path, "a", **arrays)
    with pytest.raises(SourceError, match=message):
        next(datasets.items("pairs", tmp_path))


def test_the_archive_may_contain_an_occlusion_mask(tmp_path: Path) -> None:
    hidden = np.zeros(SIZE, np.uint8)
    hidden[1, 2] = 1
    write_pair(tmp_path, "a", flow=np.ones((*SIZE, 2), np.float32), occ=hidden)
    item = next(datasets.items("pairs", tmp_path))
    assert item.valid.all()
    assert item.occluded is not None and np.array_equal(item.occluded, hidden == 1)


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_truncated_npz_is_refused(tmp_path: Path, keep: int) -> None:
    path = write_pair(tmp_path, "a") / "flow.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SourceError, match="cannot be used"):
        next(datasets.items("pairs", tmp_path))


@pytest.mark.parametrize("content", [b"", b"some text"])
def test_a_frame_that_is_not_an_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (write_pair(tmp_path, "a") / "frame1.png").write_bytes(content)
    with pytest.raises(SourceError, match="not an image"):
        next(datasets.items("pairs", tmp_path))


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 3}'])
def test_a_broken_manifest_is_refused(tmp_path: Path, content: str) -> None:
    write_pair(tmp_path, "a")
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(SourceError, match="not a manifest"):
        datasets.items("pairs", tmp_path)


def test_flow_may_be_a_flo_file(tmp_path: Path) -> None:
    pytest.importorskip("flowcli.flow.formats.flo")
    folder = write_pair(tmp_path, "a")
    (folder / "flow.npz").unlink()
    flow = np.random.default_rng(0).normal(size=(*SIZE, 2)).astype("<f4")
    header = np.array([202021.25], "<f4").tobytes() + np.array([SIZE[1], SIZE[0]], "<i4").tobytes()
    (folder / "flow.flo").write_bytes(header + flow.tobytes())
    assert np.array_equal(next(datasets.items("pairs", tmp_path)).flow, flow)


def test_datasets_are_found_by_their_files(tmp_path: Path) -> None:
    assert "pairs" in datasets.names()
    write_pair(tmp_path, "a")
    assert next(datasets.items("pairs", tmp_path)).name == "a"
    with pytest.raises(UsageError, match="no dataset called 'nonsense'"):
        datasets.reader("nonsense")
