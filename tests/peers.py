"""Other implementations to compare with; they are installed by hand."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import pytest
import torch

from raft_core.config import LARGE, SMALL
from raft_core.names import translate
from raft_core.raft import RAFT

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


def make_theirs(size: str) -> torch.nn.Module:
    """torchvision's RAFT of this size, with random weights."""
    name, _, convex = size.partition("-")
    model: torch.nn.Module = getattr(torchvision_raft(), f"raft_{name}")(weights=None).eval()
    if convex:
        add_mask_predictor(model)
    return model


def randomise(model: torch.nn.Module, gain: float) -> None:
    """Sets random BatchNorm statistics, and scales the flow head by `gain`."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    model.update_block.flow_head.conv2.weight.data.mul_(gain)
    model.update_block.flow_head.conv2.bias.data.mul_(gain)


def same_weights(patch: pytest.MonkeyPatch, size: str, *, gain: float = 1) -> tuple[RAFT, torch.nn.Module]:
    """Our RAFT and torchvision's with the same random weights, in float64, where rounding hides no difference."""
    raft = torchvision_raft().raft
    grid = raft.make_coords_grid
    patch.setattr(raft, "make_coords_grid", lambda *size: grid(*size).double())
    torch.manual_seed(0)
    theirs = make_theirs(size).double()
    randomise(theirs, gain)
    ours = RAFT({"large": LARGE, "small": SMALL}[size]).double().eval()
    ours.load_state_dict(translate(theirs.state_dict(), "torchvision"))
    return ours, theirs
