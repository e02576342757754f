"""Recovery from batches that do not fit into memory, and from flow that is not finite."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from flowcli.errors import DeviceError
from flowcli.flow.estimate import Estimate
from flowcli.flow.formats import flo
from flowcli.media.frames import FramePair
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import FlowEstimator
from flowcli.model.memory_plan import Plan
from flowcli.model.recovery import Recovery, ran_out_of_memory
from flowcli.model.refinement import Refinement
from flowcli.model.settings import Settings
from flowcli.system.refusals import refused_by_system
from raft_core.raft import RAFT
from tests.model.test_estimator import MODEL, frames

CPU = torch.device("cpu")
Batches = list[tuple[int, bool]]


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Batches]:
    """Makes memory run out for more than `most` pairs, or for the all-pairs volume; returns the computed batches."""

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


def flows(**settings: Any) -> tuple[list[np.ndarray], list[str]]:
    """The flow of five pairs, and the notes of the estimator."""
    estimator = FlowEstimator(MODEL, device=CPU, settings=Settings(iterations=2, **settings))
    found = [estimate.flow for estimate in estimator.estimate(pair_up(iter(frames(6))))]
    return found, estimator.notes


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    """The flow of the same pairs without a failure."""
    return flows()[0]


def test_a_batch_that_does_not_fit_is_halved_and_the_flow_is_the_same(limited, expected) -> None:
    done = limited(2)
    found, notes = flows(batch=4)
    assert done == [(2, True), (2, True), (1, True)]
    assert notes == ["memory ran out: continued with 2 pairs at once"]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-3)


def test_where_one_pair_does_not_fit_correlation_is_on_demand(limited, expected) -> None:
    done = limited(1, volume=False)
    found, notes = flows(batch=2, on_demand=False)
    assert set(done) == {(1, True)}
    assert notes == [
        "memory ran out: continued with 1 pair at once",
        "memory ran out: continued with 1 pair at once, correlation on demand",
    ]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-3)


def test_tensors_of_a_computation_that_failed_are_gone_when_it_is_repeated() -> None:
    earlier: list[weakref.ref[torch.Tensor]] = []

    def compute(batch: list[FramePair], *_: object) -> list[Estimate]:
        assert not any(tensor() is not None for tensor in earlier)
        large = torch.zeros(1)
        earlier.append(weakref.ref(large))
        if len(batch) > 1:
            raise MemoryError
        return []

    recovery = Recovery(compute, forget=lambda: None, precision=torch.float32, notes=[])
    recovery.estimate(list(pair_up(frames(5))), Plan(batch=4, on_demand=True, bytes=0))
    assert len(earlier) == 6


def test_a_pair_that_does_not_fit_on_demand_is_a_device_error(limited) -> None:
    limited(0)
    with pytest.raises(DeviceError, match="frames of 136 x 128 do not fit into memory"):
        flows(batch=2)


def test_a_still_test_that_does_not_fit_is_a_device_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcli.model.still.only_noise_differs", Mock(side_effect=torch.OutOfMemoryError))
    with pytest.raises(DeviceError, match="frames of 136 x 128 do not fit into memory"):
        flows(refinement=Refinement())


def test_other_errors_are_not_handled_as_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(FlowEstimator, "estimate_batch", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        flows(batch=2)


def test_torchs_error_on_a_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as failure:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out_of_memory(failure.value)


def test_onednns_error_without_memory_is_recognised() -> None:
    error = RuntimeError("could not create a primitive")
    assert ran_out_of_memory(error)
    assert isinstance(refused_by_system(error), DeviceError)


def make_nan(monkeypatch: pytest.MonkeyPatch, *, when: Callable[[], bool]) -> None:
    """Makes the context of a frame NaN at one cell whenever `when` returns true."""
    read = RAFT.read_context

    def read_nan(self: RAFT, first: torch.Tensor) -> Any:
        context = read(self, first)
        if when():
            context.hidden[..., 3, 3] = torch.nan
        return context

    monkeypatch.setattr(RAFT, "read_context", read_nan)


def test_flow_that_overflows_in_half_precision_is_computed_in_float32(monkeypatch, expected) -> None:
    make_nan(monkeypatch, when=lambda: torch.is_autocast_enabled("cpu"))
    found, notes = flows(precision=torch.bfloat16)
    assert notes == ["some pairs overflowed in half precision and were computed in float32"]
    for flow, same in zip(found, expected, strict=True):
        np.testing.assert_allclose(flow, same, atol=1e-4)


@pytest.mark.usefixtures("place", "no_thread_stays")
def test_flow_that_stays_nan_is_reported_and_does_not_spread(compute, make_video, monkeypatch) -> None:
    make_video(frames=5)
    calls = iter(range(100))
    make_nan(monkeypatch, when=lambda: next(calls) == 1)
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
