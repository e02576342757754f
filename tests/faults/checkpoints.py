"""Section 4.3: checkpoints."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch

from raft_core import checkpoint
from raft_core.raft import RAFT
from tests.faults.making import still, truncate
from tests.faults.pictures import Evil
from tests.faults.registry import fault

HARMLESS = {"holds": lambda: not Path("EXECUTED").exists()}


def line(name: str) -> str:
    """A command line that loads the weights `name`."""
    still("a.png")
    still("b.png", shift=1)
    return f"pair a.png b.png --weights {name} -o out"


for _name, _write in (
    ("zip", lambda: torch.save(Evil(), "evil.pth")),
    ("legacy", lambda: torch.save(Evil(), "evil.pth", _use_new_zipfile_serialization=False)),
    ("plain", lambda: Path("evil.pth").write_bytes(pickle.dumps(Evil()))),
    ("beside weights", lambda: torch.save({**RAFT().state_dict(), "extra": Evil()}, "evil.pth")),
):

    @fault("4.3", f"a pickle that runs a program ({_name})", code=5, says="evil\\.pth", **HARMLESS)
    def evil(write: Callable[[], object] = _write) -> str:
        write()
        return line("evil.pth")


for _name, _content in (
    ("nothing", b""),
    ("a web page", b"<!DOCTYPE html><html>404</html>"),
    ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"),
    ("random bytes", bytes(range(256)) * 8),
):

    @fault("4.3", f"a checkpoint that holds {_name}", code=5, says="raft\\.pth")
    def no_checkpoint(content: bytes = _content) -> str:
        Path("raft.pth").write_bytes(content)
        return line("raft.pth")


for _ending in (".pth", ".safetensors"):

    @fault("4.3", f"a cut {_ending}", code=5, says="raft\\.")
    def cut(ending: str = _ending) -> str:
        save(f"raft{ending}")
        truncate(f"raft{ending}", 0.7)
        return line(f"raft{ending}")


@fault("4.3", "another network", code=5, says="raft\\.pth")
def another_network() -> str:
    torch.save(torch.nn.Linear(3, 3).state_dict(), "raft.pth")
    return line("raft.pth")


@fault("4.3", "a missing tensor", code=5, says="raft\\.pth")
def missing_tensor() -> str:
    state = RAFT().state_dict()
    del state[next(iter(state))]
    torch.save(state, "raft.pth")
    return line("raft.pth")


@fault("4.3", "wrapped in DataParallel and state_dict", code=0)
def wrapped() -> str:
    torch.save({"state_dict": {f"module.{name}": value for name, value in RAFT().state_dict().items()}}, "raft.pth")
    return line("raft.pth")


@fault("4.3", "a Namespace beside the weights", code=0)
def namespace() -> str:
    torch.save({"model": RAFT().state_dict(), "args": Namespace(lr=1)}, "raft.pth")
    return line("raft.pth")


@fault("4.3", "a TorchScript program", code=5, says="raft\\.pt")
def script() -> str:
    with warnings.catch_warnings(action="ignore"):  # TorchScript is deprecated
        torch.jit.script(torch.nn.Linear(3, 3)).save("raft.pt")
    return line("raft.pt")


@fault("4.3", "a zip bomb", code=5, says="compressed or too large")
def zip_bomb() -> str:
    torch.save({"a": torch.zeros(3)}, "plain.pth")
    with zipfile.ZipFile("plain.pth") as plain, zipfile.ZipFile("raft.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name) if not name.endswith("data/0") else bytes(30_000_000))
    return line("raft.pth")


@fault("4.3", "weights that are not numbers", code=5, says="raft\\.pth")
def not_numbers() -> str:
    state = RAFT().state_dict()
    next(iter(state.values()))[:] = float("nan")
    torch.save(state, "raft.pth")
    return line("raft.pth")


for _name, _content in (
    ("2^62 bytes of header", struct.pack("<Q", 2**62) + b"{}"),
    ("a header that is no JSON", struct.pack("<Q", 8) + b"nonsense"),
    ("tensors that overlap", None),
):

    @fault("4.3", f"safetensors with {_name}", code=5, says="raft\\.safetensors")
    def bad_safetensors(content: bytes | None = _content) -> str:
        tensor = b'"%s":{"dtype":"F32","shape":[2],"data_offsets":[%d,%d]}'
        header = b"{%s,%s}" % (tensor % (b"a", 0, 8), tensor % (b"b", 4, 12))
        whole = struct.pack("<Q", len(header)) + header + bytes(12)
        Path("raft.safetensors").write_bytes(whole if content is None else content)
        return line("raft.safetensors")


@fault("4.3", "weights of an unknown name", code=5, says="raft-huge")
def no_weights() -> str:
    return line("raft-huge")


def save(name: str) -> None:
    """Writes untrained weights in the format of the extension."""
    if name.endswith(".pth"):
        torch.save(RAFT().state_dict(), name)
    else:
        checkpoint.save(RAFT(), Path(name))
