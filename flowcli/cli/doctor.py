"""What this machine has that flowcli needs, what is wrong with it, and the command that fixes it."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import FlowcliError
from flowcli.model.memory_plan import amount, make_plan
from flowcli.system.json_text import json_text
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
EXTRAS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "hdf5": ("h5py",), "tensorboard": ("tensorboard",)}
CPU_TORCH = "pip install torch --index-url https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, and what fixes it."""

    what: str
    fix: str


@dataclass
class Checkup:
    """Everything found: a line for people and a record for programs under each heading."""

    lines: dict[str, str] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def note(self, heading: str, line: str, record: object) -> None:
        """Something that is as it should be, or at least is."""
        self.lines[heading] = line
        self.records[heading] = record

    def complain(self, what: str, fix: str) -> None:
        """Something that is wrong; once, however many find it."""
        if Problem(what, fix) not in self.problems:
            self.problems.append(Problem(what, fix))

    def facts(self) -> dict[str, str]:
        """For people: a line each, problems last."""
        problems = {
            f"problem {number}": f"{each.what}; fix it: {each.fix}" for number, each in enumerate(self.problems, 1)
        }
        return {**self.lines, **(problems or {"problems": "none"})}

    def text(self) -> str:
        """For programs: JSON."""
        return json_text({**self.records, "problems": [asdict(each) for each in self.problems]})


def check_up() -> Checkup:
    """Looks at everything; whatever is broken is a problem and does not end it."""
    checkup = Checkup()
    checkup.note("flowcli", f"{__version__}, in {Path(__file__).parent}", __version__)
    checkup.note("python", f"{platform.python_version()}, {sys.executable}", platform.python_version())
    system = f"{platform.system()} {platform.machine()}"
    checkup.note("system", f"{system}, {os.cpu_count()} cores", {"name": system, "cores": os.cpu_count()})
    for look in (look_at_torch, look_at_opencv, look_at_pyav, look_at_weights):
        look(checkup)
    extras = {name: all(find_spec(module) for module in modules) for name, modules in EXTRAS.items()}
    checkup.note("extras", ", ".join(f"{name}: {'yes' if here else 'no'}" for name, here in extras.items()), extras)
    return checkup


def loaded(checkup: Checkup, module: str, *, package: str, fix: str | None = None) -> Any:
    """A module, or None and a problem where it cannot be imported, for whatever reason."""
    try:
        return importlib.import_module(module)
    except FlowcliError as error:
        checkup.complain(str(error), fix or error.hint)
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        checkup.complain(f"{package} cannot be loaded: {reason}", fix or f"pip install --force-reinstall {package}")
    checkup.note(package, "cannot be loaded, see the problems", None)
    return None


def look_at_torch(checkup: Checkup) -> None:
    """torch, the devices it finds, what they compute in, and the frames that fit into their memory."""
    torch = loaded(checkup, "torch", package="torch")
    if torch is None:
        return
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs"
    checkup.note(
        "torch", f"{torch.__version__}, built {build}", {"version": torch.__version__, "cuda": torch.version.cuda}
    )
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 10):
        checkup.complain("torch before 2.10 executes code from crafted checkpoints", 'pip install "torch>=2.10"')
    has_driver = Path("/proc/driver/nvidia/version").exists()
    if torch.version.cuda and not torch.cuda.is_available():
        reason = "finds no usable GPU" if has_driver else "but there is no NVIDIA driver"
        checkup.complain(
            f"torch is built for CUDA {torch.version.cuda}, {reason}; the CPU is used",
            f"install the driver, or {CPU_TORCH}",
        )
    if has_driver and not torch.version.cuda:
        checkup.complain("an NVIDIA driver is here, but torch is built for CPUs", "pip install --force-reinstall torch")
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
    checkup.note("devices", "; ".join(lines), devices)
    chosen = choose_device("auto")
    precision = str(choose_precision("auto", chosen)).removeprefix("torch.")
    checkup.note(
        "auto",
        f"--device auto is {chosen}, --precision auto is {precision}",
        {"device": str(chosen), "precision": precision},
    )
    look_at_sizes(checkup, free_bytes(chosen))


def device_record(torch: Any, device: torch.device, free: int | None) -> dict[str, Any]:
    """A device's name, the number formats it can compute in, and its free memory."""
    free_memory = {"free_bytes": free, "free": amount(free) if free is not None else None}
    if device.type == "cuda":
        precisions = ["fp32", "fp16", *(["bf16"] if torch.cuda.is_bf16_supported() else [])]
        return {"name": torch.cuda.get_device_name(device), "precisions": precisions, **free_memory}
    if device.type == "mps":
        return {"name": "Apple GPU", "precisions": ["fp32", "fp16"], **free_memory}
    capability = torch.backends.cpu.get_cpu_capability()
    return {"name": f"{capability}, {torch.get_num_threads()} threads", "precisions": ["fp32", "bf16"], **free_memory}


def look_at_sizes(checkup: Checkup, budget: int | None) -> None:
    """The largest usual frames that fit into memory, for either model."""
    records, lines = [], []
    for config in (SMALL, LARGE):
        fits = {}
        for width, height in SIZES:
            try:
                plan = make_plan(height, width, config=config, both=False, budget=budget, batch=1, most=1)
            except FlowcliError:
                continue
            fits[f"{width} x {height}"] = "on demand" if plan.on_demand else "all pairs"
            records.append(
                {"model": config.name, "size": [width, height], "on_demand": plan.on_demand, "bytes": plan.bytes}
            )
        ways = {way: size for size, way in fits.items()}  # the largest size of either way
        lines.append(
            f"{config.name} up to " + (", ".join(f"{size} ({way})" for way, size in ways.items()) or "nothing")
        )
    checkup.note("frames", "; ".join(lines), records)


def look_at_opencv(checkup: Checkup) -> None:
    """OpenCV, and whether two packages fight over it."""
    kinds = sorted({dist.name for dist in distributions() if (dist.name or "").lower().startswith("opencv-")})
    if len(kinds) > 1:
        checkup.complain(
            f"{' and '.join(kinds)} own the same files",
            f"pip uninstall -y {' '.join(kinds)}, then pip install {kinds[0]}",
        )
    module = loaded(checkup, "flowcli.system.opencv", package="opencv")
    if module is not None:
        checkup.note(
            "opencv", f"{module.cv2.__version__}, from {', '.join(kinds) or 'no package'}", module.cv2.__version__
        )


def look_at_pyav(checkup: Checkup) -> None:
    """PyAV, and what it encodes."""
    inventory = loaded(checkup, "flowcli.media.pyav.inventory", package="av")
    if inventory is None:
        return
    have = inventory.encoders()
    found = {name: encoder in have for name, encoder in ENCODERS.items()}
    checkup.note(
        "av",
        f"{version('av')}, encodes {', '.join(name for name, here in found.items() if here)}",
        {"version": version("av"), "encoders": found},
    )
    if not found["H.264"]:
        checkup.complain(
            "PyAV has no H.264 encoder, so no video can be written", "pip install --force-reinstall --no-cache-dir av"
        )


def look_at_weights(checkup: Checkup) -> None:
    """The weights that have names, checked, and the folder that fetched ones go to."""
    weights = loaded(checkup, "flowcli.model.weights", package="weights", fix="fix torch first")
    if weights is None:
        return
    catalogue = importlib.import_module("flowcli.model.weights.catalogue")
    verdicts = catalogue.verify([])
    for name in verdicts.failed:
        checksum, tensors = verdicts.items[name]
        checkup.complain(
            f"weights {name}: checksum {checksum}, {tensors}", f"flowcli weights fetch {name}, or install flowcli again"
        )
    if weights.DEFAULT not in verdicts.items:
        checkup.complain(
            f"the embedded weights {weights.DEFAULT} are missing", "pip install --force-reinstall flowcli-raft"
        )
    lines = [f"{name} (checksum {checksum}, {tensors})" for name, (checksum, tensors) in verdicts.items.items()]
    checkup.note(
        "weights",
        "; ".join(lines) or "none",
        {name: {"checksum": c, "tensors": t} for name, (c, t) in verdicts.items.items()},
    )
    storage: Path = weights.storage()
    nearest = next(place for place in (storage.absolute(), *storage.absolute().parents) if place.exists())
    writable = os.access(nearest, os.W_OK)
    checkup.note(
        "cache",
        f"{storage}, {'can' if writable else 'cannot'} be written",
        {"path": str(storage), "writable": writable},
    )
    if not writable:
        checkup.complain(
            f"{storage} cannot be written, so nothing can be fetched", "set FLOWCLI_WEIGHTS_DIR to a folder of yours"
        )
