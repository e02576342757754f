"""A batch computes with the weights and refiners that it was started with, and notices when their files change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from flowcli.batch import work
from flowcli.batch.clips import Clip
from flowcli.batch.work import works_of
from flowcli.model import refiner
from flowcli.model.weights import find
from flowcli.pipeline.request import Request
from raft_core import checkpoint
from raft_core.raft import RAFT

pytestmark = pytest.mark.usefixtures("place", "loaded")

LINE = ("batch", "clips", "-o", "out", "--save", "flo", "--iters", 1)


@pytest.fixture
def clips(place: Path, make_video, make_images) -> None:
    """A clip that can be computed, one of which a frame is lost, and one that cannot be read."""
    (place / "clips").mkdir()
    make_video("clips/a.mp4", frames=3)
    (make_images("clips/lossy", count=5) / "2.png").write_bytes(b"no picture")
    (place / "clips/text.mp4").write_text("no video\n" * 9)


@pytest.fixture
def own(place: Path, weights: Path) -> Path:
    """A file of weights."""
    return Path(shutil.copy(weights, place / "own.safetensors"))


def change(weights: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        checkpoint.save(RAFT(), weights)


def records() -> dict[str, str]:
    """The hash of the weights of every clip that has a report."""
    reports = (json.loads(path.read_bytes()) for path in Path("out").glob("*_flow.json"))
    return {Path(report["inputs"][0]).name: report["weights"]["sha256"] for report in reports}


def asked() -> dict[str, str]:
    return {item["clip"]: item["asked"] for item in json.loads(Path("out/batch.json").read_bytes())["items"]}


@pytest.mark.usefixtures("clips")
def test_weights_that_changed_under_their_name_compute_every_clip_again(flowcli, own: Path) -> None:
    assert flowcli(*LINE, "--weights", own).code == 4
    first = asked()
    change(own)
    refused = flowcli(*LINE, "--weights", own).err[-1]
    assert refused.startswith("hint: 2 have outputs of other options, weights or frames")
    assert flowcli(*LINE, "--weights", own, "-y").code == 4
    assert records() == dict.fromkeys(["a.mp4", "lossy"], find(str(own)).sha256)
    assert all(asked()[clip] != before for clip, before in first.items())


def test_clips_after_a_change_of_the_weights_are_reported_with_those_that_computed_them(
    flowcli, own: Path, make_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("clips").mkdir()
    for name in ("a", "b", "c"):
        make_video(f"clips/{name}.mp4", frames=2)
    before, estimate = find(str(own)).sha256, work.estimate_video

    def changing(*arguments: Any, **options: Any) -> Any:
        change(own)
        return estimate(*arguments, **options)

    monkeypatch.setattr(work, "estimate_video", changing)
    assert flowcli(*LINE, "--weights", own).code == 0
    assert find(str(own)).sha256 != before
    assert records() == dict.fromkeys(["a.mp4", "b.mp4", "c.mp4"], before)


def test_a_refiner_that_changed_is_noticed_before_and_during_a_batch(place: Path, weights: Path) -> None:
    path = place / "own.safetensors"
    refiner.save(refiner.Refiner(), path)

    def works() -> list[work.Work]:
        clips = [Clip(place / name, name, name) for name in ("a.mp4", "b.mp4")]
        other = Clip(place / "c.mp4", "c.mp4", "c", {"refine": "none"})
        request = Request(inputs=(place,), refine=str(path))
        return works_of([*clips, other], request, place / "out", weights=find(str(weights)))

    first = works()
    refiner.save(refiner.Refiner(), path)
    again = works()
    assert [old.asked == new.asked for old, new in zip(first, again, strict=True)] == [False, False, True]
    problem = work.prepare(first[0]).problem
    assert str(problem) == f"{path} is not what it was when the batch started"


def test_each_file_of_a_refiner_is_read_once_for_all_clips(place: Path, weights: Path, monkeypatch) -> None:
    read = list[str]()
    monkeypatch.setattr(work, "refiner_content", read.append)
    clips = [Clip(place / name, name, name) for name in "abc"]
    works_of(clips, Request(inputs=(place,), refine="own.safetensors"), place, weights=find(str(weights)))
    assert read == ["own.safetensors"]


def test_a_work_for_another_working_directory_asks_for_the_same(place: Path, weights: Path) -> None:
    refiner.save(refiner.Refiner(), Path("own.safetensors"))
    clip = Clip(Path("a.png"), "a", "a", second=Path("b.png"))
    request = Request(inputs=(place,), refine="own.safetensors")
    (here,) = works_of([clip], request, Path("out"), weights=find(str(weights)))
    there = here.absolute()
    assert there.asked == here.asked
    assert there.own.refine == str(place / "own.safetensors")
    assert (*there.own.inputs, there.own.output) == (place / "a.png", place / "b.png", place / "out")
