"""Hashes by which changed files are recognised."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; of anything else, such as a pipe, that of its name."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()


def fingerprint_of_all(files: Iterable[Path]) -> str:
    """The SHA-256 of the names, sizes and times of many files, in hexadecimal; their bytes are not read."""
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()
