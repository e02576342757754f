"""Other implementations to compare with; they are installed by hand."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import pytest
import torch

_kept: list[torch.library.Library] = []


@cache
def torchvision_raft() -> ModuleType:
    """torchvision's RAFT; skips the test where it is not installed.

    With a CPU build of torch, torchvision's wheel fails to load its compiled operators; RAFT needs none of them.
    """
    if torch.version.cuda is None and not _kept:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)  # the definitions last as long as the library
    module: ModuleType = pytest.importorskip("torchvision.models.optical_flow")
    return module


def add_mask_predictor(model: torch.nn.Module) -> None:
    """Gives torchvision's small RAFT a mask predictor, as its constructor takes one."""
    predictor = torchvision_raft().raft.MaskPredictor
    model.mask_predictor = predictor(in_channels=96, hidden_size=128).eval()
