"""Fetches published weights when asked to; `download` talks to the server."""

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
    """The file of published weights in `folder`, fetched from `url` or their own address unless it is there already.

    A download that was cut goes on where it ended. The file has its name only when its checksum and its tensors are
    right. Raises WeightsError for what the network does, OutputError for what the disk does.
    """
    target = folder / f"{weights.name}.pth"
    if target.exists() and digest(target).startswith(weights.sha256):
        console.say(f"{target} is there already, and its checksum is right")
        return target
    url = address(url or weights.url)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, console):
        # Another process may have fetched it while this one waited.
        if not (target.exists() and digest(target).startswith(weights.sha256)):
            complete(Download(weights, url, folder / f".{weights.name}.part.pth", target), console)
    return target


@contextlib.contextmanager
def alone(folder: Path, console: Console) -> Iterator[None]:
    """Waits until no other process fetches into this folder."""
    lock = FileLock(folder / ".fetching.lock")
    with reported(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.say(f"another process fetches into {folder}: waiting for it")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def complete(download: Download, console: Console) -> None:
    """Receives a file, checks it, and gives it its name."""
    resumed = download.size() > 0
    receive(download, console)
    if resumed and not digest(download.part).startswith(download.weights.sha256):
        # What an earlier run left may have been of another file.
        download.part.unlink()
        receive(download, console)
    check(download)
    with reported(download.target):
        with download.part.open("rb+") as file:
            os.fsync(file.fileno())
        download.part.replace(download.target)


def address(url: str) -> str:
    """The address, which must be one of the web; raises UsageError otherwise."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise UsageError(
            f"--url {url} is not on the web", hint="a file on this machine needs no fetching: give its path"
        )
    return url


def check(download: Download) -> None:
    """Raises WeightsError, and removes the part, unless its checksum and its tensors are what was published."""
    found = digest(download.part)
    try:
        if not found.startswith(download.weights.sha256):
            reason = foreign(download.part) or f"its sha256 begins with {found[:8]}, not with {download.weights.sha256}"
            raise WeightsError(
                f"{download.url} gave another file than {download.weights.name}: {reason}",
                hint="nothing was kept; try again, or another --url",
            )
        checkpoint.load(download.part)
    except CheckpointError as error:
        download.part.unlink()
        raise WeightsError(f"{download.url} holds no weights: {error}", hint=error.hint) from error
    except WeightsError:
        download.part.unlink()
        raise


def foreign(path: Path) -> str | None:
    """What came instead of weights, where that can be told."""
    try:
        checkpoint.refuse_what_is_none(path)
    except CheckpointError as error:
        return f"it {str(error).removeprefix(f'{path} ')}"
    return None


def digest(path: Path) -> str:
    """A file's sha256."""
    with reported(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
