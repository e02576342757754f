from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from flowcli.flow.estimate import as_array
from flowcli.media.frames import Frame, FramePair
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import Estimate, FlowEstimator, in_batches
from flowcli.model.memory_plan import Plan
from flowcli.model.resize import Reduction, shrunk
from flowcli.model.settings import Occlusion, Settings
from raft_core.config import LARGE, SMALL, RaftConfig
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


def picture(seed: int, height: int = 128, width: int = 136) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frames(count: int, *, lost: Iterable[int] = (), height: int = 128, width: int = 136) -> list[Frame]:
    return [Frame(i, Fraction(i, 25), picture(i, height, width)) for i in range(count) if i not in lost]


def estimator(model: RAFT = MODEL, **settings: object) -> FlowEstimator:
    return FlowEstimator(model, device=CPU, settings=Settings(**{"iterations": 2, "warm_start": True, **settings}))  # type: ignore[arg-type]


def ready(image: NDArray[np.uint8]) -> Tensor:
    pixels = to_model_range(torch.from_numpy(image).permute(2, 0, 1)[None])
    return Padding.for_size(*image.shape[:2]).pad(pixels)


def coarse(pair: FramePair, initial: Tensor | None = None) -> Tensor:
    return MODEL.estimate(ready(pair.first.image), ready(pair.second.image), iterations=2, initial_flow=initial).flow


def encoded_images(model: RAFT) -> list[int]:
    """How many images each call of the feature encoder gets."""
    counts: list[int] = []
    model.feature_encoder.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    return counts


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("skip", "sliding", "pairs"),
    [(1, False, 6), (2, False, 3), (3, False, 2), (1, True, 6), (2, True, 5), (3, True, 4)],
)
def test_each_frame_is_encoded_once_for_all_its_pairs(skip: int, sliding: bool, pairs: int, batch: int) -> None:
    model = make()
    counts = encoded_images(model)
    taken = list(pair_up(frames(7), skip=skip, sliding=sliding))
    assert len(list(estimator(model, batch=batch).estimate(taken))) == pairs
    assert sum(counts) == len({frame.index for pair in taken for frame in (pair.first, pair.second)})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("skip", "sliding"), [(1, False), (2, True)])
def test_features_of_skip_and_one_frames_are_remembered_and_no_more(skip: int, sliding: bool, reverse: bool) -> None:
    model = make()
    features: list[weakref.ref[Tensor]] = []
    model.feature_encoder.register_forward_hook(lambda _, __, output: features.append(weakref.ref(output)))
    pairs = list(pair_up(frames(7), skip=skip, sliding=sliding))
    if reverse:
        pairs = [FramePair(pair.second, pair.first, continues=False) for pair in reversed(pairs)]
    for _ in estimator(model).estimate(pairs):
        assert sum(feature() is not None for feature in features) <= skip + 1


def test_skipped_and_sliding_pairs_get_their_own_flow() -> None:
    taken = list(pair_up(frames(5), skip=2, sliding=True))
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
    estimates = list(estimator(warm_start=False).estimate(pair_up(frames(3))))
    assert [estimate.warm for estimate in estimates] == [False, False]
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


def test_a_gap_ends_a_batch() -> None:
    pairs = list(pair_up(frames(9, lost=[4])))
    sizes = [[pair.first.index for pair in batch] for batch in in_batches(pairs, size=lambda _: 4)]
    assert sizes == [[0, 1, 2], [5, 6, 7]]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (37, 201), (129, 131), (128, 128)])
@pytest.mark.parametrize("config", [SMALL, LARGE], ids=lambda config: config.name)
def test_flow_has_the_size_of_the_frame_and_is_finite(size: tuple[int, int], config: RaftConfig) -> None:
    flow = estimator(make(config)).flow_between(picture(0, *size), picture(1, *size))
    assert flow.shape == (*size, 2)
    assert flow.dtype == np.float32
    assert bool(np.isfinite(flow).all())


def test_flow_between_equals_the_model_on_padded_images() -> None:
    first, second = picture(0, 131, 150), picture(1, 131, 150)
    expected = MODEL.estimate(ready(first), ready(second), iterations=2).upsampled()
    assert expected.shape[-2:] == (136, 152)
    expected = expected[0, :, 2:-3, 1:-1].permute(1, 2, 0)
    np.testing.assert_allclose(estimator().flow_between(first, second), expected, atol=1e-4)


def test_a_mirrored_or_locked_picture_is_taken_as_it_is() -> None:
    first, second = picture(0), picture(1)
    expected = estimator().flow_between(first[:, ::-1].copy(), second)
    locked = second.copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(estimator().flow_between(first[:, ::-1], locked), expected)


@pytest.mark.parametrize("config", [SMALL, LARGE], ids=lambda config: config.name)
def test_half_precision_gives_flow_in_single(config: RaftConfig) -> None:
    model = make(config)
    expected = estimator(model).flow_between(picture(0), picture(1))
    flow = estimator(model, precision=torch.bfloat16).flow_between(picture(0), picture(1))
    assert flow.dtype == np.float32
    assert 0 < np.abs(flow - expected).mean() < 0.1 * np.abs(expected).mean()


def test_the_consumer_of_estimates_keeps_its_own_modes() -> None:
    """Between two estimates nothing of inference mode or autocast may reach the code that asked for them."""
    weights = torch.nn.Linear(2, 2)
    for _ in estimator(batch=2, precision=torch.bfloat16).estimate(pair_up(frames(4))):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()
        result = weights(torch.ones(1, 2))
        assert result.dtype == torch.float32
        assert result.requires_grad


def test_estimates_come_as_soon_as_they_are_made() -> None:
    drawn: list[int] = []

    def watched() -> Iterable[FramePair]:
        for pair in pair_up(frames(6)):
            drawn.append(pair.first.index)
            yield pair

    estimates = estimator().estimate(watched())
    assert isinstance(next(iter(estimates)), Estimate)
    assert drawn == [0], "a pair waits for the one after it"


def test_no_pairs_give_no_estimates() -> None:
    assert list(estimator().estimate([])) == []
    assert list(estimator().estimate(pair_up(frames(1)))) == []


def test_pairs_of_several_clips_can_follow_each_other() -> None:
    """Each clip numbers its frames from 0; features of the clip before must not be taken for theirs."""
    one = frames(3)
    other = [Frame(frame.index, frame.time, picture(100 + frame.index)) for frame in frames(3)]
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


def test_backward_flow_is_the_forward_flow_of_the_pair_turned_round() -> None:
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


def test_occlusion_is_what_does_not_come_back() -> None:
    (estimate,) = estimator(direction="both").estimate(pair_up(frames(2)))
    expected = find_occluded(estimate.forward[None], estimate.backward[None])[0]
    assert torch.equal(estimate.occluded, expected)
    (strict,) = estimator(direction="both", occlusion=Occlusion(0.0, 0.0)).estimate(pair_up(frames(2)))
    assert strict.occlusion.mean() > 0.99


def test_a_warm_backward_pair_starts_from_the_last_flow_carried_against_itself() -> None:
    first, second = estimator(direction="backward").estimate(pair_up(frames(3)))
    turned = FramePair(first.pair.second, first.pair.first, continues=False)
    initial = carry_forward(coarse(turned), scale=-1)
    turned = FramePair(second.pair.second, second.pair.first, continues=False)
    torch.testing.assert_close(second.backward[None], upsample_bilinear(coarse(turned, initial)), rtol=0, atol=1e-4)


def test_a_sliding_pair_starts_from_the_last_flow_carried_by_its_share() -> None:
    first, second = estimator().estimate(pair_up(frames(4), skip=2, sliding=True))
    initial = carry_forward(coarse(first.pair), scale=0.5)
    torch.testing.assert_close(second.forward[None], upsample_bilinear(coarse(second.pair, initial)), rtol=0, atol=1e-4)


def test_a_pair_across_a_cut_and_the_one_after_it_start_cold() -> None:
    shots = [replace(frame, shot=int(frame.index > 2)) for frame in frames(6)]
    estimates = list(estimator().estimate(pair_up(shots)))
    assert [estimate.pair.cut for estimate in estimates] == [False, False, True, False, False]
    assert [estimate.warm for estimate in estimates] == [False, True, False, False, True]


def updates(pair: FramePair, count: int) -> list[float]:
    """The root mean square update of each of `count` steps, in pixels."""
    first, second = ready(pair.first.image), ready(pair.second.image)
    with torch.no_grad():
        steps = MODEL.updates(
            MODEL.correlate(*MODEL.encode(torch.cat((first, second))).chunk(2)), MODEL.read_context(first)
        )
        return [8 * float(step.delta.norm(dim=1).square().mean().sqrt()) for step in islice(steps, count)]


@pytest.mark.parametrize("batch", [1, 4])
def test_automatic_iterations_end_for_every_pair_when_it_has_settled(batch: int) -> None:
    taken = list(pair_up(frames(5)))
    changes = [updates(pair, 6) for pair in taken]
    tolerance = float(np.median([min(change) for change in changes])) + 1e-3  # reached by half of the pairs
    steps = [next((n for n, size in enumerate(change, 1) if size < tolerance), 6) for change in changes]
    assert len(set(steps)) > 1
    estimates = list(estimator(batch=batch, iterations=6, tolerance=tolerance, warm_start=False).estimate(taken))
    assert [estimate.iterations for estimate in estimates] == steps
    for estimate in estimates:
        first, second = (ready(frame.image) for frame in (estimate.pair.first, estimate.pair.second))
        expected = MODEL.estimate(first, second, iterations=estimate.iterations).upsampled()
        torch.testing.assert_close(estimate.forward[None], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (140, 7)])
@pytest.mark.parametrize("reduction", [Reduction(scale=0.5), Reduction(max_side=64)])
def test_flow_computed_smaller_has_the_size_of_the_frame(size: tuple[int, int], reduction: Reduction) -> None:
    flow = estimator(reduction=reduction).flow_between(picture(0, *size), picture(1, *size))
    assert flow.shape == (*size, 2)
    assert bool(np.isfinite(flow).all())


def test_flow_computed_smaller_is_in_source_pixels() -> None:
    first, second = picture(0, 256, 300), picture(1, 256, 300)
    flow = estimator(reduction=Reduction(max_side=150)).flow_between(first, second)
    small = estimator().flow_between(shrunk(first, (128, 150)), shrunk(second, (128, 150)))
    expected = resize_flow(torch.from_numpy(small).permute(2, 0, 1)[None], height=256, width=300)[0]
    np.testing.assert_allclose(flow, as_array(expected), atol=1e-4)


def test_flow_from_correlations_on_demand_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = picture(0, 256, 300), picture(1, 256, 300)
    expected = estimator().flow_between(first, second)
    monkeypatch.setattr(FlowEstimator, "plan", lambda *_: Plan(batch=1, on_demand=True, bytes=0))
    np.testing.assert_allclose(estimator().flow_between(first, second), expected, atol=1e-3)
