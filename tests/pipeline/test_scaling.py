"""Colour scales: one for all, each pair's own, or what the past tells."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from flowcli.flow.colour import ColourScale
from flowcli.flow.drawing import Style
from flowcli.flow.outputs import open_writers, plan_outputs
from flowcli.media.pyav import VideoReader
from flowcli.pipeline.colour_scale import ScaleByPair, ScaleByPast

PLAIN = ColourScale(4.0, gamma=1.5)
BY_PAIR = ScaleByPair(partial(PLAIN.fitted, gamma=False))


def _estimates(make_estimate, speeds):
    """At the left a patch that always moves by 2 px, at the right one of the given speeds; between them stillness."""
    for index, speed in enumerate(speeds):
        flow = np.zeros((48, 64, 2), np.float32)
        flow[:, :20] = (0, 2)
        flow[:, 44:] = (speed, 0)
        yield make_estimate(flow, index=index)


def test_every_pair_may_have_its_own_scale(make_estimate):
    scales = [estimate.scale for estimate in BY_PAIR(_estimates(make_estimate, (0.1, 3, 12)))]
    assert scales == [replace(PLAIN, max_flow=flow) for flow in (2, 3, 12)]


def test_the_scale_of_a_still_pair_has_a_floor(make_estimate):
    (estimate,) = BY_PAIR([make_estimate(np.full((48, 64, 2), 0.01))])
    assert estimate.scale.max_flow == 1


def test_the_scale_of_the_past_follows_what_is_typical_and_no_outlier(make_estimate):
    scaled = ScaleByPast(PLAIN)
    speeds = [4, 4, 4, 300, 4, 4, *[20] * 30]
    scales = [estimate.scale.max_flow for estimate in scaled(_estimates(make_estimate, speeds))]
    assert scales[:6] == [4] * 6
    assert scales[-1] == 20


def test_the_scale_of_the_past_goes_on_from_call_to_call_and_knows_no_future(make_estimate):
    speeds = [3, 5, 9, 9, 2, 9, 14]
    whole = [estimate.scale for estimate in ScaleByPast(PLAIN)(_estimates(make_estimate, speeds))]
    scaled, estimates = ScaleByPast(PLAIN), list(_estimates(make_estimate, speeds))
    parts = [estimate.scale for part in (estimates[:4], estimates[4:]) for estimate in scaled(part)]
    assert parts == whole


@pytest.mark.parametrize("output", ["video", "png", "magnitude"])
def test_a_region_keeps_its_colour_while_the_rest_moves_more_and_less(tmp_path, make_estimate, output):
    outputs = plan_outputs([output], Path("clip.mp4"), video=True, output=tmp_path)
    (opened,) = open_writers(outputs, style=Style(ColourScale(5.0)), rate=Fraction(25), tick=Fraction(1, 25))
    for estimate in _estimates(make_estimate, (0, 5, 1, 40, 0, 3, 7)):
        opened.write(estimate)
    opened.close()
    if output == "png":
        import cv2

        pictures = [cv2.imread(str(path)) for path in sorted((tmp_path / "clip_flow").iterdir())]
    else:
        with VideoReader(outputs[0].path) as reader:
            pictures = [frame.image for frame in reader.frames()]
    assert len(pictures) == 7
    tolerance = 0 if output == "png" else 3  # of H.264
    for picture in pictures:
        difference = np.abs(picture.astype(int) - pictures[0])
        assert difference[:, :16].max() <= tolerance and difference[:, 24:40].max() <= tolerance
    assert np.abs(pictures[1].astype(int) - pictures[0])[:, 48:].max() > 100


def test_a_scale_without_the_motion_of_the_camera_covers_what_moves_by_itself(make_estimate):
    flow = np.full((48, 64, 2), (20, -9), np.float32)
    flow[10:30, 10:30] += np.float32([3, 0])
    (shaken,) = BY_PAIR([make_estimate(flow)])
    (own,) = replace(BY_PAIR, stabilise=True)([make_estimate(flow)])
    assert shaken.scale.max_flow > 20
    assert own.scale.max_flow == pytest.approx(3, abs=0.1)
