"""Reads RAFT weights whoever published them: recognises the names a file uses, translates, and loads strictly."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Literal

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from raft_core.config import LARGE, SMALL
from raft_core.errors import CheckpointError
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

Origin = Literal["flowcli", "princeton", "torchvision"]
Rules = tuple[tuple[str, str], ...]

ENCODER = r"^((?:feature|context)_encoder)\."

PRINCETON: Rules = (
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (ENCODER + r"(conv|norm)1\.", r"\1.stem.\2."),
    (ENCODER + r"conv2\.", r"\1.head."),
    (ENCODER + r"layer(\d)\.", r"\1.stages.\2."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^update_block\.encoder\.convc(\d)", r"update_block.motion_encoder.correlation\1"),
    (r"^update_block\.encoder\.convf(\d)", r"update_block.motion_encoder.flow\1"),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.merge."),
    (r"\.gru\.conv([zrq])\.", r".gru.conv\g<1>1."),  # the small model has a single pass
    (r"\.gru\.convz(\d)", r".gru.pass\1.update_gate"),
    (r"\.gru\.convr(\d)", r".gru.pass\1.reset_gate"),
    (r"\.gru\.convq(\d)", r".gru.pass\1.candidate"),
    (r"^update_block\.mask\.0\.", "mask_head.conv1."),
    (r"^update_block\.mask\.2\.", "mask_head.conv2."),
)

TORCHVISION: Rules = (
    (ENCODER + r"convnormrelu\.0\.", r"\1.stem.conv."),
    (ENCODER + r"convnormrelu\.1\.", r"\1.stem.norm."),
    (ENCODER + r"conv\.", r"\1.head."),
    (ENCODER + r"layer(\d)\.", r"\1.stages.\2."),
    (r"\.convnormrelu(\d)\.0\.", r".conv\1."),
    (r"\.convnormrelu(\d)\.1\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"\.motion_encoder\.convcorr(\d)\.0\.", r".motion_encoder.correlation\1."),
    (r"\.motion_encoder\.convflow(\d)\.0\.", r".motion_encoder.flow\1."),
    (r"\.motion_encoder\.conv\.0\.", ".motion_encoder.merge."),
    (r"\.recurrent_block\.convgru(\d)\.convz", r".gru.pass\1.update_gate"),
    (r"\.recurrent_block\.convgru(\d)\.convr", r".gru.pass\1.reset_gate"),
    (r"\.recurrent_block\.convgru(\d)\.convq", r".gru.pass\1.candidate"),
    (r"^mask_predictor\.convrelu\.0\.", "mask_head.conv1."),
    (r"^mask_predictor\.conv\.", "mask_head.conv2."),
)

# A name that only this origin's files contain.
SIGNATURES: dict[Origin, str] = {
    "princeton": "fnet.conv1.weight",
    "torchvision": "feature_encoder.convnormrelu.0.weight",
    "flowcli": "feature_encoder.stem.conv.weight",
}
RULES: dict[Origin, Rules] = {"princeton": PRINCETON, "torchvision": TORCHVISION, "flowcli": ()}

# princeton-vl registers the shortcut's norm a second time under this name (its large model only).
REPEATED = re.compile(r"^[fc]net\.layer\d\.\d\.norm3\.")

# A training state of the large model takes a tenth of this.
LARGEST_BYTES = 2 << 30

ACCEPTED = "give a princeton-vl, torchvision or flowcli RAFT checkpoint (.pth or .safetensors)"


def load(path: Path | str) -> RAFT:
    """A RAFT with the weights in `path`, ready for inference, in float32 on the CPU; its size is told by the file.

    Raises FileNotFoundError, or CheckpointError for anything that is not such weights. No pickle is executed.
    """
    path = Path(path)
    weights = translate(read_tensors(path), path)
    is_large = weights["feature_encoder.stem.conv.weight"].shape[:1] == LARGE.encoder_widths[:1]
    model = RAFT(LARGE if is_large else SMALL)
    check_fit(model, weights, path)
    model.load_state_dict(weights)
    if not all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()):
        raise CheckpointError(f"{path} holds NaN or infinite weights", hint="the training that made it diverged")
    return model.eval()


def save(model: RAFT, path: Path | str, *, metadata: Mapping[str, str] | None = None, half: bool = False) -> None:
    """Writes the weights as safetensors under our own names, in float16 if `half`; the file is whole or not there."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        # Not save_file, whose files only their owner may read.
        part.write_bytes(serialise(state, metadata={"config": model.config.name, **(metadata or {})}))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file, with wrappers (state_dict, model, ema, DataParallel's `module.`) taken off."""
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        content = read_content(path)
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain set of weights: it holds Python objects, or is not a checkpoint at all",
            hint="only tensors are read, nothing is ever executed; " + ACCEPTED,
        ) from error
    # What a damaged file raises depends on which byte is damaged.
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as weights: {first_sentence(error)}", hint=ACCEPTED) from error
    for wrapper in ("ema", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not all(is_plain(value) for value in content.values()):
        raise CheckpointError(f"{path} holds no set of named tensors", hint=ACCEPTED)
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def read_content(path: Path) -> object:
    """Whatever a file holds, as long as that is tensors and plain values."""
    if path.suffix == ".safetensors":
        return load_file(path)
    with path.open("rb") as file:
        # torch tells its two formats apart by these bytes, too.
        if file.read(4) == b"PK\x03\x04":
            refuse_zip_bomb(path)
    with warnings.catch_warnings():
        # Of a damaged file torch says that its pickle protocol is unusual; the caller says what matters.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def refuse_zip_bomb(path: Path) -> None:
    """Raises ValueError where a small file would unpack to a large one; torch itself never compresses."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or unpacked > min(4 * size, LARGEST_BYTES):
        raise ValueError(f"it is compressed or too large, {unpacked:,} bytes in a file of {size:,}")


def is_plain(value: object) -> bool:
    """Whether this is a tensor with ordinary numbers in memory."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def recognise(names: Mapping[str, Tensor]) -> Origin | None:
    """Whose names these are; None if nobody's that we know."""
    return next((origin for origin, signature in SIGNATURES.items() if signature in names), None)


def translate(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors under our names."""
    origin = recognise(tensors)
    if origin is None:
        example = next(iter(tensors), "nothing")
        raise CheckpointError(f"{path} is not a RAFT: its first tensor is {example!r}", hint=ACCEPTED)
    renamed = {}
    for name, tensor in tensors.items():
        if origin == "princeton" and REPEATED.search(name):
            continue
        renamed[rename(name, RULES[origin])] = tensor
    return renamed


def rename(name: str, rules: Rules) -> str:
    """One tensor's name after every rule has been applied in order."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def check_fit(model: RAFT, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raises CheckpointError, naming the first differences, unless names and shapes agree."""
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    differences = [f"{name} is missing" for name in expected if name not in weights]
    differences += [f"{name} is unknown" for name in weights if name not in expected]
    differences += [
        f"{name} is {tuple(weights[name].shape)} instead of {tuple(shape)}"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    if differences:
        raise CheckpointError(
            f"{path} does not fit {model.config.name}: {'; '.join(differences[:3])}",
            hint="only the two published sizes, RAFT and RAFT-small, can be loaded",
        )


def first_sentence(error: Exception) -> str:
    """The first sentence of an error's text, or its kind where it has none."""
    return re.split(r"\.\s|\n", str(error), maxsplit=1)[0] or type(error).__name__
