"""What a batch finds below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowcli.batch.clips import discover
from flowcli.errors import SourceError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    names = (
        "b.mp4", "a10.mov", "a2.mov", "notes.txt", ".hidden.mp4", "day/x.mkv", "day/x.mp4", "day/.cache/y.mp4",
        "shots/1.png", "shots/2.png", "one/1.png", "deep/er/z.WEBM",
    )  # fmt: skip
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def keys(root: Path, **options: object) -> list[str]:
    return [clip.key for clip in discover(root, **options)]  # type: ignore[arg-type]


ALL = ["a10.mov", "a2.mov", "b.mp4", "day/x.mkv", "day/x.mp4", "deep/er/z.WEBM", "shots"]


def test_videos_and_image_folders_are_found_at_any_depth_in_a_stable_order(root: Path) -> None:
    assert keys(root) == ALL


def test_globs_choose_by_name_or_by_place(root: Path) -> None:
    assert keys(root, include=["*.mov", "shots"]) == ["a10.mov", "a2.mov", "shots"]
    assert keys(root, include=["day/*"], exclude=["*.mkv"]) == ["day/x.mp4"]


def test_outputs_within_the_folder_are_passed_over(root: Path) -> None:
    (root / "flow").mkdir()
    (root / "flow" / "a_flow.mp4").touch()
    assert keys(root, outputs=root / "flow") == ALL


def test_loops_of_links_end_and_no_file_comes_twice(root: Path) -> None:
    (root / "loop").symlink_to(root)
    (root / "deep" / "again.mp4").symlink_to(root / "b.mp4")
    found = [path.resolve() for path in (root / key for key in keys(root))]
    assert len(found) == len(set(found)) == len(ALL)


def test_a_file_counts_and_not_the_links_to_it(root: Path) -> None:
    (root / "a.mp4").symlink_to(root / "deep" / "er" / "z.WEBM")
    assert keys(root) == ALL


def test_what_is_no_file_is_passed_over_and_a_link_that_leads_nowhere_is_named(root: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    (root / "self.mp4").symlink_to("self.mp4")
    (root / "gone.mp4").symlink_to("nothing.mp4")
    assert keys(root) == sorted([*ALL, "gone.mp4", "self.mp4"])


def test_a_folder_without_a_clip_that_fits_is_refused(root: Path) -> None:
    for folder, options in ((root / "one", {}), (root / "shots", {}), (root, {"include": ["*.avi"]})):
        with pytest.raises(SourceError, match=f"no clip found in {folder}"):
            discover(folder, **options)


def test_clips_of_one_name_keep_their_extension(root: Path) -> None:
    names = {clip.key: clip.name for clip in discover(root)}
    assert (names["day/x.mkv"], names["day/x.mp4"], names["b.mp4"]) == ("x.mkv", "x.mp4", "b")


def test_a_file_is_no_folder_of_clips(root: Path) -> None:
    with pytest.raises(UsageError, match=r"b\.mp4 is not a folder"):
        discover(root / "b.mp4")
