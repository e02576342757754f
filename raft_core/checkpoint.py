"""Reads and writes RAFT weights whoever published them: recognises the names a file uses, and loads strictly."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save as serialise

from raft_core.config import LARGE, SMALL
from raft_core.errors import CheckpointError
from raft_core.names import Origin, publish, recognise, translate
from raft_core.raft import RAFT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

# A training state of the large model takes a tenth of this.
LARGEST_BYTES = 2 << 30

ACCEPTED = "give a princeton-vl, torchvision or flowcli RAFT checkpoint (.pth or .safetensors)"

# Wrapped around the weights in training states: ours (with the averaged weights first), Lightning's, torchvision's.
WRAPPERS = ("ema", "state_dict", "model")

# Networks that descend from RAFT or are taken for it, by the beginning of a name that only they have.
RELATIVES = {
    "att.": "GMA",
    "update_block.gru08.": "RAFT-Stereo",
    "update_block.refine.": "SEA-RAFT",
    "feature_flow_attn.": "GMFlow",
    "memory_encoder.": "FlowFormer",
}
# What a download leaves behind instead of a checkpoint, by its first bytes.
BEGINNINGS = {
    b"<": ("is a web page, not a checkpoint", "download the file itself, not the page that offers it"),
    b"version https://git-lfs": ("is a git-lfs pointer, not a checkpoint", "run `git lfs pull`"),
}


@dataclass(frozen=True, eq=False)
class Contents:
    """What a checkpoint file holds: tensors under `origin`'s names, as stored, without what was wrapped around them.

    `wrapper` is the entry of a training state that they were taken from; `facts` is what the file says of itself.
    """

    path: Path
    origin: Origin
    tensors: dict[str, Tensor]
    wrapper: str | None
    facts: dict[str, str]

    @property
    def precision(self) -> torch.dtype:
        """How exactly the weights are stored."""
        return next((tensor.dtype for tensor in self.tensors.values() if tensor.is_floating_point()), torch.float32)


def load(path: Path | str) -> RAFT:
    """A RAFT with the weights in `path`, ready for inference, in float32 on the CPU; its size is told by the file.

    Raises FileNotFoundError, or CheckpointError for anything that is not such weights. No pickle is executed.
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
    """Writes the weights, in float16 if `half`, under the names of `names`; the file is whole or not there.

    `.pth` and `.pt` become a state dict for `torch.load`, everything else safetensors, with `metadata` in it.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    if names != "flowcli":
        state = publish(state, names, passes=len(model.config.gru_kernels))
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        # Not save_file, whose files only their owner may read.
        part.write_bytes(encode(state, path.suffix, metadata={"config": model.config.name, **(metadata or {})}))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path | str) -> Contents:
    """The tensors of a file, found and recognised; raises as `load` does, but for tensors that do not fit a RAFT."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(path)
    content, facts = read_content(path)
    entries = content if isinstance(content, dict) else {}
    wrapper = next((name for name in WRAPPERS if isinstance(entries.get(name), dict)), None)
    if wrapper:
        facts |= {name: str(value) for name, value in entries.items() if isinstance(value, int | float | str)}
        content = entries[wrapper]
    if not isinstance(content, dict) or not all(is_plain(value) for value in content.values()):
        raise CheckpointError(f"{path} holds no set of named tensors", hint=ACCEPTED)
    tensors = {str(name).removeprefix("module."): tensor for name, tensor in content.items()}
    origin = recognise(tensors)
    relative = next((name for start, name in RELATIVES.items() if any(key.startswith(start) for key in tensors)), None)
    if relative:
        raise CheckpointError(f"{path} holds {relative}, which is another network than RAFT", hint=ACCEPTED)
    if origin is None:
        example = next(iter(tensors), "nothing")
        raise CheckpointError(f"{path} is not a RAFT: its first tensor is {example!r}", hint=ACCEPTED)
    return Contents(path, origin, tensors, wrapper, facts)


def build(contents: Contents) -> RAFT:
    """The model with these weights; raises CheckpointError where they fit no published size, or are no numbers."""
    weights = translate(contents.tensors, contents.origin)
    is_large = weights["feature_encoder.stem.conv.weight"].shape[:1] == LARGE.encoder_widths[:1]
    model = RAFT(LARGE if is_large else SMALL)
    check_fit(model, weights, contents.path)
    model.load_state_dict(weights)
    if not all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()):
        raise CheckpointError(
            f"{contents.path} holds NaN or infinite weights", hint="the training that made it diverged"
        )
    return model.eval()


def encode(state: dict[str, Tensor], suffix: str, *, metadata: dict[str, str]) -> bytes:
    """A file's bytes: safetensors, or what torch.load reads."""
    if suffix.lower() not in {".pth", ".pt"}:
        return serialise(state, metadata=metadata)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def read_content(path: Path) -> tuple[object, dict[str, str]]:
    """Whatever a file holds, as long as that is tensors and plain values, and the metadata it comes with."""
    refuse_what_is_none(path)
    try:
        if path.suffix == ".safetensors":
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


def refuse_what_is_none(path: Path) -> None:
    """Raises CheckpointError for what is known by its first bytes to be no checkpoint."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise CheckpointError(f"{path} is empty", hint="copy or download it again")
    for beginning, (reason, hint) in BEGINNINGS.items():
        if head.lstrip().startswith(beginning):
            raise CheckpointError(f"{path} {reason}", hint=hint)


def read_torch(path: Path) -> object:
    """What torch.save stored: tensors, plain values, and the command line that training scripts keep beside them."""
    with path.open("rb") as file:
        # torch tells its two formats apart by these bytes, too.
        if file.read(4) == b"PK\x03\x04":
            refuse_archive(path)
    with warnings.catch_warnings(), torch.serialization.safe_globals([Namespace]):
        # Of a damaged file torch says that its pickle protocol is unusual; the caller says what matters.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(path, map_location="cpu", weights_only=True)


def refuse_archive(path: Path) -> None:
    """Raises ValueError for a program, and where a small file would unpack to a large one; torch never compresses."""
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
    """Whether this is a tensor with ordinary numbers in memory."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )


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
