from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from flowcli.evaluation.datasets import FlowItem
from flowcli.evaluation.methods import BASELINES
from flowcli.evaluation.summary import evaluate


def item(name: str, group: str, *, right: float, width: int = 10, valid: int = 10) -> FlowItem:
    """An item of one row that moves right by `right` px, of which the first `valid` pixels are valid."""
    image = np.zeros((1, width, 3), np.uint8)
    flow = np.zeros((1, width, 2), np.float32)
    flow[..., 0] = right
    return FlowItem(name, group, image, image, flow, np.arange(width)[None] < valid)


ITEMS = [item("a", "x", right=1), item("b", "x", right=20, width=40, valid=30), item("c", "y", right=4)]


def test_per_image_averages_over_items_and_per_pixel_over_pixels() -> None:
    report = evaluate(iter(ITEMS), BASELINES["zero"])
    x = report.groups["x"]
    assert x.epe == pytest.approx((1 + 20) / 2)
    assert x.per_pixel.epe.value == pytest.approx((10 * 1 + 30 * 20) / 40)
    assert x.per_pixel.outliers.value == pytest.approx(30 / 40)
    assert (x.per_image["outliers"].value, x.per_image["outliers"].count) == (pytest.approx(1 / 2), 2)
    assert (x.per_image["s10_40"].value, x.per_image["s10_40"].count) == (pytest.approx(20), 1)
    assert report.mean.epe == pytest.approx((1 + 20 + 4) / 3)


def test_the_record_has_the_documented_shape_and_is_strict_json() -> None:
    record = json.loads(json.dumps(evaluate(ITEMS, BASELINES["zero"], protocol={"k": 1}).record(), allow_nan=False))
    assert list(record) == ["protocol", "items", "groups", "mean"]
    assert record["protocol"]["k"] == 1
    assert {"name": "a", "group": "x", "epe": 1.0, "pixels": 10}.items() <= record["items"][0].items()
    assert record["items"][0]["s40"] is None
    assert record["groups"]["y"]["epe"] == 4.0
    assert record["mean"]["items"] == 3
    assert record["mean"]["per_pixel"]["epe"] == {"value": pytest.approx((10 + 600 + 40) / 50), "pixels": 50}
    assert record["mean"]["per_image"]["s10_40"] == {"value": 20.0, "images": 1}
    assert record["mean"]["per_pixel"]["occluded"] == {"value": None, "pixels": 0}


def test_an_item_without_valid_pixels_is_left_out_of_the_mean() -> None:
    report = evaluate([ITEMS[0], item("d", "x", right=9, valid=0)], BASELINES["zero"])
    assert report.mean.epe == 1.0
    assert report.record()["items"][1]["epe"] is None  # type: ignore[index]


def test_flow_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the flow of a is \(1, 10\)"):
        evaluate(ITEMS, lambda first, second: np.zeros((1, 10), np.float32))


def test_nothing_to_evaluate_is_refused() -> None:
    with pytest.raises(ValueError, match="no items"):
        evaluate([], BASELINES["zero"])


@pytest.mark.parametrize("name", ["dis", "farneback"])
def test_a_baseline_estimates_the_flow_of_a_shifted_texture(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    canvas: NDArray[np.uint8] = np.asarray(noise.repeat(6, axis=0).repeat(6, axis=1))
    flow = BASELINES[name](canvas[:, 3:], canvas[:, :-3])
    assert flow.shape == (120, 177, 2) and flow.dtype == np.float32
    assert np.median(flow, axis=(0, 1)) == pytest.approx([3, 0], abs=0.1)
