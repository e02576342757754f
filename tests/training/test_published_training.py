"""Training on datasets takes the steps of princeton-vl/RAFT's train.py, with torchvision's model in its place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from flowcli.training import learning
from flowcli.training.augmentation.generated import AugmentedBatch
from flowcli.training.loop import train_steps
from flowcli.training.recipes import Recipe, Stage
from flowcli.training.state import TrainingState
from tests.peers import same_weights
from tests.published_names import published_name

pytestmark = pytest.mark.peer

STEPS = 4
DECAY = 1.0
"""So large that four steps show it."""


def batches() -> list[AugmentedBatch]:
    generator = torch.Generator().manual_seed(5)
    drawn = []
    for _ in range(STEPS):
        images = torch.randint(256, (2, 2, 3, 128, 128), dtype=torch.uint8, generator=generator)
        flow = 8 * torch.randn(2, 2, 128, 128, generator=generator)
        flow[:, :, :9], flow[0, :, 20] = torch.nan, 450  # unknown, and too fast to count
        everywhere = torch.ones(2, 128, 128, dtype=torch.bool)
        drawn.append(AugmentedBatch(images[0], images[1], flow.double(), everywhere, everywhere))
    return drawn


def published_steps(model: torch.nn.Module, *, freeze: bool) -> list[float]:
    """The losses of the published training."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-4, weight_decay=DECAY, eps=1e-8)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-4, STEPS + 100, pct_start=0.05, cycle_momentum=False, anneal_strategy="linear"
    )
    model.train()
    for module in model.modules():
        if freeze and isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    losses = []
    for batch in batches():
        optimiser.zero_grad()
        flows = model(*(2 * (image.double() / 255) - 1 for image in (batch.first, batch.second)), num_flow_updates=3)
        target = batch.flow.nan_to_num(0)
        valid = batch.flow.isfinite().all(dim=1) & (target.square().sum(dim=1).sqrt() < 400)
        weighted: list[Tensor] = [
            0.8 ** (2 - number) * (valid[:, None] * (flow - target).abs()).mean() for number, flow in enumerate(flows)
        ]
        loss = torch.stack(weighted).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("size", "freeze"), [("small", True), ("large", False)])
def test_training_takes_the_published_steps(monkeypatch: pytest.MonkeyPatch, size: str, freeze: bool) -> None:
    ours, theirs = same_weights(monkeypatch, size)
    monkeypatch.setattr(learning, "to_model_range", lambda images: images.double() * (2 / 255) - 1)
    stage = Stage("x", STEPS, 2, (128, 128), 3, (0, 0), weight_decay=DECAY, peak=4e-4, freeze_norm=freeze)
    state = TrainingState.begin(ours, device=torch.device("cpu"))
    drawn = batches()
    steps = train_steps(
        state,
        Recipe((stage,), ema_decay=0.0),
        lambda number, _: drawn[number],
        learning.learning_of(ours, device=torch.device("cpu"), precision=torch.float32),
        device=torch.device("cpu"),
    )
    losses = [step.loss for step in steps]
    assert losses == pytest.approx(published_steps(theirs, freeze=freeze), rel=1e-6)
    published = theirs.state_dict()
    for name, weight in ours.state_dict().items():
        expected = published[published_name(name, "torchvision", ours.config)]
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6, msg=name)
    assert all(torch.equal(*pair) for pair in zip(state.average.parameters(), ours.parameters(), strict=True))
