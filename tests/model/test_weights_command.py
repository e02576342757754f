"""flowcli weights: list, show, verify, convert, export."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch

from flowcli.model.weights import onnx
from flowcli.model.weights.published import PUBLISHED
from raft_core import checkpoint
from raft_core.config import CONFIGS, LARGE
from raft_core.raft import RAFT
from tests.published_names import published_state

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.safetensors"
    checkpoint.save(RAFT(LARGE), path, metadata={"step": "9"})
    return path


def test_list_shows_weights_on_this_machine_and_to_be_fetched(flowcli, monkeypatch, weights: Path) -> None:
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(weights.parent))
    ended = flowcli("weights", "list")
    assert ended.code == 0
    assert max(map(len, ended.out)) <= 80
    rows = {line.split()[0]: line.split() for line in ended.out[1:]}
    assert {"random", "raft-small", *PUBLISHED} <= set(rows)
    assert rows["raft-small"][1] == "embedded"
    assert rows["raft_large_C_T_V2"][1:6] == ["to", "fetch", "21.1", "MB", "1bb1363a"]
    assert ended.err[0] == f"fetched weights go to {weights.parent}"
    record = json.loads("\n".join(flowcli("weights", "list", "--json").out))
    (mine,) = [entry for entry in record["weights"] if entry["name"] == "random"]
    assert mine["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert all(entry["licence"] for entry in record["weights"])


def test_show_gives_the_origin_and_the_size_of_a_file(flowcli, large: Path) -> None:
    torch.save(
        {"model": published_state(checkpoint.load(large), "torchvision"), "args": Namespace(lr=1), "epoch": 3}, "tv.pth"
    )
    facts = dict(line.split("  ", 1) for line in flowcli("weights", "show", "tv.pth").out)
    facts = {name: value.strip() for name, value in facts.items()}
    assert (facts["names"], facts["size"], facts["parameters"]) == ("torchvision", "raft-large", "5,257,536")
    assert (facts["taken from"], facts["epoch"], facts["precision"]) == ("model", "3", "float32")
    assert facts["sha256"] == hashlib.sha256(Path("tv.pth").read_bytes()).hexdigest()


def test_show_gives_the_facts_that_training_stored_beside_its_best_weights(flowcli, weights: Path) -> None:
    Path("best.safetensors").write_bytes(weights.read_bytes())
    Path("best.json").write_text(json.dumps({"step": 115, "epe": {"chairs": 4.5, "mean": 3.25}}))
    shown = flowcli("weights", "show", "best.safetensors").out
    assert "step        115" in shown
    assert "validation  EPE in px: chairs 4.50, mean 3.25" in shown
    Path("best.json").write_text('["mine"]')
    assert flowcli("weights", "show", "best.safetensors").code == 0


def test_show_refuses_another_network_in_a_sentence(flowcli) -> None:
    torch.save({**published_state(RAFT(), "princeton"), "att.to_qk.weight": torch.zeros(1)}, "gma.pth")
    ended = flowcli("weights", "show", "gma.pth")
    assert (ended.code, ended.err[0]) == (5, "error: gma.pth holds GMA, not RAFT")


def test_verify_finds_a_wrong_checksum_and_a_broken_file(flowcli, weights: Path) -> None:
    right = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    for name in (f"good-{right}", "bad-00000000"):
        Path(f"{name}.safetensors").write_bytes(weights.read_bytes())
    Path("cut.safetensors").write_bytes(weights.read_bytes()[:1000])
    ended = flowcli(
        "weights", "verify", f"good-{right}.safetensors", "bad-00000000.safetensors", "cut.safetensors", "--json"
    )
    assert ended.code == 5
    record = json.loads("\n".join(ended.out))
    assert [item["checksum"] for item in record["weights"]] == ["right", "WRONG", "none stated"]
    assert [item["tensors"] for item in record["weights"]][:2] == ["raft-small", "raft-small"]
    assert record["failed"] == ["bad-00000000.safetensors", "cut.safetensors"]
    assert ended.err[0] == "error: damaged or unfit: bad-00000000.safetensors, cut.safetensors"


def test_the_embedded_weights_have_the_checksum_of_their_card(flowcli) -> None:
    ended = flowcli("weights", "verify", "raft-small")
    assert (ended.code, ended.out[1].split()) == (0, ["raft-small", "right", "raft-small"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("names", ["princeton", "torchvision"])
def test_weights_convert_there_and_back_without_loss(flowcli, tmp_path: Path, config, names: str) -> None:
    checkpoint.save(RAFT(config), tmp_path / "ours.safetensors", metadata={"step": "9"})
    there = flowcli("weights", "convert", "ours.safetensors", "theirs.pth", "--to", names)
    assert there.err == [f"{config.name} under {names} names in fp32, without loss"]
    back = flowcli("weights", "convert", "theirs.pth", "back.safetensors")
    assert (back.code, back.out) == (0, ["back.safetensors"])
    before, after = (checkpoint.read(path).tensors for path in ("ours.safetensors", "back.safetensors"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_rounding_to_float16_is_reported_and_facts_are_kept(flowcli, large: Path) -> None:
    ended = flowcli("weights", "convert", large, "half.safetensors", "--precision", "fp16")
    assert ended.err == ["raft-large under flowcli names in fp16, rounded from fp32"]
    contents = checkpoint.read("half.safetensors")
    assert (contents.precision, contents.facts) == (torch.float16, {"config": "raft-large", "step": "9"})
    again = flowcli("weights", "convert", "half.safetensors", "again.pth", "--to", "torchvision")
    assert again.err == ["raft-large under torchvision names in fp16, without loss"]


def test_weights_of_several_precisions_are_not_rounded_to_the_narrowest(flowcli, large: Path) -> None:
    state = checkpoint.read(large).tensors
    first = next(iter(state))
    torch.save(state | {first: state[first].half()}, "mixed.pth")
    torch.save(
        {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
        "double.pth",
    )
    for name, summary in {"mixed": "fp32, without loss", "double": "fp32, rounded from fp64"}.items():
        ended = flowcli("weights", "convert", f"{name}.pth", f"{name}.safetensors")
        assert ended.err == [f"raft-large under flowcli names in {summary}"]
        tensors = checkpoint.read(f"{name}.safetensors").tensors
        assert all(torch.equal(tensors[each], state[each]) for each in state if each != first)


def test_weights_beyond_the_range_of_float16_are_not_converted_to_it(flowcli) -> None:
    model = RAFT(LARGE)
    model.context_encoder.stem.norm.running_var[3] = 1e5
    checkpoint.save(model, "large.safetensors")
    ended = flowcli("weights", "convert", "large.safetensors", "half.safetensors", "--precision", "fp16")
    error = "context_encoder.stem.norm.running_var in large.safetensors has values beyond the range of fp16"
    assert (ended.code, ended.err) == (5, [f"error: {error}", "hint: use --precision fp32"])
    assert not Path("half.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ("{w} x.bin", "x.bin does not end with .safetensors or .pth or .pt", "name the file to write"),
        ("{w} taken.pth", "taken.pth exists already", "-y overwrites it; or write somewhere else"),
        ("{w} {w} -y", "{w} is the input itself", "write somewhere else"),
        ("{w} x.pth --to tensorflow", "--to tensorflow is not known", "use flowcli, princeton, torchvision"),
        ("{w} x.pth --precision bf16", "--precision bf16 is not supported for weights", "use auto, fp32, fp16"),
    ],
)
def test_convert_refuses_unusable_options(flowcli, weights: Path, arguments: str, error: str, hint: str) -> None:
    Path("taken.pth").write_text("mine")
    ended = flowcli("weights", "convert", *arguments.format(w=weights).split())
    assert (ended.code, ended.err) == (2, [f"error: {error.format(w=weights)}", f"hint: {hint}"])
    assert Path("taken.pth").read_text() == "mine"


# export


@pytest.mark.slow
def test_a_model_exported_for_any_size_computes_the_flow_of_every_size_and_number_of_pairs(flowcli, weights) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    ended = flowcli("weights", "export", weights, "raft.onnx", "--size", "any", "--iters", 1)
    assert (ended.code, ended.out) == (0, ["raft.onnx"])
    session = onnxruntime.InferenceSession("raft.onnx")
    model = checkpoint.load(weights)
    for batch, height, width in ((1, 128, 160), (1, 136, 144), (3, 131, 17), (2, 9, 250)):
        frames = [255 * torch.rand(batch, 3, height, width) for _ in range(2)]
        ours = onnx.FrameToFlow(model, size=(height, width), iterations=1)(*frames).numpy()
        (theirs,) = session.run(
            ["flow"], dict(zip(("first", "second"), (each.numpy() for each in frames), strict=True))
        )
        assert theirs.shape == (batch, 2, height, width)
        assert np.abs(theirs - ours).max() < 1e-3


@pytest.mark.slow
def test_an_exported_model_computes_the_same_flow_as_flowcli(flowcli, weights: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    ended = flowcli("weights", "export", weights, "raft.onnx", "--size", "133x129", "--iters", 2)
    assert (ended.code, ended.out) == (0, ["raft.onnx"])
    from flowcli.model.device import choose_device
    from flowcli.model.estimator import FlowEstimator
    from flowcli.model.settings import Settings

    first, second = np.random.default_rng(0).integers(0, 256, (2, 129, 133, 3), np.uint8)
    estimator = FlowEstimator(checkpoint.load(weights), device=choose_device("cpu"), settings=Settings(iterations=2))
    ours = estimator.flow_between(first, second)
    session = onnxruntime.InferenceSession("raft.onnx")
    frames = {
        name: image.transpose(2, 0, 1)[None].astype(np.float32)
        for name, image in zip(("first", "second"), (first, second), strict=True)
    }
    (theirs,) = session.run(["flow"], frames)
    assert np.abs(ours).max() > 0.01
    assert np.abs(theirs[0].transpose(1, 2, 0) - ours).max() < 1e-3


def test_an_exported_model_with_different_flow_is_not_written(flowcli, weights: Path, monkeypatch) -> None:
    monkeypatch.setattr(onnx, "traced", lambda *_, **__: b"")
    monkeypatch.setattr(onnx, "run_onnx", lambda *_: np.zeros((1, 2, 128, 128), np.float32) + 9)
    ended = flowcli("weights", "export", weights, "raft.onnx", "--size", "128x128", "--iters", 1)
    assert ended.code == 7
    assert ended.err[0].startswith("error: onnxruntime's flow is ")
    assert not Path("raft.onnx").exists()


def test_export_without_its_extra_gives_the_command_to_install_it(flowcli, weights: Path, monkeypatch) -> None:
    monkeypatch.setattr(onnx, "traced", lambda *_, **__: b"")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    ended = flowcli("weights", "export", weights, "raft.onnx", "--size", "128x128", "--iters", 1)
    assert (ended.code, ended.err) == (
        6,
        ["error: onnxruntime is not installed", "hint: pip install onnx onnxscript onnxruntime"],
    )


@pytest.mark.parametrize("size", ["640", "0x480", "640x", "9999999x1", "-1x1"])
def test_an_unusable_size_is_exit_2(flowcli, weights: Path, size: str) -> None:
    assert flowcli("weights", "export", weights, "raft.onnx", f"--size={size}").code == 2
