from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import flowcli
import raft_core
from flowcli.errors import SourceError, UsageError, WeightsError
from flowcli.model.device import choose_device
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from raft_core.raft import RAFT


@pytest.fixture(scope="module")
def model() -> RAFT:
    torch.manual_seed(0)
    model = RAFT()
    model.update_block.flow_head.conv2.weight.data.mul_(10)
    return model.eval()


def images(count: int = 2, height: int = 130, width: int = 137) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def expected(model: RAFT, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return FlowEstimator(model, device=choose_device("cpu"), settings=Settings(iterations=2)).flow_between(
        first, second
    )


@pytest.mark.parametrize("package", ["flowcli", "raft_core"])
def test_importing_loads_no_heavy_library(package: str) -> None:
    heavy = ("torch", "numpy", "cv2", "av")
    probe = f"import sys, {package}; dir({package}); print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_arrays_give_an_array(model: RAFT) -> None:
    first, second = images()
    flow = flowcli.estimate(first, second, weights=model, iterations=2)
    assert (flow.shape, flow.dtype) == ((130, 137, 2), np.float32)
    assert np.abs(flow).max() > 0.1
    assert np.array_equal(flow, expected(model, first, second))


@pytest.mark.parametrize("batch", [(), (1,), (2,), (2, 1)])
def test_tensors_give_a_tensor_of_as_many_flows(model: RAFT, batch: tuple[int, ...]) -> None:
    first = torch.from_numpy(images(2)).permute(0, 3, 1, 2)[: max(1, *batch, 0)].reshape(*batch, 3, 130, 137)
    second = first.flip(-1)
    flow = flowcli.estimate(first, second, weights=model, iterations=2)
    assert (flow.shape, flow.dtype) == ((*batch, 2, 130, 137), torch.float32)
    arrays = first.reshape(-1, 3, 130, 137).permute(0, 2, 3, 1).numpy()
    for one, image in zip(flow.reshape(-1, 2, 130, 137), arrays, strict=True):
        assert np.array_equal(one.permute(1, 2, 0).numpy(), expected(model, image, image[:, ::-1]))


@pytest.mark.parametrize(
    ("first", "second", "error", "message"),
    [
        (images()[0], images()[0].astype(np.float32), TypeError, "RGB from 0 to 255 in uint8, got float32"),
        (images()[0], images()[0][1:], ValueError, "differ in size"),
        (
            images()[0][..., 0],
            images()[0][..., 0],
            ValueError,
            r"a frame is \(height, width, 3\), got \(130, 137\)",
        ),
        (images()[0], torch.zeros(3, 9, 9, dtype=torch.uint8), TypeError, "got ndarray and Tensor"),
        (torch.zeros(9, 9, 3), torch.zeros(9, 9, 3), ValueError, r"is \(..., 3, height, width\), got \(9, 9, 3\)"),
        (torch.zeros(3, 9, 9), torch.zeros(3, 9, 9), TypeError, "uint8, got float32"),
    ],
)
def test_arguments_that_are_not_frames_are_refused(
    model: RAFT, first, second, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        flowcli.estimate(first, second, weights=model)


def test_a_video_gives_an_estimate_for_every_pair(make_video, model: RAFT) -> None:
    path = make_video(frames=7)
    estimates = list(flowcli.video(path, skip=2, weights=model, iterations=1, direction="both"))
    assert [(e.pair.first.index, e.pair.second.index) for e in estimates] == [(0, 2), (2, 4), (4, 6)]
    assert estimates[1].pair.first.time * 25 == 2
    assert estimates[0].flow.shape == (48, 64, 2)
    assert estimates[0].occlusion is not None and estimates[0].occlusion.shape == (48, 64)
    (only,) = flowcli.video(str(path), start="#3", max_frames=2, weights=model, iterations=1)
    assert only.pair.first.image.shape == (48, 64, 3)


def test_a_video_that_cannot_be_used_is_refused_before_the_first_pair(tmp_path: Path, model: RAFT) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        flowcli.video(tmp_path / "nope.mp4", weights=model)
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(SourceError, match="is text"):
        flowcli.video(tmp_path / "text.mp4", weights=model)
    with pytest.raises(ValueError, match="at least 1"):
        flowcli.video(tmp_path / "text.mp4", weights=model, skip=0)


def test_a_video_closed_early_leaves_no_thread(make_video, model: RAFT, no_thread_stays) -> None:
    flows = flowcli.video(make_video(), weights=model, iterations=1)
    next(flows)
    flows.close()


def test_models_load_by_name_and_by_path(weights: Path) -> None:
    assert flowcli.load().config.name == "raft-small-convex"
    for loaded in (flowcli.load(weights), raft_core.load(weights), raft_core.load(str(weights))):
        assert not loaded.training
    with pytest.raises(WeightsError):
        flowcli.load("nope")


@pytest.mark.parametrize("package", [flowcli, raft_core])
def test_an_unknown_name_is_an_attribute_error(package) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = package.nonsense
    assert "load" in dir(package)
