"""Reads and writes RAFT checkpoints of princeton-vl, torchvision and flowcli, and loads them strictly."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save as serialise

from raft_core.config import LARGE, SMALL, SMALL_CONVEX
from raft_core.errors import CheckpointError, MissingCheckpointError
from raft_core.names import Origin, publish, recognise, translate
from raft_core.raft import RAFT
from raft_core.stored import accepted
from raft_core.unwrapping import entries_of, find_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from raft_core.config import RaftConfig

# A training state of the large model takes less than a tenth of this.
LARGEST_BYTES = 2 << 30

ACCEPTED = "give a princeton-vl, torchvision or flowcli RAFT checkpoint (.pth or .safetensors)"

# Networks related to RAFT, by a prefix of tensor names that RAFT does not have.
RELATIVES = {
    "att.": "GMA",
    "update_block.gru08.": "RAFT-Stereo",
    "update_block.refine.": "SEA-RAFT",
    "feature_flow_attn.": "GMFlow",
    "memory_encoder.": "FlowFormer",
}
# What is not a checkpoint, such as what a failed download stores, by a regular expression of its first bytes.
BEGINNINGS = {
    b"<": ("is a web page, not a checkpoint", "download the file itself, not the page that offers it"),
    b"\x89PNG": ("is an image, not a checkpoint", ACCEPTED),
    b"\xff\xd8\xff": ("is an image, not a checkpoint", ACCEPTED),
    b"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ": ("is a video, not a checkpoint", ACCEPTED),
    b"version https://git-lfs": ("is a git-lfs pointer, not a checkpoint", "run `git lfs pull`"),
}


@dataclass(frozen=True, eq=False)
class Contents:
    """The tensors of a checkpoint file, as stored, under `origin`'s names.

    `wrapper` is the entry of a training state that holds them, such as `model.state_dict`, None for a bare state dict;
    `facts` are safetensors' metadata, or the numbers and strings beside that entry.
    """

    path: Path
    origin: Origin
    tensors: dict[str, Tensor]
    wrapper: str | None
    facts: dict[str, str]

    @property
    def precision(self) -> torch.dtype:
        """The widest dtype that floating-point tensors are stored in."""
        dtypes = {tensor.dtype for tensor in self.tensors.values() if tensor.is_floating_point()}
        return max(dtypes, key=lambda dtype: (dtype.itemsize, torch.finfo(dtype).max), default=torch.float32)


def load(path: Path | str) -> RAFT:
    """The RAFT of a checkpoint file, of any size, in evaluation mode, in float32 on the CPU.

    Raises CheckpointError for a file that holds no RAFT weights, MissingCheckpointError if there is none. No pickled
    code is executed.
    """
    return build(read(path))


def save(
    model: RAFT,
    path: Path | str,
    *,
    metadata: Mapping[str, str] | None = None,
    half: bool = False,
    names: Origin = "flowcli",
) -> None:
    """Writes a model's weights, in float16 if `half`, under the names that `names` uses; a failure keeps the old file.

    `.pth` and `.pt` files are state dicts for `torch.load`, all others safetensors, which alone store `metadata`.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    if names != "flowcli":
        state = publish(state, names, passes=len(model.config.gru_kernels))
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        # Not save_file: only the owner may read its files.
        part.write_bytes(encode(state, path.suffix, metadata={"config": model.config.name, **(metadata or {})}))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path | str) -> Contents:
    """The tensors of a checkpoint file and their origin; raises as `load` does, but checks no shapes and values."""
    path = Path(path)
    if not path.is_file():
        raise MissingCheckpointError(f"{path} is not a file", hint="give the path of a checkpoint file")
    content, facts = read_content(path)
    entries = content if isinstance(content, dict) else {}
    try:
        found = find_weights(entries)
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}", hint=error.hint) from error
    if found is None:
        raise not_raft(path, entries)
    if not all(is_plain(tensor) for tensor in found.tensors.values()):
        raise CheckpointError(f"{path} holds no set of named tensors", hint=ACCEPTED)
    if relative := relative_of(found.tensors):
        raise CheckpointError(f"{path} holds {relative}, not RAFT", hint=ACCEPTED)
    origin = recognise(found.tensors)
    assert origin is not None  # noqa: S101 - it is how the tensors were found
    return Contents(path, origin, found.tensors, found.entry, facts | beside(entries, found.entry))


def not_raft(path: Path, content: Mapping[object, object]) -> CheckpointError:
    """The error for a file without weights of a RAFT; names the network, where that is known, or its first tensor."""
    tensors = {name: tensor for _, named in entries_of(content, set()) for name, tensor in named.items()}
    if not tensors:
        return CheckpointError(f"{path} holds no set of named tensors", hint=ACCEPTED)
    if relative := relative_of(tensors):
        return CheckpointError(f"{path} holds {relative}, not RAFT", hint=ACCEPTED)
    return CheckpointError(f"{path} is not a RAFT: its first tensor is {next(iter(tensors))!r}", hint=ACCEPTED)


def relative_of(names: Iterable[str]) -> str | None:
    """The network related to RAFT that has tensors of these names, behind any prefix; None if there is none."""
    return next(
        (relative for start, relative in RELATIVES.items() if any(f".{start}" in f".{key}" for key in names)), None
    )


def beside(content: Mapping[object, object], entry: str | None) -> dict[str, str]:
    """The numbers and strings beside the entry that holds the weights, and beside those that hold it."""
    facts: dict[str, str] = {}
    level: object = content
    for name in (entry or "").split("."):
        if isinstance(level, dict) and entry:
            facts |= {str(key): str(value) for key, value in level.items() if isinstance(value, int | float | str)}
            level = level.get(name)
    return facts


def build(contents: Contents) -> RAFT:
    """The RAFT with these weights; raises CheckpointError if they fit no known size or are not finite."""
    weights = translate(contents.tensors, contents.origin)
    # Initial weights are drawn at random, on the caller's default device and in its default dtype; they are replaced.
    with torch.random.fork_rng(devices=[]):
        model = RAFT(config_of(weights))
    check_fit(model, weights, contents.path)
    model.load_state_dict({name: own(tensor) for name, tensor in weights.items()}, assign=True)
    model.metadata = contents.facts
    if not all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()):
        raise CheckpointError(
            f"{contents.path} holds NaN or infinite weights", hint="the training that made it diverged"
        )
    return model.eval()


def own(tensor: Tensor) -> Tensor:
    """A copy of a stored tensor, in float32 if it is floating point."""
    stored = tensor.detach()
    return (stored.float() if stored.is_floating_point() else stored).clone(memory_format=torch.contiguous_format)


def config_of(weights: Mapping[str, Tensor]) -> RaftConfig:
    """The size whose shape these weights resemble most, by their stem and their mask head."""
    if weights["feature_encoder.stem.conv.weight"].shape[:1] == LARGE.encoder_widths[:1]:
        return LARGE
    return SMALL_CONVEX if any(name.startswith("mask_head.") for name in weights) else SMALL


def encode(state: dict[str, Tensor], suffix: str, *, metadata: dict[str, str]) -> bytes:
    """The bytes of a file: a state dict for torch.load if `suffix` is .pth or .pt, else safetensors."""
    if suffix.lower() not in {".pth", ".pt"}:
        return serialise(state, metadata=metadata)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def read_content(path: Path) -> tuple[object, dict[str, str]]:
    """The deserialised content of a file and its safetensors metadata; raises CheckpointError if unreadable."""
    refuse_non_checkpoint(path)
    try:
        if is_safetensors(path):
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
        return read_torch(path), {}
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a plain set of weights: it holds Python objects, or is not a checkpoint at all",
            hint="only tensors are read, nothing is ever executed; " + ACCEPTED,
        ) from error
    # What a damaged file raises depends on which byte is damaged.
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as weights: {first_sentence(error)}", hint=ACCEPTED) from error


def is_safetensors(path: Path) -> bool:
    """Whether a file is one of safetensors: by its header, as names mislead, or, where it is damaged, by its name."""
    with path.open("rb") as file:
        head = file.read(9)
    of_torch = head.startswith((b"PK\x03\x04", b"\x80"))
    return head[8:] == b"{" or (path.suffix.lower() == ".safetensors" and not of_torch)


def refuse_non_checkpoint(path: Path) -> None:
    """Raises CheckpointError if a file's first bytes show that it is not a checkpoint."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise CheckpointError(f"{path} is empty", hint="copy or download it again")
    if path.suffix.lower() == ".onnx":
        raise CheckpointError(f"{path} is an ONNX model, which flowcli writes but does not read", hint=ACCEPTED)
    for beginning, (reason, hint) in BEGINNINGS.items():
        if re.match(beginning, head.lstrip(), re.DOTALL):
            raise CheckpointError(f"{path} {reason}", hint=hint)
    if is_text(head):
        raise CheckpointError(f"{path} is text, not a checkpoint", hint=ACCEPTED)


def is_text(head: bytes) -> bool:
    """Whether a file begins with readable ASCII; checkpoints begin with binary numbers."""
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)


def read_torch(path: Path) -> object:
    """What torch.save stored: tensors, plain values, and stand-ins for what training scripts add; executes nothing."""
    with path.open("rb") as file:
        # torch, too, distinguishes its two formats by these bytes.
        if file.read(4) == b"PK\x03\x04":
            refuse_archive(path)
    # By its path, torch would read what is called .safetensors as such.
    with path.open("rb") as file, warnings.catch_warnings(), torch.serialization.safe_globals(accepted()):
        # torch warns of a damaged file's pickle protocol; the caller reports the error.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def refuse_archive(path: Path) -> None:
    """Raises ValueError for a TorchScript program and for a zip bomb; torch.save never compresses."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any("/code/" in entry.filename for entry in entries):
        raise ValueError("it is a TorchScript program, and flowcli takes the state_dict that it was made from")
    unpacked = sum(entry.file_size for entry in entries)
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or unpacked > min(4 * size, LARGEST_BYTES):
        raise ValueError(f"it is compressed or too large, {unpacked:,} bytes in a file of {size:,}")


def is_plain(value: object) -> bool:
    """Whether `value` is a dense tensor on the CPU that is not quantised."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


def check_fit(model: RAFT, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raises CheckpointError, naming the first three differences, unless names, shapes and kinds of numbers agree."""
    expected = model.state_dict()
    differences = [f"{name} is missing" for name in expected if name not in weights]
    differences += [f"{name} is unknown" for name in weights if name not in expected]
    differences += [
        f"{name} is {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    differences += [
        f"{name} is {str(weights[name].dtype).removeprefix('torch.')}, not floating point"
        for name, tensor in expected.items()
        if name in weights and tensor.is_floating_point() and not weights[name].is_floating_point()
    ]
    if differences:
        raise CheckpointError(
            f"{path} does not fit {model.config.name}: {'; '.join(differences[:3])}",
            hint="only RAFT and RAFT-small as published, and RAFT-small with a mask head, can be loaded",
        )


def first_sentence(error: Exception) -> str:
    """The first sentence of an error's text; that the file is damaged if it has none, as a missing key has not."""
    sentence = re.split(r"\.\s|\n", str(error), maxsplit=1)[0]
    return sentence if " " in sentence else "it is damaged"
