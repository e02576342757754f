"""The number format of `--precision auto`."""

from __future__ import annotations

import pytest
import torch

from flowcli.model import device
from flowcli.model.device import choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
multiplies_bfloat16 = device.multiplies_bfloat16  # the real one, which a fixture replaces


@pytest.mark.parametrize(
    ("capabilities", "able"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"neon": True}, False),
    ],
)
def test_a_processor_multiplies_bfloat16_by_either_extension(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], able: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert multiplies_bfloat16() == able


def test_auto_precision_is_half_where_that_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("auto", CPU) == torch.float32
    assert choose_precision("auto", CUDA) == torch.float16
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda: True)
    assert choose_precision("auto", CPU) == torch.bfloat16
    assert choose_precision("fp32", CPU) == torch.float32
