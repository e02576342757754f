"""Runs with parts of RAFT switched off, each against the same run made in another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from flowcli.inspection.ablation import Switches, ablate, kept_offsets, parse_switches
from flowcli.inspection.inputs import GroundTruth, Subject
from flowcli.inspection.observation import observe
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from raft_core.config import SMALL_CONVEX
from raft_core.raft import RAFT
from tests.inspection.test_inspection import pictures


@pytest.fixture(scope="module")
def estimator() -> FlowEstimator:
    torch.manual_seed(0)
    model = RAFT(SMALL_CONVEX)
    model.update_block.flow_head.conv2.weight.data.mul_(3)
    return FlowEstimator(model, device=torch.device("cpu"), settings=Settings(iterations=2))


@pytest.fixture(scope="module")
def observation(estimator):
    return observe(estimator, Subject("noise", (), *pictures(128, 160)))


def test_a_run_without_anything_switched_off_is_the_full_run(estimator, observation) -> None:
    truth = GroundTruth(observation.flow + np.float32([3, 4]), np.ones((128, 160), bool))
    ablation = ablate(observation, estimator, Switches(), truth)
    assert ablation.changes == pytest.approx(0, abs=1e-4)
    assert ablation.errors is not None and ablation.errors[-1] == pytest.approx(5, abs=1e-4)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_run_in_half_precision_without_anything_switched_off_is_the_full_run(estimator, precision) -> None:
    settings = replace(estimator.settings, precision=precision)
    half = FlowEstimator(estimator.model, device=estimator.device, settings=settings)
    observation = observe(half, Subject("noise", (), *pictures(128, 160)))
    assert (ablate(observation, half, Switches(), None).changes == 0).all()


def test_a_run_without_context_equals_one_whose_weights_ignore_it(estimator, observation) -> None:
    ablation = ablate(observation, estimator, Switches(("context",)), None)
    deaf = RAFT(SMALL_CONVEX)
    deaf.load_state_dict(estimator.model.state_dict())
    hidden, context = SMALL_CONVEX.hidden_channels, SMALL_CONVEX.context_channels
    for gru in deaf.update_block.passes():
        for layer in (gru.update_gate, gru.reset_gate, gru.candidate):
            layer.weight.data[:, hidden : hidden + context] = 0
    other = FlowEstimator(deaf, device=torch.device("cpu"), settings=Settings(iterations=2))
    expected = observe(other, Subject("noise", (), *pictures(128, 160))).flow
    assert np.allclose(ablation.flow, expected, atol=1e-3)
    assert ablation.changes[-1] > 0.01


def test_a_run_without_a_level_or_with_a_smaller_radius_equals_one_whose_weights_ignore_them(
    estimator, observation
) -> None:
    for switches in (Switches(("level3", "level1")), Switches(radius=1)):
        deaf = RAFT(SMALL_CONVEX)
        deaf.load_state_dict(estimator.model.state_dict())
        columns = deaf.update_block.motion_encoder.correlation1.weight.data.view(-1, 4, 7, 7)
        if switches.radius is None:
            columns[:, [1, 3]] = 0
        else:
            inner = columns[:, :, 2:5, 2:5].clone()
            columns[:] = 0
            columns[:, :, 2:5, 2:5] = inner
        other = FlowEstimator(deaf, device=torch.device("cpu"), settings=Settings(iterations=2))
        expected = observe(other, Subject("noise", (), *pictures(128, 160))).flow
        assert np.allclose(ablate(observation, estimator, switches, None).flow, expected, atol=1e-3)


def test_without_motion_features_the_second_frame_does_not_matter(estimator, observation) -> None:
    first, second = pictures(128, 160)
    elsewhere = observe(estimator, Subject("noise", (), first, second[::-1].copy()))
    blind = [ablate(run, estimator, Switches(("motion",)), None).flow for run in (observation, elsewhere)]
    assert np.allclose(*blind, atol=1e-4)
    assert not np.allclose(observation.flow, elsewhere.flow, atol=0.1)


def test_a_run_leaves_the_model_as_it_was(estimator, observation) -> None:
    ablate(observation, estimator, Switches(("motion", "level0", "hidden")), None)
    again = observe(estimator, Subject("noise", (), *pictures(128, 160)))
    assert np.array_equal(again.flow, observation.flow)


def test_commas_separate_runs_and_plus_joins_parts() -> None:
    runs = parse_switches("context, level0+level3,context", 2, SMALL_CONVEX)
    assert runs == [Switches(("context",)), Switches(("level0", "level3")), Switches(radius=2)]
    assert [run.title for run in runs] == ["without context", "without level 0 and level 3", "radius 2"]


def test_a_radius_keeps_the_offsets_up_to_it_at_every_level() -> None:
    kept = kept_offsets(replace(SMALL_CONVEX, correlation_levels=2), Switches(radius=1)).view(2, 7, 7)
    assert kept.sum() == 2 * 9
    assert kept[1, 2:5, 2:5].all()
