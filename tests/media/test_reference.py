"""Flow from one reference frame to all others."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flowcli.errors import UsageError
from flowcli.flow.formats import flo
from flowcli.media.frames import Frame
from flowcli.media.pairs import Pairing, pairs_from
from flowcli.model.memory import Memory
from tests.outputs import times_of

pytestmark = pytest.mark.usefixtures("place", "no_thread_stays")


def test_pairs_continue_on_their_side_of_the_reference_and_within_its_shot():
    frames = [Frame(index, Fraction(index, 25), np.zeros((1, 1, 3), np.uint8), shot=index // 4) for index in range(6)]
    pairs = list(pairs_from(frames[2], frames))
    assert [(pair.first.index, pair.second.index) for pair in pairs] == [(2, 0), (2, 1), (2, 3), (2, 4), (2, 5)]
    assert [pair.continues for pair in pairs] == [False, True, False, False, False]
    assert [pair.cut for pair in pairs] == [False, False, False, True, True]


def test_no_other_frames_are_kept_than_those_of_the_pair():
    frames = [Frame(index, Fraction(index), np.zeros((1, 1, 3), np.uint8)) for index in range(9)]
    memory = Memory()
    for pair in pairs_from(frames[0], frames):
        memory.keep([pair])
        memory.frames |= dict.fromkeys((0, pair.second.index))  # type: ignore[arg-type]
    assert memory.frames.keys() == {0, 8}


@pytest.mark.parametrize("segment", [1, 64])
def test_each_flow_is_that_of_the_pair_and_is_called_after_the_other_frame(compute, make_images, segment):
    folder = make_images(count=4)
    line = ["--reference", 1, "--save", "flo,video,stats", "--segment", segment, "-o", "out", "--max-flow", 4]
    assert compute("video", folder, *line).code == 0
    names = sorted(path.name for path in Path("out/shots_flow").iterdir())
    assert names == ["000000.flo", "000002.flo", "000003.flo"]
    for number in (0, 2, 3):
        pair = ["pair", folder / "1.png", folder / f"{number}.png", "--save", "flo", "-o", "one.flo", "-y"]
        assert compute(*pair).code == 0
        flow = flo.read(Path(f"out/shots_flow/00000{number}.flo"))
        np.testing.assert_allclose(flow, flo.read(Path("one.flo")), rtol=0, atol=1e-3)
    records = json.loads(Path("out/shots_stats.json").read_text())["pairs"]
    assert [(record["first"], record["second"]) for record in records] == [(1, 0), (1, 2), (1, 3)]
    assert all(record["speed"]["mean"] >= 0 for record in records)
    assert times_of("out/shots_flow.mp4") == [0, Fraction(2, 25), Fraction(3, 25)]


def test_a_warm_start_begins_with_the_flow_to_the_frame_before(compute, make_images):
    line = ["--reference", 0, "--warm-start", "--save", "stats"]
    assert compute("video", make_images(count=4), *line).code == 0
    assert [pair["warm"] for pair in json.loads(Path("shots_stats.json").read_text())["pairs"]] == [False, True, True]


def test_a_reference_that_is_no_frame_or_does_not_fit_other_options_is_refused(compute, make_images):
    ended = compute("video", make_images(count=3), "--reference", 3)
    assert (ended.code, ended.err[0]) == (2, "error: --reference 3 is not a frame of the input")
    ended = compute("video", "-", "--reference", 0)
    assert ended.err[0] == "error: input from a pipe cannot be read twice, as --reference does"
    for given in ({"skip": 2}, {"sliding": True}, {"sample_fps": Fraction(5)}, {"pad_last": True}):
        option = next(iter(given)).replace("_", "-")
        with pytest.raises(UsageError, match=f"^--reference cannot be combined with --{option}$"):
            Pairing(reference=0, **given)  # type: ignore[arg-type]
