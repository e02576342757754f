from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from flowcli.errors import UsageError
from flowcli.media.demo_clip import fan_flow
from flowcli.media.demo_clip.source import FanSource
from flowcli.media.frames import Frame, FramePair
from flowcli.media.pairs import pair_up
from flowcli.model import refinement, variational
from flowcli.model.estimator import estimator_for
from flowcli.model.parallel import threads_of
from flowcli.model.quality import Effort
from flowcli.model.refinement import STATED, Refinement
from flowcli.model.second_look import blended, enlargement
from flowcli.model.settings import Settings
from flowcli.system.opencv import cv2
from raft_core.raft import RAFT

CPU = torch.device("cpu")


def smooth(seed: int, *size: int, channels: int = 1) -> Tensor:
    """Noise that is smooth enough to be matched."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, channels, 2 + size[0] // 4, 2 + size[1] // 4, generator=random)
    return F.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 3), (5, 7), (63, 82), (64, 96)])
def test_on_tensors_refinement_equals_opencv(monkeypatch, size: tuple[int, int]) -> None:
    first = smooth(0, *size) * 255
    second = first.roll((1, -1), dims=(2, 3)) * 0.9 + smooth(1, *size) * 25
    flow = 4 * smooth(2, *size, channels=2) - 2
    method = Refinement(passes=(1, 2, 1))
    expected = method.apply(first, second, flow)
    monkeypatch.setattr(refinement, "by_opencv", variational.refine)
    monkeypatch.setattr(refinement, "median_by_opencv", variational.median)
    found = method.apply(first, second, flow)
    assert size == (1, 1) or not torch.allclose(found, flow, atol=1e-2)
    assert (found - expected).norm(dim=1).mean() < 1e-3


def test_on_the_demo_refinement_equals_opencv_and_halves_the_error(monkeypatch) -> None:
    frames = list(islice(FanSource().frames(), 2))
    height, width = frames[0].image.shape[:2]
    exact = torch.from_numpy(fan_flow(0, height=height, width=width).flow).permute(2, 0, 1)[None].float()
    first, second = (torch.from_numpy(cv2.cvtColor(each.image, cv2.COLOR_RGB2GRAY)).float() for each in frames)
    first, second, exact = (plane[..., :160, :200] for plane in (first[None, None], second[None, None], exact))
    flow = exact + 1.5 * (smooth(3, 160, 200, channels=2)[:1] - 0.5)
    expected = Refinement().apply(first, second, flow)
    monkeypatch.setattr(refinement, "by_opencv", variational.refine)
    monkeypatch.setattr(refinement, "median_by_opencv", variational.median)
    assert (Refinement().apply(first, second, flow) - expected).norm(dim=1).mean() < 0.02
    before, after = (float((each - exact).norm(dim=1).median()) for each in (flow, expected))
    assert after < before / 2


def test_smoothing_keeps_the_mean_and_slopes_and_spreads_a_point() -> None:
    slope = (3 * torch.arange(7.0) + 5 * torch.arange(6.0)[:, None])[None, None]
    torch.testing.assert_close(refinement.smoothed(slope)[..., 1:-1, 1:-1], slope[..., 1:-1, 1:-1])
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 64
    expected = torch.tensor([[1.0, 6, 1], [6, 36, 6], [1, 6, 1]])
    torch.testing.assert_close(refinement.smoothed(point)[0, 0, 1:4, 1:4], expected)
    torch.testing.assert_close(refinement.smoothed(torch.full((1, 1, 1, 1), 7.0)), torch.full((1, 1, 1, 1), 7.0))


def test_smoothed_frames_lower_the_error_in_noise(monkeypatch) -> None:
    wide = 255 * F.interpolate(smooth(6, 64, 82), scale_factor=4, mode="bicubic")[:1]
    # A quarter of the resolution, before and after a motion of 1/4 px to the left.
    first, second = (F.avg_pool2d(wide[..., at : at + 320], 4) for at in (0, 1))
    noise = 4 * torch.randn(2, *first.shape, generator=torch.Generator().manual_seed(0))
    exact = torch.tensor([-0.25, 0.0])[:, None, None]

    def error() -> float:
        flow = Refinement().apply(first + noise[0], second + noise[1], torch.zeros(1, 2, *first.shape[-2:]))
        return float((flow - exact).norm(dim=1).mean())

    found = error()
    monkeypatch.setattr(refinement, "smoothed", lambda plane: plane)
    assert found < 0.95 * error()


def test_a_lack_of_memory_in_opencv_is_a_lack_of_memory(monkeypatch) -> None:
    class Exhausted:
        def __getattr__(self, name: str) -> object:
            def call(*_: object) -> None:
                if name == "calcUV":
                    error = cv2.error("Insufficient memory")
                    error.code, error.err = cv2.Error.StsNoMem, "Insufficient memory"
                    raise error

            return call

    monkeypatch.setattr(cv2.VariationalRefinement, "create", Exhausted)
    frame = torch.zeros(1, 1, 8, 8)
    with pytest.raises(MemoryError, match="Insufficient memory"):
        Refinement().apply(frame, frame, torch.zeros(1, 2, 8, 8))


def image(seed: int) -> np.ndarray:
    return np.asarray(255 * smooth(seed, 144, 192, channels=3)[0].permute(1, 2, 0), np.uint8)


@pytest.fixture(scope="module")
def models() -> dict[str, RAFT]:
    """Two equal untrained models; the file of one says that its flow is refined."""
    found = {}
    for name in ("trained here", "published"):
        torch.manual_seed(0)
        found[name] = RAFT().eval()
    found["trained here"].metadata = dict(STATED)
    return found


def flow_of(model: RAFT, **effort: object) -> np.ndarray:
    options = {"iterations": "2", "scale": 1.0, "precision": "fp32", **effort}
    estimator = estimator_for(model, device="cpu", effort=Effort(**options))  # type: ignore[arg-type]
    return estimator.flow_between(image(4), image(5))


def test_flow_is_refined_if_the_weights_were_trained_here_or_on_request(models) -> None:
    here, published = models["trained here"], models["published"]
    plain = flow_of(here, refine="none")
    np.testing.assert_array_equal(flow_of(published), plain)
    refined = flow_of(here)
    assert np.linalg.norm(refined - plain, axis=2).mean() > 0.01
    np.testing.assert_array_equal(flow_of(published, refine="learned"), refined)
    assert not np.array_equal(flow_of(here, refine="variational"), refined)
    np.testing.assert_array_equal(flow_of(here, quality="exact"), plain)


def test_each_direction_is_refined(models) -> None:
    effort = Effort(iterations="2", scale=1.0, precision="fp32")
    settings = Settings(direction="both")
    both = estimator_for(models["trained here"], device="cpu", effort=effort, settings=settings)

    def frame(number: int) -> Frame:
        return Frame(number, Fraction(number), image(number))

    (estimate,) = both.estimate([FramePair(frame(4), frame(5), continues=False)])
    np.testing.assert_allclose(estimate.flow, flow_of(models["trained here"]), atol=1e-4)
    (reverse,) = both.estimate([FramePair(frame(5), frame(4), continues=False)])
    torch.testing.assert_close(estimate.backward, reverse.forward, atol=1e-4, rtol=0)


@pytest.mark.parametrize("quality", ["balanced", "best"])
def test_refined_flow_of_a_pair_does_not_depend_on_the_pairs_computed_with_it(models, quality: str) -> None:
    effort = Effort(quality=quality, iterations="2", scale=1.0, precision="fp32")
    frames = [Frame(number, Fraction(number), image(number)[:64, :80]) for number in range(3)]
    pairs = list(pair_up(frames))
    with threads_of(2):
        estimator = estimator_for(models["trained here"], device="cpu", effort=effort, settings=Settings(batch=None))
        assert estimator.plan(64, 80).at_once == 2
        together = list(estimator.estimate(pairs))
        alone = [next(estimator.estimate([pair])) for pair in reversed(pairs)]
    for one, other in zip(together, reversed(alone), strict=True):
        assert torch.equal(one.forward, other.forward)


@pytest.mark.parametrize("library", ["opencv", "torch"])
def test_refinement_of_a_batch_is_that_of_each_pair_to_the_bit(monkeypatch, library: str) -> None:
    if library == "torch":
        monkeypatch.setattr(refinement, "by_opencv", variational.refine)
        monkeypatch.setattr(refinement, "median_by_opencv", variational.median)
    first, second, flow = 255 * smooth(0, 47, 66), 255 * smooth(1, 47, 66), smooth(2, 47, 66, channels=2)
    together = Refinement().apply(first, second, flow)
    for number in range(2):
        one = slice(number, number + 1)
        assert torch.equal(together[one], Refinement().apply(first[one], second[one], flow[one]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": "good"}, "--quality good is not known"),
        ({"refine": "yes"}, "--refine yes is not known"),
        ({"scale": 0.0}, "--scale 0.0 is not between 0 and 8"),
        ({"scale": float("nan")}, "--scale nan is not between 0 and 8"),
        ({"tolerance": -1.0}, "--tolerance -1.0 is not a positive number of px"),
        ({"iterations": "many"}, "--iters many is not a number of at least 1"),
    ],
)
def test_an_invalid_effort_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Effort(**options).applied_to(Settings(), CPU, stated={})  # type: ignore[arg-type]
    assert str(refusal.value) == message


def test_options_prevail_over_the_quality() -> None:
    plain = Effort(quality="fast").applied_to(Settings(), CPU, stated=STATED)
    given = Effort(quality="fast", scale=0.75, iterations="7").applied_to(Settings(), CPU, stated=STATED)
    assert (plain.resizing.scale, plain.iterations) == (0.5, 24)
    assert (given.resizing.scale, given.iterations, given.tolerance) == (0.75, 7, None)
    assert given.refinement == plain.refinement


def test_exact_is_the_published_algorithm() -> None:
    settings = Effort(quality="exact").applied_to(Settings(), CPU, stated=STATED)
    assert (settings.iterations, settings.tolerance, settings.refinement) == (32, None, None)
    assert (settings.precision, settings.resizing.size(40, 60)) == (torch.float32, (40, 60))


def test_small_frames_are_enlarged_at_most_four_times() -> None:
    resizing = Effort().applied_to(Settings(), CPU, stated=STATED).resizing
    assert resizing.size(64, 64) == (256, 256)
    assert resizing.size(240, 320) == (288, 384)
    assert resizing.size(436, 1024) == (436, 1024)
    limited = Effort(max_side=96).applied_to(Settings(), CPU, stated=STATED).resizing
    assert limited.size(64, 64) == (96, 96)
    published = Effort().applied_to(Settings(), CPU, stated={}).resizing
    assert published.size(64, 64) == (64, 64)


def test_half_size_flow_is_refined_at_half_size_by_fast_and_at_the_frames_size_by_others() -> None:
    for effort, size in ((Effort("fast"), (218, 512)), (Effort(scale=0.5), (436, 1024)), (Effort(), (436, 1024))):
        assert effort.applied_to(Settings(), CPU, stated=STATED).refined_size(436, 1024) == size


def test_a_second_look_replaces_moderate_motion_only(models) -> None:
    slow, fast = torch.zeros(1, 2, 80, 200), torch.zeros(1, 2, 80, 200)
    fast[:, 0, :, 100:] = 50
    closer = slow + 1
    np.testing.assert_allclose(blended(slow, closer), closer)
    np.testing.assert_allclose(blended(slow, slow + 9), slow)
    mixed = blended(fast, fast + 1)
    assert torch.equal(mixed[..., 120:], fast[..., 120:])
    assert torch.equal(mixed[..., :60], fast[..., :60] + 1)
    assert (enlargement(436, 1024), enlargement(2160, 3840)) == (2.0, None)
    assert not np.allclose(flow_of(models["trained here"], quality="best"), flow_of(models["trained here"]), atol=1e-2)


@pytest.mark.parametrize(
    ("effort", "tolerance"),
    [
        (Effort(), 1.2),
        (Effort(refine="none"), 0.8),
        (Effort("best"), 0.8),
        (Effort("exact"), None),
        (Effort("exact", refine="learned"), None),
        (Effort(tolerance=0.3), 0.3),
    ],
)
def test_flow_that_is_refined_gets_fewer_updates(effort: Effort, tolerance: float | None) -> None:
    assert effort.applied_to(Settings(), CPU, stated=STATED).tolerance == tolerance


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_a_quality_says_how_flow_is_refined_and_each_name_can_be_chosen(quality: str) -> None:
    def refinement(refine: str) -> Refinement | None:
        return Effort(quality, refine=refine).applied_to(Settings(), CPU, stated=STATED).refinement

    learned, variational = refinement("learned"), refinement("variational")
    assert learned is not None and learned.learned
    assert variational is not None and not variational.learned
    assert refinement("auto") == learned
