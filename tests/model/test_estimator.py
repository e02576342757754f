from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from flowcli.flow.estimate import as_array
from flowcli.media.frames import Frame, FramePair
from flowcli.media.pairs import Pairing, pair_up
from flowcli.model.batches import in_batches
from flowcli.model.estimator import Estimate, FlowEstimator, estimator_for
from flowcli.model.memory import Memory
from flowcli.model.memory_plan import Plan
from flowcli.model.parallel import threads_of
from flowcli.model.refinement import LEARNED, Refinement
from flowcli.model.resize import Resizing, resized
from flowcli.model.settings import Occlusion, Settings
from flowcli.model.weights import DEFAULT, find
from raft_core.config import CONFIGS, SMALL, RaftConfig
from raft_core.consistency import find_occluded
from raft_core.grid import resize_flow
from raft_core.images import Padding, to_model_range
from raft_core.raft import RAFT
from raft_core.upsample import upsample_bilinear
from raft_core.warm_start import carry_forward

CPU = torch.device("cpu")


def make(config: RaftConfig = SMALL) -> RAFT:
    torch.manual_seed(0)
    model = RAFT(config)
    model.update_block.flow_head.conv2.weight.data.mul_(10)
    return model.eval()


MODEL = make()


def image(seed: int, height: int = 128, width: int = 136) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frames(count: int, *, lost: Iterable[int] = (), height: int = 128, width: int = 136) -> list[Frame]:
    return [Frame(i, Fraction(i, 25), image(i, height, width)) for i in range(count) if i not in lost]


def estimator(model: RAFT = MODEL, **settings: object) -> FlowEstimator:
    return FlowEstimator(model, device=CPU, settings=Settings(**{"iterations": 2, "warm_start": True, **settings}))  # type: ignore[arg-type]


def ready(pixels: NDArray[np.uint8]) -> Tensor:
    images = to_model_range(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    return Padding.for_size(*pixels.shape[:2]).pad(images)


def coarse(pair: FramePair, initial: Tensor | None = None) -> Tensor:
    return MODEL.estimate(ready(pair.first.image), ready(pair.second.image), iterations=2, initial_flow=initial).flow


def encoded_images(model: RAFT) -> list[int]:
    """How many images each call of the feature encoder gets."""
    counts: list[int] = []
    model.feature_encoder.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    return counts


@pytest.mark.parametrize("batch", [1, 3])
def test_each_frame_is_encoded_once_for_all_its_pairs(batch: int) -> None:
    model = make()
    counts = encoded_images(model)
    for skip, sliding, pairs in [(1, False, 4), (2, False, 2), (3, False, 1), (1, True, 4), (2, True, 3), (3, True, 2)]:
        taken = list(pair_up(frames(5), Pairing(skip=skip, sliding=sliding)))
        assert len(list(estimator(model, batch=batch, iterations=1).estimate(taken))) == pairs
        assert sum(counts) == len({frame.index for pair in taken for frame in (pair.first, pair.second)})
        counts.clear()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("skip", "sliding"), [(1, False), (2, True)])
def test_features_of_at_most_skip_plus_one_frames_are_kept(skip: int, sliding: bool, reverse: bool) -> None:
    model = make()
    features: list[weakref.ref[Tensor]] = []
    model.feature_encoder.register_forward_hook(lambda _, __, output: features.append(weakref.ref(output)))
    pairs = list(pair_up(frames(6), Pairing(skip=skip, sliding=sliding)))
    if reverse:
        pairs = [FramePair(pair.second, pair.first, continues=False) for pair in reversed(pairs)]
    for _ in estimator(model, iterations=1).estimate(pairs):
        assert sum(feature() is not None for feature in features) <= skip + 1


def test_skipped_and_sliding_pairs_get_their_own_flow() -> None:
    taken = list(pair_up(frames(5), Pairing(skip=2, sliding=True)))
    for estimate, pair in zip(estimator(warm_start=False).estimate(taken), taken, strict=True):
        assert estimate.pair is pair
        alone = estimator().flow_between(pair.first.image, pair.second.image)
        np.testing.assert_allclose(estimate.flow, alone, atol=1e-4)


def test_a_pair_after_a_gap_starts_cold() -> None:
    estimates = list(estimator().estimate(pair_up(frames(7, lost=[3]))))
    assert [estimate.pair.first.index for estimate in estimates] == [0, 1, 4, 5]
    assert [estimate.warm for estimate in estimates] == [False, True, False, True]
    torch.testing.assert_close(
        estimates[2].forward[None], upsample_bilinear(coarse(estimates[2].pair)), rtol=0, atol=1e-4
    )


def test_without_warm_start_every_pair_starts_cold() -> None:
    memory = Memory()
    estimates = list(estimator(warm_start=False).estimate(pair_up(frames(3)), memory=memory))
    assert [estimate.warm for estimate in estimates] == [False, False]
    assert not memory.flows
    for estimate in estimates:
        torch.testing.assert_close(estimate.forward[None], upsample_bilinear(coarse(estimate.pair)), rtol=0, atol=1e-4)


def test_a_warm_pair_starts_from_the_last_flow_carried_forward() -> None:
    first, second = estimator().estimate(pair_up(frames(3)))
    assert second.warm
    initial = carry_forward(coarse(first.pair))
    assert bool(initial.abs().max() > 0.1)
    torch.testing.assert_close(second.forward[None], upsample_bilinear(coarse(second.pair, initial)), rtol=0, atol=1e-4)


def test_pair_i_of_a_batch_starts_from_the_last_flow_carried_forward_i_and_one_times() -> None:
    estimates = list(estimator(batch=3).estimate(pair_up(frames(7))))
    assert [estimate.warm for estimate in estimates] == [False] * 3 + [True] * 3
    initial = coarse(estimates[2].pair)
    for estimate in estimates[3:]:
        initial = carry_forward(initial)
        torch.testing.assert_close(
            estimate.forward[None], upsample_bilinear(coarse(estimate.pair, initial)), rtol=0, atol=1e-4
        )


def test_batched_flow_equals_unbatched_flow() -> None:
    taken = list(pair_up(frames(6)))
    one_by_one = estimator(warm_start=False).estimate(taken)
    batched = estimator(warm_start=False, batch=4).estimate(taken)
    for alone, together in zip(one_by_one, batched, strict=True):
        torch.testing.assert_close(together.forward, alone.forward, rtol=0, atol=1e-4)


def test_a_cpu_computes_pairs_at_once_with_equal_cores_whatever_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list(pair_up(frames(6)))
    planned = [Plan(batch=size, on_demand=True, bytes=0, at_once=2) for size in (4, 2)]
    found = []
    for plan in planned:
        monkeypatch.setattr(FlowEstimator, "plan", lambda *_, plan=plan: plan)
        with threads_of(4):
            found.append(list(estimator(warm_start=False, batch=None).estimate(taken)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one.forward, other.forward)


def test_a_batch_of_warm_pairs_is_planned_with_the_memory_of_all_of_them() -> None:
    one = estimator().plan(128, 136)
    assert estimator(batch=4).plan(128, 136) == replace(one, batch=4, bytes=4 * one.bytes)
    assert estimator(batch=4, memory=2 * one.bytes).plan(128, 136).batch == 2


def test_a_run_with_less_free_memory_computes_the_same_flow_fewer_pairs_at_once(monkeypatch) -> None:
    """What a resumed run keeps is the batch and the threads of each pair; how many are computed at once may differ."""
    taken, found = list(pair_up(frames(6))), []
    for together in (4, 2, 1):
        plan = Plan(batch=4, on_demand=True, bytes=0, at_once=together)
        monkeypatch.setattr(FlowEstimator, "plan", lambda *_, plan=plan: plan)
        with threads_of(4):
            found.append([pair.forward for pair in estimator(warm_start=False, threads_each=2).estimate(taken)])
    for others in zip(*found, strict=True):
        assert all(torch.equal(others[0], other) for other in others)


def test_both_directions_of_pairs_at_once_equal_those_alone() -> None:
    taken = list(pair_up(frames(6)))
    alone = estimator(warm_start=False, direction="both").estimate(taken)
    together = estimator(warm_start=False, direction="both", batch=4).estimate(taken)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one.forward, other.forward, rtol=0, atol=1e-4)
        torch.testing.assert_close(one.backward, other.backward, rtol=0, atol=1e-4)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_still_pair_is_zero_without_an_update_and_the_others_are_as_without_it(direction: str) -> None:
    taken = frames(4)
    still = [*taken[:2], replace(taken[2], image=taken[1].image.copy()), taken[3]]
    options = {"warm_start": False, "direction": direction, "refinement": Refinement(), "batch": 4}
    computed = list(estimator(**options).estimate(pair_up(still)))
    assert [estimate.iterations > 0 for estimate in computed] == [True, False, True]
    flows = [flow for flow in (computed[1].forward, computed[1].backward) if flow is not None]
    assert len(flows) == (2 if direction == "both" else 1)
    assert all(bool((flow == 0).all()) for flow in flows)
    assert [estimate.pair.first.index for estimate in computed] == [0, 1, 2]
    alone = next(iter(estimator(**options).estimate(list(pair_up(still))[2:])))
    np.testing.assert_allclose(computed[2].flow, alone.flow, atol=1e-4)


def test_published_weights_compute_still_pairs_too() -> None:
    one = frames(1)[0]
    (estimate,) = estimator(warm_start=False).estimate(pair_up([one, replace(one, index=1, time=Fraction(1))]))
    assert estimate.iterations > 0


def test_a_gap_ends_a_batch() -> None:
    pairs = list(pair_up(frames(9, lost=[4])))
    sizes = [[pair.first.index for pair in batch] for batch in in_batches(pairs, size=lambda _: 4)]
    assert sizes == [[0, 1, 2], [5, 6, 7]]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_flow_has_the_size_of_the_frame_and_is_finite(config: RaftConfig) -> None:
    model = make(config)
    for size in ((1, 1), (3, 5), (37, 201), (129, 131), (128, 128)):
        flow = estimator(model, iterations=1).flow_between(image(0, *size), image(1, *size))
        assert flow.shape == (*size, 2)
        assert flow.dtype == np.float32
        assert bool(np.isfinite(flow).all())


def test_flow_between_equals_the_model_on_padded_images() -> None:
    first, second = image(0, 131, 150), image(1, 131, 150)
    expected = MODEL.estimate(ready(first), ready(second), iterations=2).upsampled()
    assert expected.shape[-2:] == (136, 152)
    expected = expected[0, :, 2:-3, 1:-1].permute(1, 2, 0)
    np.testing.assert_allclose(estimator().flow_between(first, second), expected, atol=1e-4)


def test_a_mirrored_or_read_only_image_is_accepted() -> None:
    first, second = image(0), image(1)
    expected = estimator().flow_between(first[:, ::-1].copy(), second)
    read_only = second.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(estimator().flow_between(first[:, ::-1], read_only), expected)


def test_half_precision_gives_flow_in_float32() -> None:
    expected = estimator().flow_between(image(0), image(1))
    flow = estimator(precision=torch.bfloat16).flow_between(image(0), image(1))
    assert flow.dtype == np.float32
    assert 0 < np.abs(flow - expected).mean() < 0.1 * np.abs(expected).mean()


SCALED = {"refinement": LEARNED, "resizing": Resizing(scale=0.5), "warm_start": False}


@pytest.mark.parametrize("make", [partial(estimator, **SCALED), partial(estimator_for, find(DEFAULT), device="cpu")])
def test_the_callers_autocast_and_default_dtype_change_nothing(make: Callable[[], FlowEstimator]) -> None:
    """Of a pair that moves little, for which a first look is enough, and of one that is still."""
    first, later = (resized(np.roll(image(0, 12, 16), shift, axis=1), (96, 128)) for shift in (0, 1))
    taken = [Frame(index, Fraction(index), shown) for index, shown in enumerate((first, later, later))]

    def flows() -> list[NDArray[np.float32]]:
        return [estimate.forward.numpy() for estimate in make().estimate(pair_up(taken))]

    expected = flows()
    assert [bool(flow.any()) for flow in expected] == [True, False]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(flows(), expected)
    torch.set_default_dtype(torch.float64)
    try:
        found = flows()
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(found, expected)
    assert {flow.dtype for flow in found} == {np.dtype(np.float32)}


def test_the_caller_is_not_in_inference_mode_or_autocast() -> None:
    weights = torch.nn.Linear(2, 2)
    for _ in estimator(iterations=1, precision=torch.bfloat16).estimate(pair_up(frames(3))):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        result = weights(torch.ones(1, 2))
        assert result.dtype == torch.float32
        assert result.requires_grad


@pytest.mark.parametrize("warm_start", [False, True])
def test_still_pairs_are_told_in_float32_whatever_flow_is_computed_in(
    monkeypatch: pytest.MonkeyPatch, warm_start: bool
) -> None:
    modes: list[tuple[bool, bool]] = []

    def noted(*_: object) -> bool:
        modes.append((torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")))
        return True

    monkeypatch.setattr("flowcli.model.estimator.is_still", noted)
    half = estimator(precision=torch.bfloat16, refinement=Refinement(), warm_start=warm_start)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        list(half.estimate(pair_up(frames(2))))
    assert modes == [(True, False)]


def test_an_estimate_is_yielded_before_the_next_pair_is_read() -> None:
    taken: list[int] = []

    def watched() -> Iterable[FramePair]:
        for pair in pair_up(frames(6)):
            taken.append(pair.first.index)
            yield pair

    estimates = estimator().estimate(watched())
    assert isinstance(next(iter(estimates)), Estimate)
    assert taken == [0]


def test_no_pairs_give_no_estimates() -> None:
    assert list(estimator().estimate([])) == []
    assert list(estimator().estimate(pair_up(frames(1)))) == []


def test_pairs_of_several_clips_can_follow_each_other() -> None:
    """Each clip numbers its frames from 0, so features of the previous clip must not be used."""
    one = frames(3)
    other = [Frame(frame.index, frame.time, image(100 + frame.index)) for frame in frames(3)]
    pairs = [*pair_up(one), *pair_up(other)]
    estimates = list(estimator().estimate(pairs))
    assert [estimate.warm for estimate in estimates] == [False, True, False, True]
    np.testing.assert_allclose(estimates[2].flow, estimator().flow_between(other[0].image, other[1].image), atol=1e-4)


def test_a_clip_of_another_size_can_follow() -> None:
    pairs = [*pair_up(frames(3)), *pair_up(frames(2, height=40, width=50))]
    assert [estimate.flow.shape for estimate in estimator(batch=4).estimate(pairs)] == [
        (128, 136, 2),
        (128, 136, 2),
        (40, 50, 2),
    ]


def test_the_second_frame_of_a_pair_is_the_first_of_the_next() -> None:
    taken = list(pair_up(frames(4)))
    assert all(before.second is after.first for before, after in pairwise(taken))


def test_backward_flow_is_the_forward_flow_of_the_exchanged_frames() -> None:
    pair = next(pair_up(iter(frames(2))))
    (both,) = estimator(direction="both").estimate([pair])
    (backward,) = estimator(direction="backward").estimate([pair])
    turned = estimator().flow_between(pair.second.image, pair.first.image)
    np.testing.assert_allclose(as_array(both.backward), turned, atol=1e-4)
    np.testing.assert_allclose(backward.flow, turned, atol=1e-4)
    assert backward.forward is None
    assert backward.start is pair.second
    np.testing.assert_allclose(both.flow, estimator().flow_between(pair.first.image, pair.second.image), atol=1e-4)


def test_both_directions_encode_each_frame_and_read_its_context_once() -> None:
    model = make()
    counts = encoded_images(model)
    contexts: list[int] = []
    model.context_encoder.register_forward_hook(lambda _, inputs, __: contexts.append(len(inputs[0])))
    list(estimator(model, direction="both").estimate(pair_up(frames(4))))
    assert sum(counts) == 4
    assert sum(contexts) == 4


def test_occlusion_is_that_of_the_forward_backward_check() -> None:
    (estimate,) = estimator(direction="both").estimate(pair_up(frames(2)))
    expected = find_occluded(estimate.forward[None], estimate.backward[None])[0]
    assert torch.equal(estimate.occluded, expected)
    (strict,) = estimator(direction="both", occlusion=Occlusion(0.0, 0.0)).estimate(pair_up(frames(2)))
    assert strict.occlusion.mean() > 0.99


def test_a_warm_pair_starts_from_refined_flow_if_flow_is_refined() -> None:
    warm = estimator(refinement=Refinement())
    memory = Memory()
    (estimate,) = warm.estimate(pair_up(frames(2)), memory=memory)
    assert torch.equal(memory.flows["forward"], warm.looks.full.coarse(estimate.forward[None]))


def test_a_warm_backward_pair_starts_from_the_last_flow_carried_against_itself() -> None:
    first, second = estimator(direction="backward").estimate(pair_up(frames(3)))
    turned = FramePair(first.pair.second, first.pair.first, continues=False)
    initial = carry_forward(coarse(turned), scale=-1)
    turned = FramePair(second.pair.second, second.pair.first, continues=False)
    torch.testing.assert_close(second.backward[None], upsample_bilinear(coarse(turned, initial)), rtol=0, atol=1e-4)


def test_a_sliding_pair_starts_from_the_last_flow_carried_by_a_fraction() -> None:
    first, second = estimator().estimate(pair_up(frames(4), Pairing(skip=2, sliding=True)))
    initial = carry_forward(coarse(first.pair), scale=0.5)
    torch.testing.assert_close(second.forward[None], upsample_bilinear(coarse(second.pair, initial)), rtol=0, atol=1e-4)


def test_a_pair_across_a_cut_and_the_one_after_it_start_cold() -> None:
    shots = [replace(frame, shot=int(frame.index > 2)) for frame in frames(6)]
    estimates = list(estimator().estimate(pair_up(shots)))
    assert [estimate.pair.cut for estimate in estimates] == [False, False, True, False, False]
    assert [estimate.warm for estimate in estimates] == [False, True, False, False, True]


@pytest.mark.parametrize("batch", [1, 4])
def test_no_flow_is_carried_across_a_cut_that_a_still_pair_follows(batch: int) -> None:
    shots = [replace(frame, shot=int(frame.index > 2)) for frame in frames(7)]
    shots[3:5] = [replace(frame, image=shots[2].image) for frame in shots[3:5]]
    computed = list(estimator(batch=batch, refinement=Refinement()).estimate(pair_up(shots)))
    assert [estimate.iterations > 0 for estimate in computed] == [True, True, False, False, True, True]
    assert [estimate.pair.cut for estimate in computed] == [False, False, True, False, False, False]
    assert not computed[4].warm
    alone = list(estimator(batch=batch, refinement=Refinement()).estimate(pair_up(shots[3:])))
    assert torch.equal(computed[4].forward, alone[1].forward)


def changes_of(pair: FramePair, count: int) -> list[float]:
    """The change in px that each of `count` updates exceeds in a twentieth of the cells."""
    first, second = ready(pair.first.image), ready(pair.second.image)
    with torch.no_grad():
        encoded = MODEL.begin(first, second)
        updates = MODEL.updates(encoded.correlation, encoded.context)
        return [8 * float(update.delta.norm(dim=1).quantile(0.95)) for update in islice(updates, count)]


def test_automatic_iterations_end_for_every_pair_when_it_has_converged() -> None:
    taken = list(pair_up(frames(5)))
    changes = [changes_of(pair, 6) for pair in taken]
    tolerance = float(np.median([min(change) for change in changes])) + 1e-3  # reached by half of the pairs
    counts = [next((n for n, size in enumerate(change, 1) if size < tolerance), 6) for change in changes]
    assert len(set(counts)) > 1
    expected = [
        MODEL.estimate(ready(pair.first.image), ready(pair.second.image), iterations=count).upsampled()
        for pair, count in zip(taken, counts, strict=True)
    ]
    for batch in (1, 4):
        estimates = list(estimator(batch=batch, iterations=6, tolerance=tolerance, warm_start=False).estimate(taken))
        assert [estimate.iterations for estimate in estimates] == counts
        for estimate, flow in zip(estimates, expected, strict=True):
            torch.testing.assert_close(estimate.forward[None], flow, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("resizing", [Resizing(scale=0.5), Resizing(max_side=64), Resizing(smallest=9000)])
def test_flow_of_resized_frames_has_the_size_of_the_frame(resizing: Resizing) -> None:
    for size in ((1, 1), (1, 300), (140, 7)):
        flow = estimator(resizing=resizing).flow_between(image(0, *size), image(1, *size))
        assert flow.shape == (*size, 2)
        assert bool(np.isfinite(flow).all())


def test_flow_of_reduced_frames_is_in_source_pixels() -> None:
    first, second = image(0, 256, 300), image(1, 256, 300)
    flow = estimator(resizing=Resizing(max_side=150)).flow_between(first, second)
    small = estimator().flow_between(resized(first, (128, 150)), resized(second, (128, 150)))
    expected = resize_flow(torch.from_numpy(small).permute(2, 0, 1)[None], height=256, width=300)[0]
    np.testing.assert_allclose(flow, as_array(expected), atol=1e-4)


def test_on_demand_correlation_gives_the_same_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = image(0, 256, 300), image(1, 256, 300)
    expected = estimator().flow_between(first, second)
    monkeypatch.setattr(FlowEstimator, "plan", lambda *_: Plan(batch=1, on_demand=True, bytes=0))
    np.testing.assert_allclose(estimator().flow_between(first, second), expected, atol=1e-3)
