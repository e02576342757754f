from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.media.selection import parse_selection
from flowcli.media.sources import name_of, open_source


@pytest.fixture
def make_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes images of these names, each of a different grey, in an empty current folder."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for number, name in enumerate(names):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(name, np.full((8, 8, 3), number, np.uint8))

    return make


def greys(pattern: str, *selection: str | None) -> list[int]:
    part = parse_selection(*(*selection, None, None)[:2], None)
    with open_source(Path(pattern), selection=part) as source:
        frames = list(source.frames())
        assert source.meta.frame_count == len(frames)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    return [int(frame.image[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("s/f_%04d.png", [0, 1, 2]),
        ("s/f_%d.png", [5, 4, 2]),
        ("s/f_*.png", [5, 0, 1, 4, 2]),
        ("s/f_000[12].png", [0, 1]),
        ("s/?_10000.png", [2, 3]),
        ("*/f_0001.png", [0, 6]),
    ],
)
def test_a_pattern_gives_matching_images_in_natural_order(make_names, pattern, shown):
    make_names(
        "s/f_0001.png", "s/f_0002.png", "s/f_10000.png", "s/g_10000.png", "s/f_7.png", "s/f_0.png", "t/f_0001.png"
    )
    Path("s/f_0003.txt").write_text("no image")
    assert greys(pattern) == shown


def test_a_part_of_a_pattern_is_selected_by_image_number(make_names):
    make_names(*(f"{number:03d}.png" for number in range(10, 60)))
    assert greys("%03d.png", "#2", "#5") == [2, 3, 4]
    assert greys("*.png", "1", "1.1") == [25, 26, 27]
    with pytest.raises(UsageError, match=r"ends before --start #50$"):
        greys("*.png", "#50")
    with pytest.raises(UsageError, match=r"has no frame from #30 to 1$"):
        greys("*.png", "#30", "1")


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        ("none/*.png", UsageError, "none/*.png matches no image"),
        ("*.mp4", UsageError, "*.mp4 matches no image"),
        ("%04d.png", UsageError, "%04d.png matches no image"),
        ("a*.png", SourceError, "a*.png matches only one image"),
    ],
)
def test_a_pattern_that_matches_fewer_than_two_images_is_refused(make_names, pattern, error, message):
    make_names("a.png", "b.png")
    Path("x.mp4").touch()
    with pytest.raises(error) as failure:
        open_source(Path(pattern))
    assert str(failure.value) == message


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(make_video, monkeypatch):
    path = make_video(frames=3)
    path = path.rename(path.with_name("what[1]?%d.mp4"))
    assert len(list(open_source(path).frames())) == 3


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("s/f_%04d.png", "f"),
        ("s/%04d.png", "s"),
        ("s/*.png", "s"),
        ("s/take-2.*.png", "take-2"),
        ("*/*.png", "place"),
        ("*.png", "place"),
        ("-", "stdin"),
        ("s/video.mp4", "video"),
    ],
)
def test_outputs_are_named_after_the_beginning_of_a_pattern(make_names, tmp_path, monkeypatch, path, name):
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    assert name_of(Path(path)) == name


@pytest.mark.parametrize("path", [".", "../shots", "nested/.."])
def test_a_folder_gives_its_own_name_however_it_is_called(tmp_path: Path, monkeypatch, path: str) -> None:
    (tmp_path / "shots/nested").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shots")
    assert name_of(Path(path)) == "shots"
