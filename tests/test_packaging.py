"""The wheel and the sdist hold what flowcli needs and nothing else, and the wheel works where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.version import __version__

ROOT = Path(__file__).parents[1]


def run(*line: object, **environment: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in line], env=environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


def test_every_embedded_file_is_weights_or_their_card() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    names = {str(path.relative_to(ROOT / "weights")) for path in (ROOT / "weights").rglob("*.safetensors")}
    cards = {str(Path(name).with_suffix(".md")) for name in names}
    assert build["targets"]["wheel"]["force-include"] == {
        f"weights/{name}": f"flowcli/_weights/{name}" for name in names | cards
    }


@pytest.mark.slow
def test_the_wheel_holds_the_packages_their_data_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    files = set(zipfile.ZipFile(wheel).namelist())
    info = f"flowcli_raft-{__version__}.dist-info"
    tracked = run("git", "-C", ROOT, "ls-files", "flowcli", "raft_core").split()
    names = ("raft-small", "raft-small-convex", "refiner/refiner")
    weights = {f"flowcli/_weights/{name}{ending}" for name in names for ending in (".md", ".safetensors")}
    metadata = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert files == {*tracked, *weights, *metadata}
    assert {"flowcli/py.typed", "raft_core/py.typed"} <= files


@pytest.mark.slow
def test_the_sdist_builds_and_has_no_training_state(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        tops = {name.split("/")[1] for name in content.getnames() if "/" in name}
    assert {"flowcli", "raft_core", "weights", "tests", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= tops
    assert tops <= {
        *("flowcli", "raft_core", "weights", "tests", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO"),
        *("docs", "constraints.txt", "CHANGELOG.md", "CONTRIBUTING.md", ".gitignore"),
    }


@pytest.mark.slow
def test_the_installed_wheel_computes_flow(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh/bin/python"
    (wheel,) = built.glob("*.whl")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "fresh")}))
    # The dependencies are those of this environment, after the wheel's own packages.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 66, 3), np.uint8), (0, 0), 2)
    cv2.imwrite(str(tmp_path / "a.png"), texture[:, 2:])
    cv2.imwrite(str(tmp_path / "b.png"), texture[:, :64])
    program = tmp_path / "fresh/bin/flowcli"
    assert run(program, "--version") == f"flowcli {__version__}\n"
    place = run(python, "-I", "-c", "import flowcli; print(flowcli.__file__)")
    assert place.startswith(str(packages))
    out = tmp_path / "out"
    run(program, "pair", tmp_path / "a.png", tmp_path / "b.png", "--save", "npy", "-o", out / "flow.npy", "--iters", 4)
    flow = np.load(out / "flow.npy")
    assert flow.shape == (48, 64, 2)
    assert abs(np.median(flow[..., 0]) - 2) < 0.5
