"""Heavy libraries are not loaded before there is work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "cv2", "av", "numpy", "safetensors", "tqdm")

PAIR = """
import json, sys
from flowcli.cli.app import run
unused, *arguments = sys.argv[1:]
code = run(arguments)
print("\\nENDED", json.dumps([code, [name for name in json.loads(unused) if name in sys.modules]]))
"""
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
COLLECTING = """
import gc, sys
from flowcli.cli.app import main
try:
    main()
except SystemExit as ended:
    print("ENDED", ended.code, gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
UNUSED_BY_PAIR = ("av", "PIL", "h5py", "matplotlib", "onnx", "onnxruntime", "pyarrow", "ray", "rich", "scipy")
"""What `pair` does without; of torch too, much of which loads only when it is used."""
UNUSED_BY_PAIR += ("torch._dynamo", "torch._inductor", "flowcli.pipeline.dry_run", "flowcli.media.pyav")

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


def test_flow_of_two_images_loads_only_what_it_uses(make_images, weights: Path) -> None:
    folder = make_images()
    line = ["pair", folder / "0.png", folder / "1.png", "--weights", weights, "--iters", 1, "-q"]
    arguments = [json.dumps(UNUSED_BY_PAIR), *map(str, line)]
    done = subprocess.run([sys.executable, "-c", PAIR, *arguments], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.split("ENDED ")[1]) == [0, []], done.stderr


def test_garbage_is_collected_only_once_libraries_are_loaded(make_images, weights: Path) -> None:
    """Searching what they create for it takes a tenth of the time of a pair."""
    folder = make_images()
    line = ["pair", folder / "0.png", folder / "1.png", "--weights", weights, "--iters", 1, "-q"]
    arguments = [sys.executable, "-c", COLLECTING, *map(str, line)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.split("ENDED ")[1].split() == ["0", "True", "True"], done.stderr
