"""flowcli works where the libraries of a desktop are absent, as on servers and in slim containers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[1]
DESKTOP = ("libGL", "libEGL", "libX11", "libxcb", "libglib", "libgthread", "libgtk")
HIDING = """
set -e
mount -t tmpfs none /mnt
for folder in {folders}; do
    layers=/mnt$folder
    mkdir -p $layers/upper $layers/work
    mount -t overlay none -o lowerdir=$folder,upperdir=$layers/upper,workdir=$layers/work $folder
    rm -f {patterns}
done
exec "$@"
"""
HEADLESS = any((dist.name or "").lower() == "opencv-python-headless" for dist in distributions())

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="libraries are hidden by mounts")]


@pytest.fixture(scope="module")
def hidden() -> list[str]:
    """The beginning of a command line that runs the rest of it in a namespace where `DESKTOP` is absent."""
    cached = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    found = {Path(path).resolve() for path in re.findall(r"=> (\S+)", cached) if Path(path).name.startswith(DESKTOP)}
    folders = sorted({str(path.parent) for path in found})
    patterns = " ".join(f"$folder/{name}*.so*" for name in DESKTOP)
    script = HIDING.format(folders=" ".join(folders), patterns=patterns)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this machine allows no namespace with mounts of its own")
    return command


def run(command: list[str], *line: object) -> subprocess.CompletedProcess[str]:
    """Runs `python` with the words of a line behind a command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*command, sys.executable, *map(str, line)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_the_libraries_of_a_desktop_are_truly_absent(hidden) -> None:
    for name in ("libGL.so.1", "libxcb.so.1", "libglib-2.0.so.0"):
        assert "cannot open shared object file" in run(hidden, "-c", f"import ctypes; ctypes.CDLL('{name}')").stderr


@pytest.mark.skipif(not HEADLESS, reason="opencv-python is installed, which needs a desktop")
def test_headless_opencv_links_no_library_of_a_desktop() -> None:
    (library,) = Path(cv2.__file__).parent.glob("cv2*.so")
    listed = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    assert "libc.so" in listed
    assert [line for line in listed.splitlines() if line.strip().startswith(DESKTOP)] == []


@pytest.mark.skipif(not HEADLESS, reason="opencv-python is installed, which needs a desktop")
def test_demo_and_doctor_work_without_a_desktop(hidden, tmp_path: Path) -> None:
    small = "from flowcli.media.demo_clip import source; source.FRAMES, source.HEIGHT, source.WIDTH = 3, 96, 128"
    program = f"{small}; from flowcli.cli.app import run; raise SystemExit(run(['demo', '-o', r'{tmp_path}']))"
    done = run(hidden, "-c", program)
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "fan_compared.png")).std() > 10
    checked = run(hidden, "-m", "flowcli", "doctor", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["problems"] == []


@pytest.mark.skipif(HEADLESS, reason="OpenCV is headless, and loads without a desktop")
def test_doctor_tells_apart_that_opencv_needs_a_desktop(hidden) -> None:
    checked = run(hidden, "-m", "flowcli", "doctor", "--json")
    assert checked.returncode == 6
    assert checked.stderr.startswith("error: opencv cannot be loaded\n")
    record = json.loads(checked.stdout)
    assert record["opencv"] is None
    assert record["av"]["encoders"]["H.264"] and record["torch"]["version"]
    (problem,) = record["problems"]
    assert "cannot open shared object file" in problem["what"]
    assert "opencv-python-headless" in problem["fix"]
