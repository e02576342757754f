"""Batches that do not fit, and models that give no numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flowcli.errors import DeviceError
from flowcli.flow.formats import flo
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import FlowEstimator
from flowcli.model.recovery import ran_out_of_memory
from flowcli.model.settings import Settings
from raft_core.raft import RAFT
from tests.model.test_estimator import MODEL, frames

CPU = torch.device("cpu")
Batches = list[tuple[int, bool]]


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Batches]:
    """Makes memory run out for more than so many pairs, or for the volume of all; returns what was computed."""

    def limit(most: int, *, volume: bool = True) -> Batches:
        compute, done = FlowEstimator.estimate_batch, Batches()

        def computed(self: Any, batch: Any, memory: Any, plan: Any) -> Any:
            if len(batch) > most or not (volume or plan.on_demand):
                raise torch.OutOfMemoryError("CUDA out of memory")
            done.append((len(batch), plan.on_demand))
            return compute(self, batch, memory, plan)

        monkeypatch.setattr(FlowEstimator, "estimate_batch", computed)
        return done

    return limit


def flows(batch: int) -> tuple[list[np.ndarray], list[str]]:
    estimator = FlowEstimator(MODEL, device=CPU, settings=Settings(iterations=2, batch=batch))
    found = [estimate.flow for estimate in estimator.estimate(pair_up(iter(frames(8))))]
    return found, estimator.notes


def test_a_batch_that_does_not_fit_is_halved_and_the_flow_is_the_same(limited) -> None:
    expected, _ = flows(4)
    done = limited(2)
    found, notes = flows(4)
    assert done == [(2, False), (2, False), (2, False), (1, False)]
    assert notes == ["memory ran out: went on with 2 pairs at once"]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-3)


def test_where_one_pair_does_not_fit_correlations_are_made_on_demand(limited) -> None:
    expected, _ = flows(1)
    done = limited(1, volume=False)
    found, notes = flows(2)
    assert set(done) == {(1, True)}
    assert notes == [
        "memory ran out: went on with 1 pair at once",
        "memory ran out: went on with 1 pair at once, correlations made on demand",
    ]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-3)


def test_what_fits_in_no_way_is_a_device_error(limited) -> None:
    limited(0)
    with pytest.raises(DeviceError, match="frames of 136 x 128 do not fit into memory"):
        flows(2)


def test_other_failures_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(FlowEstimator, "estimate_batch", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        flows(2)


def test_torchs_own_complaint_on_a_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out_of_memory(failure.value)


def without_numbers(monkeypatch: pytest.MonkeyPatch, *, when: Callable[[], bool]) -> None:
    """Has the context of a frame be NaN at one place where `when` says so."""
    read = RAFT.read_context

    def spoilt(self: RAFT, first: torch.Tensor) -> Any:
        context = read(self, first)
        if when():
            context.hidden[..., 3, 3] = torch.nan
        return context

    monkeypatch.setattr(RAFT, "read_context", spoilt)


def test_what_overflows_in_half_precision_is_computed_in_single(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = flows(1)
    without_numbers(monkeypatch, when=lambda: torch.is_autocast_enabled("cpu"))
    settings = Settings(iterations=2, precision=torch.bfloat16)
    estimator = FlowEstimator(MODEL, device=CPU, settings=settings)
    found = [estimate.flow for estimate in estimator.estimate(pair_up(iter(frames(8))))]
    assert estimator.notes == ["some pairs overflowed in half precision and were computed in float32"]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-4)


@pytest.mark.usefixtures("place", "no_thread_stays")
def test_flow_that_stays_unknown_is_told_and_does_not_spread(compute, make_video, monkeypatch) -> None:
    make_video(frames=5)
    calls = iter(range(100))
    without_numbers(monkeypatch, when=lambda: next(calls) == 1)
    ended = compute("video", "clip.mp4", "--save", "flo,video", "--warm-start", "--max-flow", 5, "-o", "out")
    assert ended.code == 4
    assert ended.err[-2:] == [
        "error: the flow of 1 pair of clip.mp4 is not finite everywhere",
        "hint: try other --weights, or --precision fp32; the rest is written",
    ]
    finite = [bool(np.isfinite(flo.read(path)).all()) for path in sorted(Path("out/clip_flow").iterdir())]
    assert finite == [True, False, True, True]
    pairs = json.loads(Path("out/clip_flow.json").read_bytes())["pairs"]
    assert [pair["finite"] for pair in pairs] == finite
    assert [pair["warm"] for pair in pairs] == [False, True, False, True]
