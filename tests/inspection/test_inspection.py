"""What inspect records: the invariants of RAFT, each against an oracle of its own."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.flow.colour import ColourScale
from flowcli.inspection.canvas import OUTSIDE
from flowcli.inspection.grid import Cell, Grid
from flowcli.inspection.hardest import hardest_pixel
from flowcli.inspection.inputs import GroundTruth, Subject
from flowcli.inspection.observation import Observation, observe
from flowcli.inspection.pictures.lookup import resampled
from flowcli.inspection.pictures.upsampling import magnified
from flowcli.inspection.pixels import apart, choose_pixels, parse_pixels, well_matched
from flowcli.inspection.reading import Lookup, Pixel, read, zoom
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from raft_core.config import CONFIGS, SMALL, SMALL_CONVEX, RaftConfig
from raft_core.raft import RAFT

SIZE = (140, 203)  # padded by 2 and 2, and by 2 and 3: to 18 rows and 26 columns
ITERATIONS = 3


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (height, width + 6, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    return texture[:, 6:], texture[:, :-6]


def observed(config: RaftConfig = SMALL, size: tuple[int, int] = SIZE, *, warm_start: bool = False) -> Observation:
    torch.manual_seed(0)
    model = RAFT(config)
    # Steps of a cell or so, for lookups between the cells.
    model.update_block.flow_head.conv2.weight.data.mul_(3)
    estimator = FlowEstimator(model, device=torch.device("cpu"), settings=Settings(iterations=ITERATIONS))
    first, second = pictures(*size)
    return observe(estimator, Subject("noise", (), first, second, earlier=second), warm_start=warm_start)


@pytest.fixture(scope="module")
def small() -> Observation:
    return observed()


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.name)
def observation(request) -> Observation:
    return observed(request.param)


# Geometry


def test_the_cell_of_a_pixel_counts_the_padding() -> None:
    grid = Grid(436, 1024)  # two rows above and two below
    assert (grid.rows, grid.columns) == (55, 128)
    assert grid.cell_at(0, 5) == Cell(0, 0)
    assert grid.cell_at(7, 6) == Cell(1, 0)
    assert grid.cell_at(1023, 435) == Cell(54, 127)


def test_a_pixel_lies_in_the_square_that_its_cell_covers() -> None:
    grid = Grid(100, 150)
    for x, y in [(0, 0), (149, 99), (77, 31), (8, 7)]:
        cell = grid.cell_at(x, y)
        left, top = grid.to_frame((cell.column - 0.5, cell.row - 0.5))
        assert left < x < left + 8 and top < y < top + 8


def test_a_coarse_cell_covers_the_cells_it_is_the_mean_of() -> None:
    grid = Grid(256, 256)
    fine = [grid.to_frame((x, 0)) for x in (12, 13, 14, 15)]
    assert grid.to_frame((3, 0), level=2)[0] == pytest.approx(np.mean([x for x, _ in fine]))


@pytest.mark.parametrize("size", [(1, 1), (40, 300), (128, 128), (139, 201)])
def test_every_visible_cell_has_a_pixel_of_the_frame_and_no_other_cell_has(size) -> None:
    grid = Grid(*size)
    rows, columns = grid.visible
    seen = {grid.cell_at(x, y) for x in range(grid.width) for y in range(grid.height)}
    assert seen == {Cell(r, c) for r in range(rows.start, rows.stop) for c in range(columns.start, columns.stop)}
    assert all(grid.cell_at(*grid.pixel_in(cell)) == cell for cell in seen)


# Responses and lookups


def looped_response(first: np.ndarray, second: np.ndarray, cell: Cell) -> list[np.ndarray]:
    """The published way, in plain loops: dot products over sqrt(C), and their means over 2×2 from level to level."""
    channels, rows, columns = second.shape
    level = np.zeros((rows, columns))
    for y in range(rows):
        for x in range(columns):
            for channel in range(channels):
                level[y, x] += float(first[channel, cell.row, cell.column]) * float(second[channel, y, x])
    pyramid = [level / channels**0.5]
    while len(pyramid) < 4:
        fine = pyramid[-1]
        rows, columns = fine.shape[0] // 2, fine.shape[1] // 2
        mean = [[fine[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in range(columns)] for y in range(rows)]
        pyramid.append(np.array(mean))
    return pyramid


@pytest.mark.parametrize("at", [(100, 70), (0, 0), (202, 139)])
def test_response_maps_agree_with_a_triple_loop(small, at) -> None:
    reading = read(small, Pixel(*at, ""))
    expected = looped_response(small.first_features, small.second_features, reading.cell)
    assert [response.shape for response in reading.responses] == [(18, 26), (9, 13), (4, 6), (2, 3)]
    for response, oracle in zip(reading.responses, expected, strict=True):
        assert np.abs(response - oracle).max() < 1e-4 * np.abs(oracle).max()


@pytest.mark.parametrize("at", [(100, 70), (0, 0), (202, 139)])
def test_windows_are_what_the_update_read(observation, at) -> None:
    reading = read(observation, Pixel(*at, ""))
    for update, lookups in zip(observation.updates, reading.lookups, strict=True):
        features = observation.correlation.lookup(torch.from_numpy(update.centers)[None])
        read_by_raft = features[0, :, reading.cell.row, reading.cell.column].numpy()
        # RAFT reads a window column by column.
        assert np.allclose(np.concatenate([lookup.window.T.ravel() for lookup in lookups]), read_by_raft, atol=1e-5)


def test_windows_are_images_bilinear_with_corners_aligned_and_zero_outside(small) -> None:
    reading = read(small, Pixel(3, 130, ""))
    for lookup in reading.lookups[-1]:
        rows, columns = lookup.size
        offsets = np.arange(-3, 4)
        x = (lookup.center[0] + offsets) * 2 / (columns - 1) - 1
        y = (lookup.center[1] + offsets) * 2 / (rows - 1) - 1
        points = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)[None]).float()
        response = torch.from_numpy(reading.responses[lookup.level])[None, None]
        expected = F.grid_sample(response, points, align_corners=True)[0, 0].numpy()
        assert np.abs(lookup.window - expected).max() < 1e-4


def test_the_raw_zoom_equals_the_resampled_grid_before_the_first_update(observation) -> None:
    reading = read(observation, Pixel(100, 70, ""))
    first = reading.lookups[0][0]
    raw, (left, top) = zoom(reading.responses[0], first.center, first.radius)
    assert np.array_equal(raw, first.window)
    assert (left, top) == (reading.cell.column - first.radius, reading.cell.row - first.radius)


def test_a_warm_start_looks_elsewhere_first() -> None:
    observation = observed(warm_start=True)
    assert observation.warm
    reading = read(observation, Pixel(100, 70, ""))
    cell = np.array([reading.cell.column, reading.cell.row])
    assert np.abs(reading.trajectory[0] - cell).max() > 0.01
    assert np.allclose(reading.coarse_flow[0], reading.trajectory[0] - cell + reading.deltas[0], atol=1e-5)


def test_a_zoom_over_the_border_is_nan_outside_and_exact_inside() -> None:
    response = np.arange(12, dtype=np.float32).reshape(3, 4)
    raw, start = zoom(response, (0.5, 2.0), 1)
    assert start == (-1, 1)
    expected = [[np.nan, 4, 5, 6], [np.nan, 8, 9, 10], [np.nan] * 4]
    assert np.array_equal(raw, np.array(expected, np.float32), equal_nan=True)
    assert np.isnan(zoom(response, (-50.0, 900.0), 3)[0]).all()


def test_the_correspondence_is_the_cell_plus_the_flow_so_far(observation) -> None:
    reading = read(observation, Pixel(60, 33, ""))
    cell = np.array([reading.cell.column, reading.cell.row], np.float32)
    flow = np.zeros(2, np.float32)
    for number, lookups in enumerate(reading.lookups):
        for lookup in lookups:
            assert np.allclose(lookup.center, (cell + flow) / 2**lookup.level, atol=1e-5)
        flow = observation.updates[number].coarse_flow[:, reading.cell.row, reading.cell.column]
        assert np.allclose(np.sum(reading.deltas[: number + 1], axis=0), flow, atol=1e-5)
    assert np.allclose(reading.trajectory[-1], cell + flow)


def test_the_strongest_offset_is_where_the_window_says_and_never_outside_the_map() -> None:
    window = np.zeros((7, 7), np.float32)
    window[1, 5] = 2
    assert Lookup(0, (10.0, 10.0), window, (20, 20)).strongest == (2, -2)
    below_zero = np.where(np.arange(49).reshape(7, 7) % 7 < 3, 0, -1).astype(np.float32)
    x, _ = Lookup(0, (0.0, 10.0), below_zero, (20, 20)).strongest
    assert x >= 0
    assert Lookup(0, (-40.0, 10.0), window, (20, 20)).strongest is None


def test_what_a_lookup_reads_outside_the_map_is_grey_and_not_the_colour_of_a_value() -> None:
    half_outside = Lookup(0, (0.5, 10.0), np.zeros((7, 7), np.float32), (20, 20))  # x from -2.5
    grey = (resampled(half_outside, (-1, 1), 8) == OUTSIDE).all(axis=2)
    assert grey[:, :16].all()
    assert not grey[:, 16:].any()
    assert (resampled(Lookup(0, (3.0, 25.0), half_outside.window, (20, 20)), (-1, 1), 8)[24:] == OUTSIDE).mean() > 0.8


def test_the_flow_of_a_pixel_is_made_of_nine_cells_by_its_weights(observation) -> None:
    """The learned ones of the large model, the bilinear ones of the small."""
    reading = read(observation, Pixel(101, 67, ""))
    row, column = reading.cell.row, reading.cell.column
    around = observation.updates[-1].coarse_flow[:, row - 1 : row + 2, column - 1 : column + 2]
    assert reading.weights.sum() == pytest.approx(1)
    assert np.allclose(8 * (around * reading.weights).sum(axis=(1, 2)), reading.flow[-1], atol=1e-4)


def test_the_magnified_edge_shows_unknown_ground_truth_as_unknown() -> None:
    run, (first, second) = observed(SMALL_CONVEX), pictures(*SIZE)
    edge, scale = read(run, Pixel(100, 70, "")), ColourScale(9)

    def drawn(flow: float, *, known: bool) -> np.ndarray:
        truth = GroundTruth(np.full((*SIZE, 2), flow, np.float32), np.full(SIZE, known))
        subject = Subject("", (), first, second, ground_truth=truth)
        return magnified(edge, SimpleNamespace(observation=run, subject=subject, scale=scale))

    assert not (drawn(0, known=False) == drawn(0, known=True)).all()
    assert (drawn(0, known=False) == drawn(np.nan, known=True)).all()


# Choosing


def shifted(size: tuple[int, int] = (128, 160), *, by: int = 2) -> Observation:
    """A run whose features are unique and move by two cells to the right, and whose flow says so, on the left half
    faster, in the opposite direction and wrong.
    """
    run = observed(size=size)
    rows, columns = run.grid.rows, run.grid.columns
    features = torch.from_numpy(np.random.default_rng(1).normal(size=(64, rows, columns)).astype(np.float32))
    flow = np.zeros((2, rows, columns), np.float32)
    flow[0, :, columns // 2 :] = by
    flow[0, :, : columns // 2] = -by
    second = torch.roll(features, by, dims=2)
    correlation = type(run.correlation)(features[None], second[None], radius=3)
    return replace(
        run, correlation=correlation, updates=(*run.updates[:-1], replace(run.updates[-1], coarse_flow=flow))
    )


def test_fast_pixels_are_matched_where_their_flow_ends_and_amid_others_alike() -> None:
    run = shifted()
    subject = Subject("", (), *pictures(128, 160))
    cells = [cell for cell, _ in well_matched(run, subject)]
    assert all(cell.column >= run.grid.columns // 2 + 1 for cell in cells)
    (pixel,) = choose_pixels(run, subject, 3)
    assert (pixel.kind, run.grid.cell_at(pixel.x, pixel.y)) == ("fast", cells[0])
    assert (
        pixel.why
        == "fast and well matched: level 0 peaks 0.0 cells from the flow's end, the neighbours' flow differs by 0.0"
    )


def test_fast_pixels_are_not_textureless() -> None:
    run, (first, second) = shifted(), pictures(128, 160)
    assert not list(well_matched(run, Subject("", (), np.full_like(first, 90), second)))


def test_fast_pixels_move_in_other_directions_and_none_crawls_beside_the_first() -> None:
    flow = np.array([[[8, 7.9, 0, 0]], [[0, 0.5, 4, -0.1]]], np.float32)  # right, nearly right, down, hardly up
    run = SimpleNamespace(updates=[SimpleNamespace(coarse_flow=flow)])
    cells = ((Cell(0, column), "") for column in range(4))
    assert [cell.column for cell, _ in apart(cells, run)] == [0, 2]


def test_a_run_without_matches_gives_its_fastest_cell_and_says_so() -> None:
    run = shifted()
    wrong = replace(run.updates[-1], coarse_flow=-2 * run.updates[-1].coarse_flow)
    (pixel,) = choose_pixels(replace(run, updates=(*run.updates[:-1], wrong)), Subject("", (), *pictures(128, 160)), 3)
    assert pixel.kind == "fallback"
    assert pixel.why.startswith("fastest: no fast cell has texture, level 0's peak at the flow's end")


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("leaves", "leaves the frame, by 900 px"),
        ("hidden", "hidden, the second frame does not show it"),
        ("flat", "textureless, the 24 x 24 px around it vary by 0.0 grey levels"),
        ("repeated", "repeated, a place 6 cells away matches better than the true one"),
        ("unique", "none of the rules explains it: it is visible, textured and unique"),
    ],
)
def test_the_hardest_pixel_is_the_one_of_largest_error_and_says_why(case: str, reason: str) -> None:
    run = shifted()
    first, second = (np.array(picture) for picture in pictures(128, 160))
    x, y = run.grid.pixel_in(Cell(8, 10))
    flow = run.flow.copy()
    flow[y, x] = (900 + 159 - x, 0) if case == "leaves" else (16, 0)
    wrong = flow.copy()
    wrong[y, x] += 50
    run = replace(run, updates=(*run.updates[:-1], replace(run.updates[-1], flow=wrong)))
    visible = np.full((128, 160), case != "hidden")
    if case == "flat":
        first[y - 12 : y + 12, x - 12 : x + 12] = 90
    if case == "repeated":
        copied = run.correlation.second.clone()
        copied[0, :, 8, 18] = 2 * copied[0, :, 8, 12]
        run = replace(run, correlation=type(run.correlation)(run.correlation.first, copied, radius=3))
    truth = GroundTruth(flow, np.ones((128, 160), bool), visible)
    pixel = hardest_pixel(run, Subject("", (), first, second, ground_truth=truth), taken=[])
    assert pixel is not None
    assert (pixel.x, pixel.y, pixel.kind) == (x, y, "hardest")
    assert pixel.why.endswith(f": {reason}")


def test_sparse_truth_at_the_middle_of_no_cell_leaves_the_way_back_to_find_the_hardest_pixel() -> None:
    run, valid = observed(), np.zeros((140, 203), bool)
    subject = Subject("", (), *pictures(140, 203), ground_truth=GroundTruth(run.flow, valid))
    valid[0, 0] = True
    without = hardest_pixel(run, replace(subject, ground_truth=None), taken=[])
    assert hardest_pixel(run, subject, taken=[]) == without
    valid[run.grid.pixel_in(Cell(4, 5))[::-1]] = True
    found = hardest_pixel(run, subject, taken=[])
    assert found is not None and found.why == "hardest (error 0.0 px): nothing here is hard"
    assert hardest_pixel(run, subject, taken=[Cell(4, 5)]) is None


# The GRU, and proposals


def test_gates_at_a_cell_are_those_of_the_whole_map(observation) -> None:
    reading = read(observation, Pixel(3, 70, ""))
    gru = observation.model.update_block.passes()[0]
    states = [observation.hidden, *(update.hidden for update in observation.updates)]
    for number, update in enumerate(observation.updates):
        inputs = np.concatenate([states[number], observation.context, update.motion_features])
        with torch.no_grad():
            for gate, read_gate in ((gru.update_gate, reading.update_gate), (gru.reset_gate, reading.reset_gate)):
                whole = torch.sigmoid(gate(torch.from_numpy(inputs)[None]))[0, :, reading.cell.row, reading.cell.column]
                assert np.allclose(read_gate[number, 0], whole.numpy(), atol=1e-5)


@pytest.mark.parametrize("at", [(100, 70), (0, 0), (202, 139)])
def test_proposals_of_all_cells_are_the_strongest_offsets_of_each(observation, at) -> None:
    reading = read(observation, Pixel(*at, ""))
    for update, lookups in zip(observation.updates, reading.lookups, strict=True):
        found = update.proposals[:, :, reading.cell.row, reading.cell.column].tolist()
        assert [tuple(offset) for offset in found] == [lookup.strongest for lookup in lookups]


def test_a_pixel_is_given_once() -> None:
    assert parse_pixels(["3,4", " 3 ,4", "3,4"], height=10, width=10) == [Pixel(3, 4, "requested")]
