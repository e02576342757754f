"""Checks format, lint, types and tests. `python -m tests --fix` first formats and applies ruff's fixes."""

from __future__ import annotations

import subprocess
import sys

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("pytest",),
)
FIXES = (("ruff", "format", "."), ("ruff", "check", "--fix", "."))


def run(command: tuple[str, ...]) -> bool:
    """Whether the command succeeded."""
    print("$", *command, flush=True)
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode == 0


if __name__ == "__main__":
    if "--fix" in sys.argv[1:]:
        for fix in FIXES:
            run(fix)
    failed = [command[0] for command in CHECKS if not run(command)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
