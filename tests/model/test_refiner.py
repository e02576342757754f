from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from flowcli.errors import WeightsError
from flowcli.model import refiner
from flowcli.model.quality import Effort
from flowcli.model.refinement import LEARNED, Refinement
from flowcli.model.refiner import Refiner, refiner_on
from flowcli.model.settings import Settings
from flowcli.pipeline.request import Request
from flowcli.pipeline.task import Task

CPU = torch.device("cpu")
WEIGHTS = Path(__file__).parents[2] / "weights"


def pattern(height: int, width: int, *, seed: int = 0) -> Tensor:
    """A smooth random picture in grey values from 0 to 255."""
    coarse = torch.rand(1, 1, 3 + height // 6, 3 + width // 6, generator=torch.Generator().manual_seed(seed))
    return 255 * F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)


def two_layers() -> tuple[Tensor, Tensor, Tensor]:
    """Frames in which a square moves by (4, 0) px over a background that moves by (-2, 1), and their flow."""
    background, square = pattern(140, 180), pattern(140, 180, seed=1)
    frames = []
    for number in (0, 1):
        frame = background[..., 20 - number : 116 - number, 20 + 2 * number : 148 + 2 * number].clone()
        left = 40 + 4 * number
        frame[..., 30:70, left : left + 50] = square[..., 30:70, 40:90]
        frames.append(frame)
    flow = torch.tensor([-2.0, 1])[:, None, None].expand(1, 2, 96, 128).clone()
    flow[..., 30:70, 40:90] = torch.tensor([4.0, 0])[:, None, None]
    return frames[0], frames[1], flow


def error(flow: Tensor, exact: Tensor) -> float:
    return float((flow - exact).norm(dim=1)[..., 8:-8, 8:-8].mean())


def test_the_refiner_on_sharpens_edges_more_than_the_variational_passes() -> None:
    first, second, exact = two_layers()
    # As flow that was upsampled from the 1/8 grid.
    flow = F.interpolate(F.avg_pool2d(exact, 8), scale_factor=8, mode="bilinear", align_corners=False)
    with torch.inference_mode():
        errors = [error(method.apply(first, second, flow), exact) for method in (Refinement(), LEARNED)]
    assert errors[1] < 0.9 * errors[0] < 0.9 * error(flow, exact)


def test_an_untrained_refiner_hardly_changes_flow() -> None:
    first, second, exact = two_layers()
    with torch.inference_mode():
        found = Refiner()(first, second, exact, before=exact)
    assert error(found, exact) < 0.2


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 4), (63, 82)])
def test_frames_of_every_size_are_refined(size: tuple[int, int]) -> None:
    first = pattern(*size)
    flow = torch.zeros(1, 2, *size)
    with torch.inference_mode():
        found = LEARNED.apply(first, first, flow)
    assert found.shape == flow.shape
    assert found.isfinite().all()
    assert found.abs().max() < 0.5


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    height, width = 300, 40
    first, second = pattern(height, width), pattern(height, width, seed=1)
    flow = 8 * torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(2))
    network = refiner_on(CPU)
    with torch.inference_mode():
        whole = network(first, second, flow, before=flow)
        monkeypatch.setattr(refiner, "PIXELS_AT_ONCE", 80 * width)
        banded = network(first, second, flow, before=flow)
    torch.testing.assert_close(banded, whole, rtol=0, atol=1e-4)


def test_flow_does_not_depend_on_the_other_pairs() -> None:
    firsts = torch.cat([pattern(48, 64, seed=seed) for seed in range(3)])
    seconds = firsts.roll(1, dims=3)
    flow = torch.rand(3, 2, 48, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = LEARNED.apply(firsts, seconds, flow)
        alone = [LEARNED.apply(firsts[n : n + 1], seconds[n : n + 1], flow[n : n + 1]) for n in range(3)]
    assert torch.equal(together, torch.cat(alone))


def test_combined_with_one_neighbour_each_cell_takes_its_flow() -> None:
    planes = torch.arange(2 * 4 * 3.0).view(1, 2, 4, 3)
    weights = torch.zeros(1, 9, 1, 4, 3)
    weights[:, 5] = 1  # the neighbour to the right
    expected = torch.cat((planes[..., 1:], planes[..., -1:]), dim=-1)
    torch.testing.assert_close(refiner.combined(planes, weights), expected)


def test_a_missing_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    refiner_on.cache_clear()
    monkeypatch.setattr(refiner, "embedded", list)
    with pytest.raises(WeightsError, match="refiner"):
        refiner_on(CPU)
    refiner_on.cache_clear()


def test_a_refiner_of_ones_own_is_used_and_other_files_are_refused(tmp_path: Path) -> None:
    own, other = tmp_path / "own.safetensors", tmp_path / "other.safetensors"
    torch.manual_seed(0)
    network = Refiner()
    refiner.save(network, own)
    other.write_bytes(b"nothing")
    found = Effort(refine=str(own)).applied_to(Settings(), CPU, stated={}).refinement
    assert found is not None and found.learned
    first, second, flow = two_layers()
    with torch.inference_mode():
        corrected = found.correct(first, second, flow, before=flow)
        torch.testing.assert_close(corrected, network(first, second, flow, before=flow))
    missing, raft = tmp_path / "missing.safetensors", WEIGHTS / "raft-small.safetensors"
    for path, words in (
        (other, "holds no weights of a refiner"),
        (raft, "holds no weights"),
        (missing, "does not exist"),
    ):
        with pytest.raises(WeightsError, match=words):
            Effort(refine=str(path)).applied_to(Settings(), CPU, stated={})


def test_a_refiner_that_was_trained_on_under_the_same_name_is_read_again(tmp_path: Path) -> None:
    path, first, second, flow = tmp_path / "own.safetensors", *two_layers()
    found = []
    for correction in (0.0, 1.0):
        network = Refiner()
        with torch.no_grad():
            assert network.leave.bias is not None
            network.leave.bias[8:16] = correction
        refiner.save(network, path)
        method = Effort(refine=str(path)).applied_to(Settings(), CPU, stated={}).refinement
        assert method is not None
        with torch.inference_mode():
            found.append(method.correct(first, second, flow, before=flow))
    assert not torch.equal(*found)


def test_a_run_with_a_refiner_that_changed_is_another_one(tmp_path: Path) -> None:
    path, image = tmp_path / "own.safetensors", tmp_path / "a.png"
    image.write_bytes(b"any")
    jobs = []
    for seed in range(2):
        torch.manual_seed(seed)
        refiner.save(Refiner(), path)
        jobs.append(Task.of(Request(inputs=(image, image), refine=str(path), save="png"), video=False).job)
    assert jobs[0] != jobs[1]
