"""Checks what flowcli needs of this machine, and names the problems with the commands that fix them."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.cli.diagnosis import Diagnosis, loaded
from flowcli.errors import FlowcliError
from flowcli.model.memory_plan import amount, make_cpu_plan, make_plan
from flowcli.system.terminal import counted
from flowcli.version import __version__
from raft_core.config import LARGE, SMALL

if TYPE_CHECKING:
    import torch

SIZES = ((640, 360), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (7680, 4320))
ENCODERS = {
    "H.264": "libx264",
    "AV1": "libsvtav1",
    "VP9": "libvpx-vp9",
    "FFV1": "ffv1",
    "GIF": "gif",
    "WebP": "libwebp_anim",
}
EXTRAS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "hdf5": ("h5py",),
    "parquet": ("pyarrow",),
    "zarr": ("zarr",),
    "tensorboard": ("tensorboard",),
    "ray": ("ray",),
}
CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


def diagnose() -> Diagnosis:
    """Runs all checks; packages that cannot be loaded are problems and stop no other check."""
    diagnosis = Diagnosis()
    diagnosis.add_fact("flowcli", f"{__version__}, in {Path(__file__).parents[1]}", __version__)
    diagnosis.add_fact("python", f"{platform.python_version()}, {sys.executable}", platform.python_version())
    system = f"{platform.system()} {platform.machine()}"
    diagnosis.add_fact("system", f"{system}, {os.cpu_count()} cores", {"name": system, "cores": os.cpu_count()})
    for check in (check_torch, check_opencv, check_pyav, check_weights):
        check(diagnosis)
    extras = {name: all(find_spec(module) for module in modules) for name, modules in EXTRAS.items()}
    have, lack = ([name for name, here in extras.items() if here is wanted] for wanted in (True, False))
    missing = f"; not installed: {', '.join(lack)}" if lack else ""
    diagnosis.add_fact("extras", f"{', '.join(have) or 'none'}{missing}", extras)
    return diagnosis


def check_torch(diagnosis: Diagnosis) -> None:
    """Checks torch and its devices with their number formats and memory, and the frame sizes that fit."""
    torch = loaded(diagnosis, "torch", package="torch")
    if torch is None:
        return
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs"
    diagnosis.add_fact(
        "torch", f"{torch.__version__}, built {build}", {"version": torch.__version__, "cuda": torch.version.cuda}
    )
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 10):
        diagnosis.add_problem("torch before 2.10 executes code from crafted checkpoints", 'pip install "torch>=2.10"')
    has_driver = Path("/proc/driver/nvidia/version").exists()
    if torch.version.cuda and not torch.cuda.is_available():
        reason = "finds no usable GPU" if has_driver else "but there is no NVIDIA driver"
        diagnosis.add_problem(
            f"torch is built for CUDA {torch.version.cuda}, {reason}; the CPU is used",
            f"install the driver, or {CPU_TORCH}",
        )
    if has_driver and not torch.version.cuda:
        diagnosis.add_problem(
            "an NVIDIA driver exists, but torch is built for CPUs", "pip install --force-reinstall torch"
        )
    from flowcli.model.device import choose_device, choose_precision, free_bytes  # noqa: PLC0415 - imports torch

    names = [
        *(f"cuda:{n}" for n in range(torch.cuda.device_count())),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    devices = {name: device_record(torch, choose_device(name), free_bytes(choose_device(name))) for name in names}
    lines = [
        f"{name}: {each['name']}, {', '.join(each['precisions'])}, {each['free'] or 'unknown memory'} free"
        for name, each in devices.items()
    ]
    diagnosis.add_fact("devices", "; ".join(lines), devices)
    chosen = choose_device("auto")
    precision = str(choose_precision("auto", chosen)).removeprefix("torch.")
    diagnosis.add_fact(
        "auto",
        f"--device auto is {chosen}, --precision auto is {precision}",
        {"device": str(chosen), "precision": precision},
    )
    check_sizes(diagnosis, free_bytes(chosen), on_cpu=chosen.type == "cpu")


def device_record(torch: Any, device: torch.device, free: int | None) -> dict[str, Any]:
    """A device's name, the number formats it computes in, and its free memory."""
    free_memory = {"free_bytes": free, "free": amount(free) if free is not None else None}
    if device.type == "cuda":
        precisions = ["fp32", "fp16", *(["bf16"] if torch.cuda.is_bf16_supported() else [])]
        return {"name": torch.cuda.get_device_name(device), "precisions": precisions, **free_memory}
    if device.type == "mps":
        return {"name": "Apple GPU", "precisions": ["fp32", "fp16"], **free_memory}
    name = f"{torch.backends.cpu.get_cpu_capability()}, {counted(torch.get_num_threads(), 'thread')}"
    return {"name": name, "precisions": ["fp32", "bf16"], **free_memory}


def check_sizes(diagnosis: Diagnosis, budget: int | None, *, on_cpu: bool) -> None:
    """Finds the largest of `SIZES` whose frames fit into `budget` bytes, for either model."""
    make = make_cpu_plan if on_cpu else make_plan
    records, lines = [], []
    for config in (SMALL, LARGE):
        fits = {}
        for width, height in SIZES:
            try:
                plan = make(height, width, config=config, both=False, budget=budget, batch=1)
            except FlowcliError:
                continue
            fits[f"{width} x {height}"] = "on demand" if plan.on_demand else "all pairs"
            records.append(
                {"model": config.name, "size": [width, height], "on_demand": plan.on_demand, "bytes": plan.bytes}
            )
        largest = {correlation: size for size, correlation in fits.items()}  # later sizes are larger
        sizes = ", ".join(f"{size} ({correlation})" for correlation, size in largest.items())
        lines.append(f"{config.name} up to {sizes or 'nothing'}")
    diagnosis.add_fact("frames", "; ".join(lines), records)


def check_opencv(diagnosis: Diagnosis) -> None:
    """Checks OpenCV, and that only one package provides it."""
    kinds = sorted({dist.name for dist in distributions() if (dist.name or "").lower().startswith("opencv-")})
    if len(kinds) > 1:
        diagnosis.add_problem(
            f"{' and '.join(kinds)} install the same files",
            f"pip uninstall -y {' '.join(kinds)}, then pip install opencv-python-headless",
        )
    module = loaded(diagnosis, "flowcli.system.opencv", package="opencv")
    if module is not None:
        diagnosis.add_fact(
            "opencv", f"{module.cv2.__version__}, from {', '.join(kinds) or 'no package'}", module.cv2.__version__
        )


def check_pyav(diagnosis: Diagnosis) -> None:
    """Checks PyAV and its encoders."""
    av = loaded(diagnosis, "av", package="av")
    if av is None:
        return
    have = encoders(av)
    found = {name: encoder in have for name, encoder in ENCODERS.items()}
    diagnosis.add_fact(
        "av",
        f"{version('av')}, encodes {', '.join(name for name, here in found.items() if here)}",
        {"version": version("av"), "encoders": found},
    )
    if not found["H.264"]:
        diagnosis.add_problem(
            "PyAV has no H.264 encoder, so no video can be written", "pip install --force-reinstall --no-cache-dir av"
        )


def encoders(av: Any) -> frozenset[str]:
    """The names of all encoders of PyAV's FFmpeg, as FFmpeg spells them."""
    found = set()
    for name in av.codecs_available:
        try:
            found.add(av.codec.Codec(name, "w").name)
        except av.codec.codec.UnknownCodecError:
            continue  # it only decodes
    return frozenset(found)


def check_weights(diagnosis: Diagnosis) -> None:
    """Checks the weights that have names, and the folder of fetched weights."""
    weights = loaded(diagnosis, "flowcli.model.weights", package="weights", fix="fix torch first")
    if weights is None:
        return
    catalogue = importlib.import_module("flowcli.model.weights.catalogue")
    verdicts = catalogue.verify([])
    for name in verdicts.failed:
        checksum, tensors = verdicts.items[name]
        diagnosis.add_problem(
            f"weights {name}: checksum {checksum}, {tensors}", f"flowcli weights fetch {name}, or install flowcli again"
        )
    if weights.DEFAULT not in verdicts.items:
        diagnosis.add_problem(
            f"the embedded weights {weights.DEFAULT} are missing",
            "install flowcli again from its folder: pip install --force-reinstall --no-deps .",
        )
    try:
        importlib.import_module("flowcli.model.refiner").refiner_on(importlib.import_module("torch").device("cpu"))
    except FlowcliError as error:
        diagnosis.add_problem(str(error), error.hint)
    # Whose tensors they are is left out where the name says it.
    lines = [
        f"{name} (checksum {checksum}{f', {tensors}' * (tensors != name)})"
        for name, (checksum, tensors) in verdicts.items.items()
    ]
    diagnosis.add_fact(
        "weights",
        "; ".join(lines) or "none",
        {name: {"checksum": c, "tensors": t} for name, (c, t) in verdicts.items.items()},
    )
    storage: Path = weights.storage()
    nearest = next(place for place in (storage.absolute(), *storage.absolute().parents) if place.exists())
    writable = os.access(nearest, os.W_OK)
    diagnosis.add_fact(
        "cache",
        f"{storage}, {'can' if writable else 'cannot'} be written",
        {"path": str(storage), "writable": writable},
    )
    if not writable:
        diagnosis.add_problem(
            f"{storage} cannot be written, so nothing can be fetched", "set FLOWCLI_WEIGHTS_DIR to a writable folder"
        )
