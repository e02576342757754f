"""Fetches published weights into a folder, and verifies them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from flowcli.errors import UsageError, WeightsError
from flowcli.model.weights.download import Download, receive
from flowcli.system.files import reported
from raft_core import checkpoint
from raft_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flowcli.model.weights.published import Published
    from flowcli.system.console import Console


def fetch(weights: Published, folder: Path, *, url: str | None, console: Console) -> Path:
    """Fetches published weights into `folder` from `url` or their own address, unless they exist; returns the file.

    Resumes an interrupted download. The file gets its name only after its checksum and tensors are verified. Raises
    UsageError for an unusable `url`, WeightsError for failures of the network or the file, OutputError for those of the
    disk.
    """
    target = folder / f"{weights.name}.pth"
    if target.exists() and digest(target).startswith(weights.sha256):
        console.say(f"{target} exists already, and its checksum is right")
        return target
    url = address(url or weights.url)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, console):
        # Another process may have fetched it while this one waited.
        if not (target.exists() and digest(target).startswith(weights.sha256)):
            complete(Download(weights, url, folder / f".{weights.name}.part.pth", target), console)
    return target


@contextlib.contextmanager
def locked(folder: Path, console: Console) -> Iterator[None]:
    """Holds the lock of a folder, so that one process at a time fetches into it."""
    lock = FileLock(folder / ".fetching.lock")
    with reported(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.say(f"another process is fetching into {folder}: waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def complete(download: Download, console: Console) -> None:
    """Downloads a file, verifies it, and gives it its name."""
    resumed = download.size() > 0
    receive(download, console)
    if resumed and not digest(download.part).startswith(download.weights.sha256):
        # An earlier run may have left the part of another file.
        download.part.unlink()
        receive(download, console)
    check(download)
    with reported(download.target):
        with download.part.open("rb+") as file:
            os.fsync(file.fileno())
        download.part.replace(download.target)


def address(url: str) -> str:
    """The address; raises UsageError unless it is an HTTP one."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise UsageError(
            f"--url {url} is not an HTTP address", hint="a file on this machine needs no fetching: give its path"
        )
    return url


def check(download: Download) -> None:
    """Raises WeightsError, and removes the part, unless its checksum and tensors are those of the published file."""
    found = digest(download.part)
    try:
        if not found.startswith(download.weights.sha256):
            reason = (
                wrong_content(download.part)
                or f"its sha256 begins with {found[:8]}, not with {download.weights.sha256}"
            )
            raise WeightsError(
                f"{download.url} is not {download.weights.name}: {reason}",
                hint="nothing was kept; try again, or another --url",
            )
        checkpoint.load(download.part)
    except CheckpointError as error:
        download.part.unlink()
        raise WeightsError(f"{download.url} holds no weights: {error}", hint=error.hint) from error
    except WeightsError:
        download.part.unlink()
        raise


def wrong_content(path: Path) -> str | None:
    """A description of a file that is no checkpoint by its first bytes; None for any other."""
    try:
        checkpoint.refuse_non_checkpoint(path)
    except CheckpointError as error:
        return f"it {str(error).removeprefix(f'{path} ')}"
    return None


def digest(path: Path) -> str:
    """A file's sha256."""
    with reported(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
