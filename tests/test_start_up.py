"""Heavy libraries are not loaded before there is work."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("torch", "cv2", "av", "numpy", "safetensors", "tqdm")

PROBE = f"""
import json, sys
from flowcli.cli.app import run
for arguments in json.loads(sys.argv[1]):
    try:
        code = run(arguments)
    except SystemExit as error:
        code = error.code
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    print("\\nENDED", json.dumps([code, loaded]))
"""
COMMANDS = {
    "--help": 0,
    "--version": 0,
    "video --help": 0,
    "pair --help": 0,
    "train --help": 0,
    "weights fetch --help": 0,
    "convert --help": 0,
    "": None,
    "vidoe": 2,
    "video": 2,
    "video --no-such-option": 2,
    "pair only-one.png": 2,
}
"""The exit codes of commands that compute nothing; None where it does not matter."""


def test_commands_that_compute_nothing_load_no_heavy_library() -> None:
    commands = json.dumps([line.split() for line in COMMANDS])
    done = subprocess.run([sys.executable, "-c", PROBE, commands], capture_output=True, text=True, check=True)
    ends = [json.loads(line.removeprefix("ENDED ")) for line in done.stdout.splitlines() if line.startswith("ENDED ")]
    assert "Traceback" not in done.stderr
    for (line, expected), (code, loaded) in zip(COMMANDS.items(), ends, strict=True):
        assert loaded == [], line
        assert expected is None or code == expected, line
