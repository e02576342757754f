from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raft_core import checkpoint
from raft_core.config import CONFIGS, LARGE, SMALL, RaftConfig
from raft_core.errors import CheckpointError
from raft_core.names import Origin, to_ours, to_theirs
from raft_core.raft import RAFT
from tests.published_names import published_name, published_state

SIZES = CONFIGS


def make(config: RaftConfig = SMALL) -> RAFT:
    torch.manual_seed(0)
    model = RAFT(config).eval()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1) if "running_var" in name else tensor.normal_()
        else:
            tensor.fill_(7)
    return model


def assert_same_weights(model: RAFT, other: RAFT) -> None:
    assert model.config == other.config
    state, expected = model.state_dict(), other.state_dict()
    assert list(state) == list(expected)
    for name, tensor in state.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name]), name


def refusal(path: Path) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    message, hint = str(caught.value), caught.value.hint
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    assert "weights_only" not in message + hint
    assert hint
    return caught.value


@pytest.mark.parametrize("config", SIZES, ids=lambda config: config.name)
def test_saved_weights_are_loaded_unchanged(tmp_path: Path, config: RaftConfig) -> None:
    model = make(config)
    checkpoint.save(model, tmp_path / "raft.safetensors", metadata={"step": "3"})
    loaded = checkpoint.load(tmp_path / "raft.safetensors")
    assert_same_weights(loaded, model)
    assert not loaded.training


def test_weights_saved_in_float16_are_loaded_rounded_and_in_float32(tmp_path: Path) -> None:
    model = make(LARGE)
    checkpoint.save(model, tmp_path / "half.safetensors", half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 11_000_000
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    assert_same_weights(checkpoint.load(tmp_path / "half.safetensors"), model)


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_callers_default_device_and_dtype_change_nothing(tmp_path: Path, size: str) -> None:
    # In a process of its own, as some tensors are kept; "meta" stands for any device but the CPU.
    probe = f"""
import torch
from raft_core import checkpoint, config, raft
model = raft.RAFT(config.{size.upper()}).eval()
checkpoint.save(model, {str(tmp_path / "raft.pth")!r})
images = torch.rand(2, 1, 3, 128, 128)
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
flow = checkpoint.load({str(tmp_path / "raft.pth")!r}).estimate(*images, iterations=2).upsampled()
assert torch.equal(flow, model.estimate(*images, iterations=2).upsampled()), flow
"""
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_a_failed_save_keeps_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "raft.safetensors"
    model = make()
    checkpoint.save(model, path)

    write_text = Path.write_text

    def fails_halfway(target: Path, _: bytes) -> int:
        write_text(target, "half a file")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fails_halfway)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(RAFT(), path)
    assert_same_weights(checkpoint.load(path), model)
    assert [file.name for file in tmp_path.iterdir()] == ["raft.safetensors"]


@pytest.mark.parametrize("config", SIZES, ids=lambda config: config.name)
@pytest.mark.parametrize("origin", ["princeton", "torchvision"])
def test_published_names_load_to_the_same_weights(tmp_path: Path, config: RaftConfig, origin: str) -> None:
    model = make(config)
    published = published_state(model, origin)
    counts = {
        "princeton": {"raft-large": 179, "raft-small": 106, "raft-small-convex": 110},
        "torchvision": {"raft-large": 169, "raft-small": 106, "raft-small-convex": 110},
    }
    assert len(published) == counts[origin][config.name]
    for prefix in ("", "module."):
        torch.save({prefix + name: tensor for name, tensor in published.items()}, tmp_path / "raft.pth")
        assert_same_weights(checkpoint.load(tmp_path / "raft.pth"), model)


@pytest.mark.parametrize(
    ("name", "origin", "expected"),
    [
        ("cnet.layer2.0.norm2.running_mean", "princeton", "context_encoder.stages.2.0.norm2.running_mean"),
        ("update_block.gru.convq2.bias", "princeton", "update_block.gru.pass2.candidate.bias"),
        ("update_block.mask.2.weight", "princeton", "mask_head.conv2.weight"),
        (
            "context_encoder.layer3.0.downsample.1.weight",
            "torchvision",
            "context_encoder.stages.3.0.shortcut.norm.weight",
        ),
        (
            "update_block.motion_encoder.convcorr2.0.bias",
            "torchvision",
            "update_block.motion_encoder.correlation2.bias",
        ),
    ],
)
def test_names_are_translated_as_published(name: str, origin: Origin, expected: str) -> None:
    assert to_ours(name, origin) == expected
    assert published_name(expected, origin, LARGE) == name


@pytest.mark.parametrize("legacy", [False, True])
def test_both_formats_of_torch_can_be_read(tmp_path: Path, legacy: bool) -> None:
    model = make()
    torch.save(model.state_dict(), tmp_path / "raft.pth", _use_new_zipfile_serialization=not legacy)
    assert_same_weights(checkpoint.load(tmp_path / "raft.pth"), model)


def test_a_training_checkpoint_gives_its_averaged_weights(tmp_path: Path) -> None:
    average, model = make(), RAFT()
    optimiser = torch.optim.AdamW(model.parameters())
    content = {"model": model.state_dict(), "ema": average.state_dict(), "optimiser": optimiser.state_dict(), "step": 3}
    torch.save(content, tmp_path / "state.pt")
    assert_same_weights(checkpoint.load(tmp_path / "state.pt"), average)


def test_a_lightning_checkpoint_gives_its_state_dict(tmp_path: Path) -> None:
    model = make()
    torch.save({"epoch": 3, "state_dict": published_state(model, "princeton")}, tmp_path / "raft.ckpt")
    assert_same_weights(checkpoint.load(tmp_path / "raft.ckpt"), model)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "plain", "inside", "named safetensors"])
def test_a_pickle_is_refused_and_never_executed(tmp_path: Path, kind: str) -> None:
    path, marker = tmp_path / "evil.pth", tmp_path / "EXECUTED"
    match kind:
        case "zip" | "legacy":
            torch.save(Evil(marker), path, _use_new_zipfile_serialization=kind == "zip")
        case "plain":
            path.write_bytes(pickle.dumps(Evil(marker)))
        case "inside":
            torch.save({**make().state_dict(), "extra": Evil(marker)}, path)
        case _:
            path = path.with_suffix(".safetensors")
            path.write_bytes(pickle.dumps(Evil(marker)))
    error = refusal(path)
    assert not marker.exists()
    if kind != "named safetensors":
        assert "it holds Python objects, or is not a checkpoint at all" in str(error)


def test_the_namespace_that_training_scripts_store_is_accepted(tmp_path: Path) -> None:
    model = make()
    content = {
        "model": published_state(model, "torchvision"),
        "epoch": 3,
        "args": Namespace(lr=1e-4, dataset=["chairs"]),
    }
    torch.save(content, tmp_path / "training.pth")
    assert_same_weights(checkpoint.load(tmp_path / "training.pth"), model)


def test_the_facts_of_a_file_are_read(tmp_path: Path) -> None:
    model = make()
    torch.save({"ema": model.state_dict(), "model": RAFT().state_dict(), "step": 7}, tmp_path / "state.pt")
    contents = checkpoint.read(tmp_path / "state.pt")
    assert (contents.origin, contents.wrapper, contents.facts) == ("flowcli", "ema", {"step": "7"})
    checkpoint.save(model, tmp_path / "half.safetensors", metadata={"samples": "9"}, half=True)
    contents = checkpoint.read(tmp_path / "half.safetensors")
    assert contents.facts == {"config": "raft-small", "samples": "9"}
    assert (contents.wrapper, contents.precision) == (None, torch.float16)


@pytest.mark.parametrize("config", SIZES, ids=lambda config: config.name)
@pytest.mark.parametrize("origin", ["princeton", "torchvision"])
def test_weights_saved_under_published_names_equal_the_published_state(
    tmp_path: Path, config: RaftConfig, origin: Origin
) -> None:
    model = make(config)
    prefix = "module." if origin == "princeton" else ""
    expected = {prefix + name: tensor for name, tensor in published_state(model, origin).items()}
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"raft{suffix}"
        checkpoint.save(model, path, names=origin)
        stored = torch.load(path, weights_only=True) if suffix == ".pth" else load_file(path)
        assert set(stored) == set(expected)
        assert all(torch.equal(stored[name], tensor) for name, tensor in expected.items())
        assert_same_weights(checkpoint.load(path), model)


def test_a_name_that_no_raft_has_cannot_be_published() -> None:
    with pytest.raises(ValueError, match=r"'fc\.weight' is no tensor of a RAFT"):
        to_theirs("fc.weight", "princeton", passes=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a git-lfs pointer, not a checkpoint"),
    ],
)
def test_the_remains_of_a_failed_download_are_recognised(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "raft.pth"
    path.write_bytes(content)
    assert str(refusal(path)) == f"{path} {message}"


def test_networks_related_to_raft_are_named(tmp_path: Path) -> None:
    state = published_state(make(), "princeton")
    torch.save({**state, "att.to_qk.weight": torch.zeros(1)}, tmp_path / "gma.pth")
    assert str(refusal(tmp_path / "gma.pth")).endswith("gma.pth holds GMA, not RAFT")


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    program = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
    program.save(tmp_path / "program.pt")
    assert "it is a TorchScript program" in str(refusal(tmp_path / "program.pt"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"<!DOCTYPE html><html>404</html>", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"],
    ids=["empty", "zero", "html", "git-lfs"],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"raft{suffix}"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".legacy.pth", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"raft{suffix}"
    if suffix == ".safetensors":
        checkpoint.save(make(), path)
    else:
        torch.save(make().state_dict(), path, _use_new_zipfile_serialization=suffix == ".pth")
    whole = path.read_bytes()
    for fraction in (0.001, 0.5, 0.999):
        path.write_bytes(whole[: int(fraction * len(whole))])
        refusal(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_damaged_file_is_refused(tmp_path: Path, legacy: bool) -> None:
    """A damaged file may raise nothing but CheckpointError."""
    path = tmp_path / "raft.pth"
    torch.save(
        {"a": torch.zeros(3), "b": [1, "two", {"c": (4.0, None)}]}, path, _use_new_zipfile_serialization=not legacy
    )
    original = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    generator = np.random.default_rng(0)
    for _ in range(150):
        damaged = original.copy()
        damaged[generator.integers(0, len(original), size=3)] = generator.integers(0, 256, size=3)
        path.write_bytes(damaged.tobytes())
        with pytest.raises(CheckpointError):
            checkpoint.load(path)


def test_a_safetensors_header_with_a_wrong_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raft.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    refusal(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    model = make()
    model.update_block.flow_head.conv2.bias.data[1] = value
    checkpoint.save(model, tmp_path / "raft.safetensors")
    error = refusal(tmp_path / "raft.safetensors")
    assert str(error).endswith("holds NaN or infinite weights")
    assert error.hint == "the training that made it diverged"


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 3)).state_dict(), tmp_path / "other.pth")
    assert str(refusal(tmp_path / "other.pth")).endswith("is not a RAFT: its first tensor is '0.weight'")


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = make().state_dict()
    del state["update_block.flow_head.conv2.bias"]
    state["update_block.extra"] = torch.zeros(1)
    state["context_encoder.head.weight"] = torch.zeros(1, 2, 3)
    torch.save(state, tmp_path / "raft.pth")
    error = refusal(tmp_path / "raft.pth")
    assert "does not fit raft-small" in str(error)
    assert "update_block.flow_head.conv2.bias is missing" in str(error)
    assert "update_block.extra is unknown" in str(error)
    assert "context_encoder.head.weight is (1, 2, 3) instead of (160, 96, 1, 1)" in str(error)


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64])
def test_weights_that_are_not_floating_point_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    state = make().state_dict()
    state["context_encoder.head.weight"] = state["context_encoder.head.weight"].to(dtype)
    torch.save(state, tmp_path / "raft.pth")
    name = str(dtype).removeprefix("torch.")
    assert f"context_encoder.head.weight is {name}, not floating point" in str(refusal(tmp_path / "raft.pth"))


@pytest.mark.parametrize("name", ["raft.pth", "raft.SAFETENSORS", "raft"])
def test_safetensors_and_state_dicts_are_recognised_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    model = make()
    checkpoint.save(model, tmp_path / "raft.safetensors")
    (tmp_path / "raft.safetensors").rename(tmp_path / name)
    assert_same_weights(checkpoint.load(tmp_path / name), model)
    for legacy in (False, True):
        torch.save(model.state_dict(), tmp_path / "a.safetensors", _use_new_zipfile_serialization=not legacy)
        assert_same_weights(checkpoint.load(tmp_path / "a.safetensors"), model)


def test_a_damaged_file_of_which_torch_names_a_byte_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "raft.pth").write_bytes(b"hJ" + bytes(60))
    assert str(refusal(tmp_path / "raft.pth")).endswith("cannot be read as weights: it is damaged")


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, torch.zeros(2), {"model": {"a": "b"}}])
def test_a_file_without_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "raft.pth")
    refusal(tmp_path / "raft.pth")


@pytest.mark.parametrize("kind", ["scalar", "sparse", "meta", "vast"])
def test_a_tensor_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    state = make().state_dict()
    stem = state["feature_encoder.stem.conv.weight"]
    state["feature_encoder.stem.conv.weight"] = {
        "scalar": torch.tensor(1.0),
        "sparse": stem.to_sparse(),
        "meta": stem.to("meta"),
        "vast": torch.zeros((), dtype=torch.half).expand(32, 1 << 40),  # 2 bytes in the file, 2^46 in memory
    }[kind]
    torch.save(state, tmp_path / "raft.pth")
    refusal(tmp_path / "raft.pth")


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(3)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name) if not name.endswith("data/0") else bytes(20_000_000))
    assert path.stat().st_size < 50_000

    def read(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(torch, "load", read)
    error = refusal(path)
    assert "it is compressed or too large, 20,000," in str(error)


@pytest.mark.parametrize("name", ["nothing.pth", "."])
def test_a_missing_file_is_told_with_a_hint(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path / name)
    assert isinstance(error, FileNotFoundError)
    assert str(error) == f"{tmp_path / name} is not a file"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("raft.onnx", b"\x08\x08\x12\x07pytorch", "is an ONNX model, which flowcli writes but does not read"),
        ("raft.pth", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is an image, not a checkpoint"),
        ("raft.pth", b"\xff\xd8\xff\xe0\0\x10JFIF", "is an image, not a checkpoint"),
        ("in.mp4", b"\0\0\0 ftypisom\0\0\2\0", "is a video, not a checkpoint"),
        ("in.mkv", b"\x1aE\xdf\xa3\xa3B\x86\x81", "is a video, not a checkpoint"),
        ("in.avi", b"RIFF\x10\n\0\0AVI LIST", "is a video, not a checkpoint"),
        ("raft.safetensors", b"weights of RAFT\n", "is text, not a checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert str(refusal(tmp_path / name)) == f"{tmp_path / name} {reason}"


def test_the_model_and_its_sizes_are_imported_from_the_package() -> None:
    from raft_core import LARGE, RAFT, SMALL, SMALL_CONVEX

    assert [RAFT(config).config.name for config in (SMALL, SMALL_CONVEX, LARGE)] == [
        "raft-small",
        "raft-small-convex",
        "raft-large",
    ]


def test_saved_weights_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        checkpoint.save(RAFT(), tmp_path / "weights.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "weights.safetensors").stat().st_mode & 0o777 == 0o644
