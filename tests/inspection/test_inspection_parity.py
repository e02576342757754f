"""What inspect records, against torchvision's modules called one by one with the same weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flowcli.inspection.inputs import Subject
from flowcli.inspection.observation import observe
from flowcli.inspection.reading import Pixel, read
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from raft_core import checkpoint
from tests.peers import torchvision_raft

pytestmark = pytest.mark.peer

ITERATIONS = 6
PIXELS = [(100, 70), (0, 0), (247, 183), (130, 3)]


def pictures() -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (184, 256, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 2)
    return texture[:, 8:], texture[:, :-8]


def model_input(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("size", ["small", "large"])
@torch.no_grad()
def test_every_update_equals_torchvisions_modules_called_one_by_one(tmp_path: Path, size: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torchvision_raft(), f"raft_{size}")(weights=None).eval()
    theirs.update_block.flow_head.conv2.weight.data.mul_(3)
    torch.save(theirs.state_dict(), tmp_path / "raft.pth")
    estimator = FlowEstimator(
        checkpoint.load(tmp_path / "raft.pth"), device=torch.device("cpu"), settings=Settings(iterations=ITERATIONS)
    )
    first, second = pictures()
    observation = observe(estimator, Subject("noise", (), first, second))
    readings = [read(observation, Pixel(*at, "")) for at in PIXELS]

    features = theirs.feature_encoder(torch.cat([model_input(first), model_input(second)]))
    theirs.corr_block.build_pyramid(*features.chunk(2))
    hidden, context = theirs.context_encoder(model_input(first)).split(
        [theirs.update_block.hidden_state_size, observation.config.context_channels], dim=1
    )
    hidden, context = torch.tanh(hidden), torch.relu(context)
    rows, columns = features.shape[-2:]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    start = torch.stack((x, y))[None].float()
    centers, largest = start, 0.0
    for number, update in enumerate(observation.updates):
        looked_up = theirs.corr_block.index_pyramid(centroids_coords=centers)
        motion = theirs.update_block.motion_encoder(centers - start, looked_up)
        hidden = theirs.update_block.recurrent_block(hidden, torch.cat((context, motion), dim=1))
        delta = theirs.update_block.flow_head(hidden)
        for name, ours, expected in (
            ("centers", update.centers, centers),
            ("motion features", update.motion_features, motion),
            ("hidden state", update.hidden, hidden),
            ("delta", update.delta, delta),
        ):
            difference = np.abs(ours - expected[0].numpy()).max()
            largest = max(largest, difference)
            assert difference < 1e-4, f"{name} at update {number + 1}"
        for reading in readings:
            windows = np.concatenate([lookup.window.T.ravel() for lookup in reading.lookups[number]])
            difference = np.abs(windows - looked_up[0, :, reading.cell.row, reading.cell.column].numpy()).max()
            largest = max(largest, difference)
            assert difference < 1e-4, f"lookup at {reading.pixel}, update {number + 1}"
        centers = centers + delta
    print(f"\n{size}: {ITERATIONS} updates, largest difference {largest:.1e}")
