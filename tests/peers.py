"""Other implementations, as peers in tests; they are installed by hand and never needed otherwise."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import pytest
import torch

_kept: list[torch.library.Library] = []


@cache
def torchvision_raft() -> ModuleType:
    """torchvision's RAFT, or a skipped test.

    Beside a CPU build of torch, torchvision's wheel misses the operators of its compiled part; RAFT needs none of them.
    """
    if torch.version.cuda is None:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)  # the definitions go with it
    module: ModuleType = pytest.importorskip("torchvision.models.optical_flow")
    return module
