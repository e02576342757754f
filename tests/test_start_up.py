"""What a person waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "cv2", "av", "numpy", "safetensors", "tqdm")

PROBE = """
import sys
from flowcli.cli.app import run
code = 0
try:
    code = run(sys.argv[1:])
except SystemExit as error:
    code = error.code
print("\\nLOADED", *[name for name in {heavy!r} if name in sys.modules])
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["video", "--help"], 0),
        (["pair", "--help"], 0),
        (["train", "--help"], 0),
        (["weights", "fetch", "--help"], 0),
        (["convert", "--help"], 0),
        ([], None),
        (["vidoe"], 2),
        (["video"], 2),
        (["video", "--no-such-option"], 2),
        (["pair", "only-one.png"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_nothing_heavy_is_loaded_before_there_is_work(arguments: list[str], code: int | None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY), *arguments], capture_output=True, text=True, check=False
    )
    *_, loaded = done.stdout.splitlines()
    assert loaded == "LOADED", done.stderr
    assert "Traceback" not in done.stderr
    if code is not None:
        assert done.returncode == code
