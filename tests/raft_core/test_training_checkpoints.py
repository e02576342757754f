"""Checkpoints as training scripts leave them: prefixes, entries, and what lies beside the weights."""

from __future__ import annotations

import os
from argparse import Namespace
from collections import OrderedDict, defaultdict
from datetime import datetime
from itertools import cycle, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel

from raft_core import checkpoint
from raft_core.config import LARGE
from raft_core.errors import CheckpointError
from raft_core.raft import RAFT
from tests.published_names import published_state


@pytest.fixture(scope="module")
def model() -> RAFT:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return RAFT().eval()


@pytest.fixture(scope="module")
def weights(model: RAFT) -> dict[str, torch.Tensor]:
    return published_state(model, "princeton")


def assert_loads(content: Any, model: RAFT, place: Path) -> checkpoint.Contents:
    path = place / "stored.pth"
    torch.save(content, path)
    contents = checkpoint.read(path)
    loaded = checkpoint.build(contents)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    return contents


def under(prefix: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


PREFIXES = [
    "".join(parts) for length in range(3) for parts in product(("module.", "_orig_mod.", "model."), repeat=length)
]


def test_prefixes_in_any_order_and_number_are_removed(tmp_path, model, weights):
    for prefix in (*PREFIXES, "net.", "network.raft.", "flow_net.module.", "generator.flow."):
        assert_loads(under(prefix, weights), model, tmp_path)


@pytest.mark.parametrize("origin", ["princeton", "torchvision", "flowcli"])
def test_the_names_of_every_origin_are_found_behind_prefixes(tmp_path, origin):
    large = RAFT(LARGE).eval()
    state = large.state_dict() if origin == "flowcli" else published_state(large, origin)
    contents = assert_loads({"state_dict": under("model._orig_mod.", state)}, large, tmp_path)
    assert (contents.origin, contents.wrapper) == (origin, "state_dict")
    save_file(
        under("module.module.", {name: tensor.clone() for name, tensor in state.items()}), tmp_path / "a.safetensors"
    )
    assert checkpoint.read(tmp_path / "a.safetensors").origin == origin


def test_wrapped_parts_of_a_model_are_unwrapped(tmp_path, model, weights):
    inner = {
        name.replace("fnet.", "fnet._orig_mod.").replace("gru.", "gru.module."): each for name, each in weights.items()
    }
    assert_loads(under("module.", inner), model, tmp_path)


ENTRIES = [
    "state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module",
    "ema", "ema_state_dict", "state_dict_ema", "model_ema", "params_ema",
    "model.state_dict", "checkpoint.model", "best", "trainer.models.raft",
]  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_weights_are_found_in_their_entry(tmp_path, model, weights, entry):
    content: dict[str, Any] = dict(weights)
    for name in reversed(entry.split(".")):
        content = {name: content, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}}
    contents = assert_loads(content, model, tmp_path)
    assert (contents.wrapper, contents.facts) == (entry, {"epoch": "3"})


def test_averaged_weights_are_preferred_only_where_there_are_any(tmp_path, model, weights):
    other = published_state(RAFT().eval(), "princeton")
    names = ("ema", "model_ema", "params_ema")
    for name in names:
        assert assert_loads({"model": other, name: weights}, model, tmp_path).wrapper == name
    empties = ({}, {"decay": torch.tensor(0.999)}, None, 0.999, {"updates": 7}, torch.tensor(1.0))
    for name, empty in zip(cycle(names), empties, strict=False):
        assert assert_loads({name: empty, "model": weights}, model, tmp_path).wrapper == "model"
    averaged = AveragedModel(model).state_dict()
    assert "n_averaged" in averaged
    assert_loads({"ema": averaged, "model": other}, model, tmp_path)


BESIDE = {
    "float64": np.float64(1.5),
    "float32": np.float32(0.5),
    "float16": np.float16(0.5),
    "int64": np.int64(-7),
    "uint8": np.uint8(255),
    "bool": np.bool_(1),
    "big end first": np.array([1.5], ">f8")[0],
}
INERT = {
    "array": np.arange(12.0).reshape(3, 4),
    "array of text": np.array(["a", "bc"]),
    "text": np.str_("abc"),
    "complex": np.complex64(1 + 2j),
    "type": np.dtype("f4"),
    "path": Path("/data/chairs"),
    "time": datetime(2024, 2, 3, 4, 5),
    "options": SimpleNamespace(lr=1e-4),
    "namespace": Namespace(lr=np.float64(1e-4), stage=["chairs"]),
    "history": defaultdict(list, {"epe": [1.0, np.float32(2)]}),
    "ordered": OrderedDict(a=1),
    "set": {1, 2},
    "device": torch.device("cpu"),
    "size": torch.Size([2, 3]),
}


@pytest.mark.parametrize("legacy", [False, True])
def test_values_beside_the_weights_are_read_as_plain_numbers_or_ignored(tmp_path, weights, legacy):
    path = tmp_path / "stored.pth"
    torch.save({"state_dict": weights, **BESIDE, **INERT}, path, _use_new_zipfile_serialization=not legacy)
    contents = checkpoint.read(path)
    facts = {name: str(value.item()) for name, value in BESIDE.items()}
    assert facts.items() <= contents.facts.items()
    assert contents.facts.keys() - facts.keys() <= {"text"}
    checkpoint.build(contents)


def test_numbers_among_the_weights_are_ignored(tmp_path, model, weights):
    assert_loads({**weights, "epoch": 3, "best": np.float32(1), "args": Namespace()}, model, tmp_path)


def test_parts_of_a_lightning_module_beside_its_model_are_left_out(tmp_path, model, weights):
    state = {**under("model.", weights), "criterion.weight": torch.zeros(3), "metric.total": torch.zeros(1)}
    content = {"state_dict": state, "epoch": 1, "callbacks": {"Best": {"score": torch.zeros(1), "dirpath": "x"}}}
    assert_loads(content, model, tmp_path)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.marker}'",)


def refusal(content: Any, place: Path) -> CheckpointError:
    torch.save(content, place / "stored.pth")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(place / "stored.pth")
    assert caught.value.hint
    return caught.value


def test_code_is_refused_wherever_it_hides(tmp_path, weights):
    evil = Evil(tmp_path / "EXECUTED")
    hiding = [{"ema": evil, "model": weights}, {"a": np.array([evil], object), "model": weights}]
    hiding += [
        {"model": weights, "options": Namespace(x=evil)},
        {"model": weights, "d": defaultdict(list, {"x": evil})},
    ]
    for content in hiding:
        assert "it holds Python objects" in str(refusal(content, tmp_path))
    assert not (tmp_path / "EXECUTED").exists()


def test_what_is_not_one_raft_is_refused_in_words(tmp_path, model, weights):
    path = tmp_path / "stored.pth"
    for prefix in ("", "module.", "model._orig_mod."):
        related = under(prefix, {**weights, "att.to_qk.weight": torch.zeros(1)})
        assert str(refusal({"state_dict": related}, tmp_path)) == f"{path} holds GMA, not RAFT"
        stereo = under(prefix, {"update_block.gru08.convz.weight": torch.zeros(1)})
        assert str(refusal(stereo, tmp_path)) == f"{path} holds RAFT-Stereo, not RAFT"
        assert "update_block.extra is unknown" in str(
            refusal(under(prefix, {**weights, "update_block.extra": torch.zeros(1)}), tmp_path)
        )
    two = {"student": weights, "teacher": dict(weights)}
    assert str(refusal(two, tmp_path)) == f"{path} holds several sets of weights: student, teacher"
    both = {**under("student.", weights), **under("teacher.", weights)}
    assert str(refusal(both, tmp_path)) == f"{path} holds several models: student., teacher."
    circle: dict[str, Any] = {"a": 1}
    circle["self"] = circle
    assert str(refusal(circle, tmp_path)) == f"{path} holds no set of named tensors"
    sparse = {"model": {**weights, "fnet.conv1.weight": weights["fnet.conv1.weight"].to_sparse()}}
    assert str(refusal(sparse, tmp_path)) == f"{path} holds no set of named tensors"
    assert isinstance(model, RAFT)
