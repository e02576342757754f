"""The device, the precision, and free memory."""

from __future__ import annotations

import ctypes
import platform
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from flowcli.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# From glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def choose_device(name: str) -> torch.device:
    """The device called `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises UsageError for another name, DeviceError where the device is not available.
    """
    if name == "auto":
        return (
            torch.device(torch.accelerator.current_accelerator() or "cpu") if has_accelerator() else torch.device("cpu")
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"{name!r} is not a device", hint="use auto, cpu, cuda, cuda:N or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"{name} is not available", hint="use --device cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("mps is not available", hint="use --device cpu")
    if device.type not in {"cpu", "cuda", "mps"}:
        raise UsageError(f"{name!r} is not a device that flowcli supports", hint="use auto, cpu, cuda, cuda:N or mps")
    return device


def has_accelerator() -> bool:
    """Whether a CUDA or MPS device can be used."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The number format for `auto`, `fp32`, `bf16` or `fp16`.

    `auto` is half precision where that is fast: float16 on a GPU, bfloat16 on a CPU with instructions for it. Raises
    UsageError for another name.
    """
    if name == "auto":
        if device.type != "cpu":
            return torch.float16
        return torch.bfloat16 if multiplies_bfloat16() else torch.float32
    if name not in PRECISIONS:
        raise UsageError(f"{name!r} is not a precision", hint=f"use auto, {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16 (AVX512-BF16 or AMX); emulated, it is slower than float32."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def free_bytes(device: torch.device) -> int | None:
    """The free memory of a device in bytes; None where it is unknown."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if device.type != "cpu" or not meminfo.exists():
        return None
    facts = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = int(facts["MemAvailable"].split()[0]) * 1024
    return min([free, *left_in_container(Path("/sys/fs/cgroup"))])


def left_in_container(groups: Path) -> list[int]:
    """The free memory, in bytes, of each limited control group of this process, version 2 or 1; empty without a limit.

    The kernel kills a process that exceeds its group's limit, however much memory the machine has. Inactive cached
    files count as free.
    """
    left = []
    for folder, most, used in (
        (groups, "memory.max", "memory.current"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        if (folder / most).exists() and (limit := (folder / most).read_text().strip()) != "max":
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            taken = int((folder / used).read_text()) - int(statistics["inactive_file"])
            left.append(max(0, int(limit) - taken))
    return left


@contextmanager
def autocast(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """A context in which the model computes in `precision`, whatever the one around it."""
    exact = precision == torch.float32
    # cuDNN by default computes float32 in TF32, which changes the third decimal of the flow.
    on_cuda = exact and device.type == "cuda"
    cudnn = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_cuda else nullcontext()
    with cudnn, torch.autocast(device.type, dtype=None if exact else precision, enabled=not exact):
        yield


def keep_memory() -> None:
    """Makes glibc keep freed memory instead of returning it to the kernel.

    Otherwise every large tensor costs a page fault per 4 KiB each time it is allocated: a sixth of a training step.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
