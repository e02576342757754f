"""The sentences about a pixel, on readings made by hand whose story is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from flowcli.inspection.grid import Cell
from flowcli.inspection.reading import Pixel, Reading, look_up
from flowcli.inspection.story import story_of

CELL = Cell(12, 10)


def reading_of(path: Sequence[tuple[float, float]], peak: tuple[int, int], *, likeness: float = 0.2) -> Reading:
    """A cell at column 10, row 12 of 24 x 24 whose flow takes the places of `path`; it matches `peak` only."""
    response = torch.zeros(24, 24)
    response[peak[1], peak[0]] = 1
    responses = [response]
    for _ in range(3):
        responses.append(torch.nn.functional.avg_pool2d(responses[-1][None], 2)[0])
    places = np.array([(CELL.column, CELL.row), *path], np.float32)
    deltas = np.diff(places, axis=0)
    coarse = places[1:] - places[0]
    gate = np.linspace(0.6, 0.2, len(deltas), dtype=np.float32)[:, None, None]
    weights = np.zeros((3, 3), np.float32)
    weights[1, 1], weights[0, 1] = 0.75, 0.25
    return Reading(
        pixel=Pixel(84, 100, ""),
        cell=CELL,
        responses=tuple(level.numpy() for level in responses),
        lookups=tuple(
            tuple(look_up(response, center, level, 3) for level, response in enumerate(responses))
            for center in places[:-1]
        ),
        trajectory=places,
        flow=8 * coarse,
        coarse_flow=coarse,
        deltas=deltas,
        weights=weights,
        around=np.zeros((3, 3, 2), np.float32),
        bilinear=8 * coarse[-1] + np.float32([3, 4]),
        bilinear_weights=np.full((3, 3), 1 / 9, np.float32),
        likeness=likeness,
        motion=np.zeros((len(deltas), 82), np.float32),
        hidden=np.zeros((len(places), 96), np.float32),
        update_gate=gate,
        reset_gate=gate,
    )


def test_a_match_outside_the_first_window_is_seen_by_a_coarser_level_and_then_by_level_0() -> None:
    story = story_of(reading_of([(13, 12), (15, 12), (15, 12)], (15, 12)), learned=True)
    assert story.steps["look_up"] == (
        "At update 1 level 0's peak lies outside level 0's window, inside that of levels 1 to 3; levels 1 to 3 respond "
        "most strongly there; from update 2 on, it lies inside level 0's window."
    )


def test_a_match_in_the_first_window_is_seen_from_the_start() -> None:
    story = story_of(reading_of([(12, 12), (12, 12)], (12, 12)), learned=True)
    assert story.steps["look_up"] == (
        "At update 1 level 0's peak lies inside level 0's window; levels 0 to 3 respond most strongly there; it stays "
        "inside."
    )


def test_a_peak_that_the_flow_never_came_near_is_told() -> None:
    story = story_of(reading_of([(11, 12), (11, 12)], (10, 22)), learned=True)
    assert story.steps["look_up"] == (
        "At update 1 the flow's end lies inside level 0's window; level 3 responds most strongly there; it stays "
        "inside. Level 0's peak, 10.0 cells from there, was never in its window."
    )


def test_levels_agree_whose_peak_lies_where_the_flow_ends() -> None:
    story = story_of(reading_of([(15, 12)], (15, 12)), learned=True)
    assert story.steps["correlate"] == (
        "Over the whole second frame, level 0 peaks (+5, +0) cells from the cell; elsewhere the response reaches 0 % "
        "of that peak, no rival. Levels 0 to 3 agree with where the flow ends."
    )
    story = story_of(reading_of([(15, 12)], (1, 22)), learned=True)
    assert "No level agrees with where the flow ends; level 0 peaks 14.0 cells from there," in story.steps["correlate"]


def test_an_overshoot_and_the_settling_after_it_are_told_in_cells() -> None:
    story = story_of(reading_of([(14, 12), (15.3, 12), (15, 12), (15.05, 12), (15, 12)], (15, 12)), learned=True)
    assert story.steps["update"] == (
        "The flow changed by 5.0 cells; update 1 moved it by 4.0 and left 1.0, update 2 overshot by 0.3 cells, after "
        "update 3 none moved it by more than 0.1 cells. The GRU renewed 60 % of the hidden state at update 1 and 20 % "
        "at the last (update gate)."
    )
    assert story.updates[0] == (
        "Update 1 moved by (+4.00, +0.00) cells, following level 1; 1.0 cells remain. The GRU renewed 60 % of the "
        "hidden state (update gate); its candidate saw 60 % of the old one (reset gate)."
    )
    assert "; it overshot by 0.3 cells. The GRU" in story.updates[1]
    assert story.updates[4].startswith("Update 5 ")


def test_an_update_that_hardly_moves_stands_still() -> None:
    story = story_of(reading_of([(12, 12), (12.02, 12)], (12, 12)), learned=True)
    assert story.updates[1].startswith("Update 2 stood still. The GRU renewed 20 %")


def test_likeness_decides_whether_a_cell_can_be_told_from_its_neighbours() -> None:
    verdicts = [
        story_of(reading_of([(10, 12)], (10, 12), likeness=v), learned=True).steps["encode"] for v in (0.2, 0.6, 0.9)
    ]
    ends = ("so it can be told from them.", "so it is partly like them.", "so it can hardly be told from them.")
    assert all(verdict.endswith(end) for verdict, end in zip(verdicts, ends, strict=True))


def test_upsampling_names_the_cells_and_the_truth_that_it_misses() -> None:
    reading = reading_of([(15, 12)], (15, 12))
    story = story_of(reading, learned=True, truth=np.float32([43, 4]))
    assert story.steps["upsample"] == (
        "Learned weights mix the flow of 3 x 3 cells, most from its own 75 % and the one above 25 %: "
        "(+40.0, +0.0) px, 5.0 px from what bilinear upsampling "
        "gives. The truth is (+43.0, +4.0) px, an error of 5.0 px."
    )


def test_at_an_edge_the_weight_on_the_main_cells_side_is_told() -> None:
    reading = reading_of([(15, 12)], (15, 12))
    around = np.zeros((3, 3, 2), np.float32)
    around[1:, :, 0] = 40
    story = story_of(replace(reading, around=around), learned=True)
    assert story.steps["upsample"].endswith(
        ". The flow of these cells differs by up to 40.0 px, as at an edge: those on the side of the one with most "
        "weight have 75 % of it, with bilinear weights 67 %."
    )
    around[:] = np.nan
    around[1, 1] = 0
    assert "edge" not in story_of(replace(reading, around=around), learned=True).steps["upsample"]


def test_coarse_cells_lie_where_the_cells_that_they_are_the_mean_of_do() -> None:
    """Level 3's cell 1 is the mean of cells 8 to 15, whose middle is 11.5; RAFT looks up 10 at 10 / 8 = 1.25."""
    lookup = look_up(torch.tensor([[0.0, 1, 0]] * 3), np.float32([10, 10]), 3, 1)
    assert lookup.offset_to(np.float32([11.5, 11.5])).tolist() == [-0.25, -0.25]
    # With radius 1, the squares that it reads reach to 2.75 in cells of level 3, which is 25.5 in those of level 0.
    assert lookup.covers(np.float32([25.4, 11.5])) and not lookup.covers(np.float32([25.6, 11.5]))
    assert lookup.strongest == (0, -1)
    assert lookup.points_to(np.float32([18, 4])) and not lookup.points_to(np.float32([18, 14]))
