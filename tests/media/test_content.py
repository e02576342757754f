"""The hash of an input changes with what is computed from it, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowcli.media.content import content_of

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize("name", ["shots", "shots/%d.png", "shots/*.png"])
def test_images_that_change_come_or_go_change_their_sequence(make_images, name: str) -> None:
    shots = make_images(count=3)
    seen = [content_of(Path(name))]
    os.utime(shots / "1.png", ns=(0, 0))
    seen.append(content_of(Path(name)))
    (shots / "3.png").write_bytes((shots / "2.png").read_bytes())
    seen.append(content_of(Path(name)))
    (shots / "0.png").unlink()
    assert len({*seen, content_of(Path(name))}) == 4


def test_other_files_in_the_folder_of_a_sequence_do_not_count(make_images) -> None:
    shots = make_images(count=3)
    before = content_of(shots), content_of(shots / "%d.png")
    for name in (".DS_Store", "Thumbs.db", "shots_flow.mp4"):
        (shots / name).write_bytes(b"something")
    (shots / "shots_flow").mkdir()
    assert (content_of(shots), content_of(shots / "%d.png")) == before


def test_a_missing_input_has_a_hash_too_and_a_broken_link_does_not_matter(make_images) -> None:
    shots = make_images(count=3)
    before = content_of(shots)
    (shots / "9.png").symlink_to("nowhere")
    assert content_of(shots) == before
    assert content_of(Path("missing.mp4")) != content_of(Path("lost.mp4"))
