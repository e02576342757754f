from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from raft_core import convolution
from raft_core.convolution import FEWEST_CHANNELS, Convolution, convolve, direct_convolutions, tiles_pay

KERNELS = [(3, 3), (1, 5), (5, 1)]


@pytest.fixture(autouse=True)
def few_cells_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "FEWEST_CELLS", 1)


def layer(kernel: tuple[int, int], *, inputs: int = 70, outputs: int = 66) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    weight = torch.randn(outputs, inputs, *kernel) / (inputs * kernel[0] * kernel[1]) ** 0.5
    return weight, torch.randn(outputs)


def exact(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), padding=padding).float()


@pytest.mark.parametrize("kernel", KERNELS)
def test_filtered_tiles_equal_the_convolution(kernel: tuple[int, int]) -> None:
    weight, bias = layer(kernel)
    for batch, size in itertools.product((1, 3), ((16, 16), (17, 19), (3, 50), (1, 1))):
        x = torch.randn(batch, 70, *size)
        with torch.no_grad():
            assert tiles_pay(x, weight)
            torch.testing.assert_close(convolve(x, weight, bias), exact(x, weight, bias), rtol=0, atol=3e-5)
            torch.testing.assert_close(convolve(x, weight), exact(x, weight, None), rtol=0, atol=3e-5)


def test_few_tiles_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, bias = layer((3, 3))
    x = torch.randn(2, 70, 30, 21)
    expected = convolve(x, weight, bias)
    monkeypatch.setattr(convolution, "TILES_AT_ONCE", 1)
    torch.testing.assert_close(convolve(x, weight, bias), expected, rtol=0, atol=1e-6)


def test_channels_last_input_is_convolved_alike() -> None:
    weight, bias = layer((3, 3))
    x = torch.randn(2, 70, 12, 9)
    found = convolve(x.contiguous(memory_format=torch.channels_last), weight, bias)
    assert torch.equal(found, convolve(x, weight, bias))


def test_gradients_and_half_precision_are_left_to_the_direct_convolution() -> None:
    weight, _ = layer((3, 3))
    x = torch.randn(1, 70, 8, 8)
    assert tiles_pay(x, weight)
    assert not tiles_pay(x, weight.requires_grad_())
    assert not tiles_pay(x.bfloat16(), weight.detach().bfloat16())
    assert not tiles_pay(x, torch.randn(FEWEST_CHANNELS - 1, 70, 3, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not tiles_pay(x, weight.detach())


def test_a_small_grid_is_left_to_the_direct_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "FEWEST_CELLS", 100)
    weight, _ = layer((3, 3))
    assert tiles_pay(torch.randn(1, 70, 10, 10), weight)
    assert not tiles_pay(torch.randn(3, 70, 9, 11), weight)


def test_no_tiles_are_filtered_where_convolutions_are_to_be_direct() -> None:
    weight, bias = layer((3, 3))
    x = torch.randn(1, 70, 9, 10)
    with direct_convolutions():
        assert torch.equal(convolve(x, weight, bias), F.conv2d(x, weight, bias, padding=1))
    assert tiles_pay(x, weight)


def test_a_layer_is_the_convolution_with_its_weights() -> None:
    conv = Convolution(70, 66, 3)
    x = torch.randn(1, 70, 9, 10)
    assert list(conv.state_dict()) == ["weight", "bias"]
    with torch.no_grad():
        torch.testing.assert_close(conv(x), exact(x, conv.weight, conv.bias), rtol=0, atol=3e-5)
    assert torch.equal(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1))
