from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import flowcli
import raft_core
from flowcli.api.estimator import RECENT
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
    result = flowcli.estimate(first, second, weights=model, iterations=2)
    flow = result.flow
    assert (flow.shape, flow.dtype, result.iterations) == ((130, 137, 2), np.float32, 2)
    assert result.backward is None and result.occlusion is None
    assert np.abs(flow).max() > 0.1
    assert np.array_equal(flow, expected(model, first, second))


@pytest.mark.parametrize("batch", [(), (1,), (2,), (2, 1)])
def test_tensors_give_a_tensor_of_as_many_flows(model: RAFT, batch: tuple[int, ...]) -> None:
    first = torch.from_numpy(images(2)).permute(0, 3, 1, 2)[: max(1, *batch, 0)].reshape(*batch, 3, 130, 137)
    second = first.flip(-1)
    flow = flowcli.estimate(first, second, weights=model, iterations=2).flow
    assert (flow.shape, flow.dtype) == ((*batch, 2, 130, 137), torch.float32)
    arrays = first.reshape(-1, 3, 130, 137).permute(0, 2, 3, 1).numpy()
    for one, image in zip(flow.reshape(-1, 2, 130, 137), arrays, strict=True):
        assert np.array_equal(one.permute(1, 2, 0).numpy(), expected(model, image, image[:, ::-1]))


@pytest.mark.parametrize("batch", [(), (2,)])
def test_both_directions_are_those_of_the_two_orders(model: RAFT, batch: tuple[int, ...]) -> None:
    first = images(2)[: max(1, *batch, 0)].reshape(*batch, 130, 137, 3)
    second = first[..., ::-1, :]
    options = {"weights": model, "iterations": 2}
    both = flowcli.estimate(first, second, direction="both", **options)
    forward = flowcli.estimate(first, second, **options)
    backward = flowcli.estimate(first, second, direction="backward", **options)
    turned = flowcli.estimate(second, first, **options)
    assert np.array_equal(both.flow, forward.flow)
    assert np.abs(both.backward - turned.flow).max() < 1e-3
    assert np.array_equal(backward.flow, backward.backward) and np.array_equal(backward.flow, turned.flow)
    assert (both.occlusion.shape, both.occlusion.dtype) == ((*batch, 130, 137), np.bool_)
    assert backward.occlusion is None


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_updates_start_from_the_initial_flow(model: RAFT, direction: str, batch: tuple[int, ...]) -> None:
    still = copy.deepcopy(model)
    for parameter in still.update_block.flow_head.conv2.parameters():
        parameter.data.zero_()
    first = np.broadcast_to(images(1)[0], (*batch, 130, 137, 3))
    start = np.broadcast_to(np.float32([8.0, -16.0]), (*batch, 130, 137, 2)).copy()
    for number in np.ndindex(batch):
        start[number] *= 1 + sum(number)
    options = {"weights": still, "iterations": 1, "direction": direction}
    flow = flowcli.estimate(first, first, initial_flow=start, **options).flow
    assert np.abs(flow - start).max() < 1e-3
    start[..., 5, 5, :] = np.nan
    assert np.isfinite(flowcli.estimate(first, first, initial_flow=start, **options).flow).all()


def test_an_estimator_encodes_an_image_once_for_consecutive_calls(model: RAFT, monkeypatch) -> None:
    encoded = []
    encode = RAFT.encode
    monkeypatch.setattr(RAFT, "encode", lambda self, batch: (encoded.append(len(batch)), encode(self, batch))[1])
    estimator = flowcli.Estimator(model, iterations=2)
    shots = images(4)
    buffer = np.empty_like(shots[0])
    flows = []
    for number in range(3):
        buffer[:] = shots[number + 1]
        flows.append(estimator.estimate(shots[number].copy(), buffer).flow)
    assert sum(encoded) == 4
    assert all(np.abs(flow - expected(model, *shots[n : n + 2])).max() < 1e-3 for n, flow in enumerate(flows))


def test_an_image_that_returns_is_not_encoded_again_and_others_are_forgotten(model: RAFT, monkeypatch) -> None:
    encoded = list[int]()
    encode = RAFT.encode
    monkeypatch.setattr(RAFT, "encode", lambda self, batch: (encoded.append(len(batch)), encode(self, batch))[1])
    estimator = flowcli.Estimator(model, iterations=1)
    first, *others = images(8)
    for other in others:
        estimator.estimate(first, other)
    assert sum(encoded) == 8
    assert len(estimator._memory.frames) == RECENT


def test_threads_share_an_estimator(model: RAFT) -> None:
    shots = images(5, 64, 72)
    flows = [expected(model, *shots[n : n + 2]) for n in range(4)]
    estimator = flowcli.Estimator(model, iterations=2, device="cpu")
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda n: estimator.estimate(*shots[n % 4 : n % 4 + 2]).flow, range(12))
        assert all(np.abs(flow - flows[n % 4]).max() < 1e-3 for n, flow in enumerate(results))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))])
def test_a_used_estimator_can_be_copied_and_sent_to_another_process(model: RAFT, copied) -> None:
    first, second = images(2, 64, 72)
    estimator = flowcli.Estimator(model, iterations=2, device="cpu")
    flow = estimator.estimate(first, second).flow
    assert np.array_equal(copied(estimator).estimate(first, second).flow, flow)


@pytest.mark.parametrize("dtype", [">f4", ">u2"])
def test_arrays_of_any_order_of_bytes_have_the_flow_of_their_values(model: RAFT, dtype: str) -> None:
    first, second = images(2, 64, 72)
    options = {"weights": model, "iterations": 2, "device": "cpu"}
    start = np.full((64, 72, 2), 3.0, ">f4")
    one, other = (
        (image / 255).astype(dtype) if "f" in dtype else image.astype(dtype) * 257 for image in (first, second)
    )
    flow = flowcli.estimate(one, other, initial_flow=start, **options).flow
    plain = flowcli.estimate(first, second, initial_flow=start.astype(np.float32), **options).flow
    assert np.array_equal(flow, plain)


def test_a_video_gives_an_estimate_for_every_pair(make_video, model: RAFT) -> None:
    path = make_video(frames=7)
    estimates = list(flowcli.video(path, skip=2, weights=model, iterations=1, direction="both"))
    assert [(e.pair.first.index, e.pair.second.index) for e in estimates] == [(0, 2), (2, 4), (4, 6)]
    assert estimates[1].pair.first.time * 25 == 2
    assert estimates[0].flow.shape == (48, 64, 2)
    assert estimates[0].occlusion is not None and estimates[0].occlusion.shape == (48, 64)
    (only,) = flowcli.video(str(path), start="#3", max_frames=2, weights=model, iterations=1)
    assert only.pair.first.image.shape == (48, 64, 3)
    assert (only.pair.first.index, only.pair.first.source_index, only.pair.first.source_time * 25) == (0, 3, 3)
    timed = flowcli.video(str(path), sample_fps=12.5, start=0.04, pad_last=True, weights=model, iterations=1)
    assert len(timed) == 3
    assert [(each.pair.first.source_index, each.repeated) for each in timed] == [(1, False), (3, False), (5, True)]


def test_a_video_that_cannot_be_used_is_refused_before_the_first_pair(tmp_path: Path, model: RAFT) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        flowcli.video(tmp_path / "nope.mp4", weights=model)
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(SourceError, match="is text"):
        flowcli.video(tmp_path / "text.mp4", weights=model)


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
