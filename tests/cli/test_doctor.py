from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from flowcli.cli import doctor
from flowcli.cli.doctor import Diagnosis
from flowcli.errors import DeviceError
from flowcli.model.memory_plan import make_plan
from flowcli.model.refiner import refiner_on
from raft_core.config import LARGE, SMALL

HEADINGS = ["flowcli", "python", "system", "torch", "devices", "auto", "frames", "opencv", "av", "weights", "cache"]


def doctor_in_new_process(*arguments: str, lacks: str, **environment: str) -> list[str]:
    """The output of flowcli doctor in a new process, which ends with an error about the packages that it lacks."""
    ended = subprocess.run(
        [sys.executable, "-m", "flowcli", "doctor", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 6
    assert ended.stderr.splitlines() == [
        f"error: {lacks} cannot be loaded",
        "hint: the problems listed above state the fixes",
    ]
    return ended.stdout.splitlines()


def test_the_machine_is_described_with_one_line_for_each_heading(flowcli) -> None:
    ended = flowcli("doctor")
    assert (ended.code, ended.err) == (0, [])
    facts = {line.split()[0]: line for line in ended.out}
    assert list(facts)[: len(HEADINGS)] == HEADINGS
    assert torch.__version__ in facts["torch"]
    assert "cpu: " in facts["devices"]
    assert "H.264" in facts["av"]
    assert "raft-small (checksum right)" in facts["weights"]


def test_json_has_the_same_headings(flowcli) -> None:
    record = json.loads("\n".join(flowcli("doctor", "--json").out))
    assert {*HEADINGS, "extras", "problems"} == set(record)
    assert record["weights"]["raft-small"] == {"checksum": "right", "tensors": "raft-small"}
    assert record["av"]["encoders"]["H.264"] is True


def test_the_frame_sizes_that_fit_are_those_of_the_memory_plan() -> None:
    found = Diagnosis()
    doctor.check_sizes(found, 2 << 30, on_cpu=False)
    for config in (SMALL, LARGE):
        plans = {}
        for width, height in doctor.SIZES:
            with contextlib.suppress(DeviceError):
                plan = make_plan(height, width, config=config, both=False, budget=2 << 30, batch=1)
                plans[f"{width} x {height}"] = plan.on_demand
        largest = [[size for size, on_demand in plans.items() if on_demand == way][-1] for way in (False, True)]
        assert f"{config.name} up to {largest[0]} (all pairs), {largest[1]} (on demand)" in found.lines["frames"]
    doctor.check_sizes(found, 2 << 30, on_cpu=True)
    assert "all pairs" not in found.lines["frames"]
    doctor.check_sizes(found, 1000, on_cpu=True)
    assert found.lines["frames"] == "raft-small up to nothing; raft-large up to nothing"


def test_an_opencv_without_libgl_is_a_problem_of_opencv_alone_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    lines = doctor_in_new_process(lacks="opencv", PYTHONPATH=str(tmp_path))
    (problem,) = [line for line in lines if "libGL" in line]
    assert problem.startswith("problem ")
    assert "pip install --force-reinstall opencv-python-headless" in problem
    assert any(line.startswith("torch ") and torch.__version__ in line for line in lines)
    assert any(line.startswith("av ") and "encodes H.264" in line for line in lines)
    assert any(line.startswith("weights ") and "raft-small (checksum right" in line for line in lines)


def test_an_opencv_without_room_in_memory_is_not_to_be_installed_again(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libavcodec.so: failed to map segment from shared object')")
    script = "try: import flowcli.system.opencv\nexcept Exception as error: print(error, error.hint, sep='; ')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == (
        "OpenCV cannot be loaded: libavcodec.so: failed to map segment from shared object; "
        "raise the memory limit that `ulimit -v` shows\n"
    )


def test_a_torch_that_cannot_be_loaded_is_a_problem_and_stops_no_other_check(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    lines = doctor_in_new_process("--json", lacks="torch, weights", PYTHONPATH=str(tmp_path))
    record = json.loads("\n".join(lines))
    assert record["problems"][0] == {
        "what": "torch cannot be loaded: libcudart.so.13: cannot open shared object file",
        "fix": "pip install --force-reinstall torch",
    }
    assert (record["torch"], record["opencv"] is None) == (None, False)


def test_two_packages_of_opencv_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = [SimpleNamespace(name=name) for name in ("numpy", "opencv-python-headless", "opencv-python")]
    monkeypatch.setattr(doctor, "distributions", lambda: packages)
    found = Diagnosis()
    doctor.check_opencv(found)
    (problem,) = found.problems
    assert problem.what == "opencv-python and opencv-python-headless install the same files"
    assert (
        problem.fix == "pip uninstall -y opencv-python opencv-python-headless, then pip install opencv-python-headless"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="simulates a machine without a GPU")
def test_a_cuda_torch_without_a_driver_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    found = Diagnosis()
    doctor.check_torch(found)
    assert found.problems[0].what.startswith("torch is built for CUDA 13.0, ")
    assert "download.pytorch.org/whl/cpu" in found.problems[0].fix


def test_an_old_torch_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    found = Diagnosis()
    doctor.check_torch(found)
    assert 'pip install "torch>=2.10"' in [problem.fix for problem in found.problems]


def test_damaged_weights_are_a_problem(tmp_path: Path, monkeypatch, weights: Path) -> None:
    (tmp_path / "mine-00000000.safetensors").write_bytes(weights.read_bytes())
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(tmp_path))
    found = Diagnosis()
    doctor.check_weights(found)
    assert [problem.what for problem in found.problems] == ["weights mine-00000000: checksum WRONG, raft-small"]


def test_a_missing_refiner_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    refiner_on.cache_clear()
    monkeypatch.setattr("flowcli.model.refiner.embedded", list)
    found = Diagnosis()
    doctor.check_weights(found)
    assert "the weights of the learned refiner are missing" in [problem.what for problem in found.problems]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can write everywhere")
def test_a_weights_folder_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(tmp_path / "below"))
    found = Diagnosis()
    doctor.check_weights(found)
    assert found.problems[0].fix == "set FLOWCLI_WEIGHTS_DIR to a writable folder"
