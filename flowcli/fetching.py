"""Fetches published weights: the only code of flowcli that uses a network, and only when asked."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import ssl
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from flowcli import __version__
from flowcli.errors import OutputError, UsageError, WeightsError
from flowcli.interruption import Stop, StoppedError
from flowcli.partfile import output_error, reported
from flowcli.unreachable import refused, unreachable
from raft_core import checkpoint
from raft_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flowcli.console import Console
    from flowcli.published import Published

FULL = {errno.ENOSPC, errno.EDQUOT}
PATIENCE_SECONDS = 30
"""How long a server may say nothing."""
MOST_FRUITLESS_TRIES = 3
"""How often in a row a connection may break without a byte having come."""
PAUSE_SECONDS = 1.0
"""How long to wait before a broken connection is taken up again."""
MEGABYTE = 10**6

# What a socket raises, which is an OSError as a disk's failures are.
LINE_ERRORS = (HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class BrokenOffError(Exception):
    """A connection that ended before the file did."""


@dataclass(frozen=True)
class Download:
    """One file on its way: from `url`, through the hidden `part`, which a later run goes on with, to `target`."""

    weights: Published
    url: str
    part: Path
    target: Path

    def size(self) -> int:
        """How many bytes have come so far."""
        return self.part.stat().st_size if self.part.exists() else 0


def fetch(weights: Published, folder: Path, *, url: str | None, console: Console) -> Path:
    """The file of published weights in `folder`, fetched from `url` or their own address unless it is there already.

    A download that was cut goes on where it ended. The file has its name only when its checksum and its tensors are
    right. Raises WeightsError for what the network does, OutputError for what the disk does.
    """
    target = folder / f"{weights.name}.pth"
    if target.exists() and digest(target).startswith(weights.sha256):
        console.say(f"{target} is there already, and its checksum is right")
        return target
    download = Download(weights, address(url or weights.url), folder / f".{weights.name}.part.pth", target)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    resumed = download.size() > 0
    receive(download, console)
    if resumed and not digest(download.part).startswith(weights.sha256):
        # What an earlier run left may have been of another file.
        download.part.unlink()
        receive(download, console)
    check(download)
    with reported(target):
        with download.part.open("rb+") as file:
            os.fsync(file.fileno())
        download.part.replace(target)
    return target


def address(url: str) -> str:
    """The address, which must be one of the web; raises UsageError otherwise."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise UsageError(
            f"--url {url} is not on the web", hint="a file on this machine needs no fetching: give its path"
        )
    return url


def receive(download: Download, console: Console) -> None:
    """Fills the part to its end, over as many connections as that takes."""
    fruitless = 0
    while True:
        before = download.size()
        try:
            ask(download, before, console)
        except BrokenOffError as broken:
            fruitless = fruitless + 1 if download.size() == before else 0
            if fruitless == MOST_FRUITLESS_TRIES:
                had = f"{download.size() / MEGABYTE:.1f} MB"
                raise WeightsError(
                    f"{download.url} broke off after {had}: {broken}", hint="run it again to go on from there"
                ) from broken
            time.sleep(PAUSE_SECONDS)
        except Stop as stop:
            had = f"{download.size() / MEGABYTE:.1f} MB"
            raise StoppedError(stop.number, hint=f"{had} are kept: run it again to go on from there") from stop
        else:
            return


def ask(download: Download, start: int, console: Console) -> None:
    """One connection: appends to the part what comes from byte `start` on, and returns when that was all."""
    headers = {"User-Agent": f"flowcli/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(download.url, headers=headers)  # noqa: S310 - `address` admits the web only
    try:
        # Not urlopen, which remembers the proxies of its first call.
        with urllib.request.build_opener().open(request, timeout=PATIENCE_SECONDS) as answer:
            goes_on = answer.status == 206
            if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                download.part.unlink()
                raise BrokenOffError("the server sent another part than it was asked for")
            take(answer, download, start if goes_on else 0, console)
    except HTTPError as error:
        # 416: nothing comes after `start`, so all is there; the checksum will tell.
        if error.code != 416:
            raise refused(download.url, error) from error
    except URLError as error:
        raise unreachable(download.url, error.reason) from error
    except LINE_ERRORS as error:
        raise BrokenOffError(str(error) or type(error).__name__) from error


def take(answer: HTTPResponse, download: Download, start: int, console: Console) -> None:
    """Writes an answer's body into the part, from byte `start` on."""
    length = answer.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    limit = round(2 * download.weights.megabytes * MEGABYTE)
    if total is not None and total > limit:
        raise too_much(download, f"announces {total:,} bytes")
    check_room(download, (total or limit) - start)
    pieces = math.ceil((total - start) / MEGABYTE) if total is not None else None
    for _ in console.follow(megabytes(answer, download, start, limit=limit), total=pieces, unit="megabyte"):
        pass
    if total is not None and download.size() < total:
        raise BrokenOffError(f"{total - download.size():,} bytes are missing")


def megabytes(answer: HTTPResponse, download: Download, start: int, *, limit: int) -> Iterator[int]:
    """Writes what comes, and yields the part's size after each megabyte."""
    size = told = start
    # Unbuffered, so that nothing is lost when a signal comes.
    with storing(download), download.part.open("ab" if start else "wb", buffering=0) as file:
        while data := answer.read1(1 << 16):
            size += len(data)
            if size > limit:
                raise too_much(download, f"sends more than {limit:,} bytes")
            while data:
                data = data[file.write(data) :]
            if size - told >= MEGABYTE:
                told = size
                yield size


@contextlib.contextmanager
def storing(download: Download) -> Iterator[None]:
    """Removes the part where it cannot be written, or holds what it should not."""
    try:
        yield
    except LINE_ERRORS:
        raise
    except WeightsError:
        download.part.unlink(missing_ok=True)
        raise
    except OSError as error:
        download.part.unlink(missing_ok=True)
        raise disk_full(download) if error.errno in FULL else output_error(download.target, error) from error


def check_room(download: Download, needed: int) -> None:
    """Raises OutputError where the disk has not so many bytes left."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(download.part.parent).free < needed:
            raise disk_full(download)


def disk_full(download: Download) -> OutputError:
    """The failure to store a file."""
    return OutputError(
        f"{download.target} cannot be written: the disk is full",
        hint=f"it takes {download.weights.megabytes} MB: free some space, or set FLOWCLI_WEIGHTS_DIR to another disk",
    )


def too_much(download: Download, what: str) -> WeightsError:
    """The failure of a server that sends something else."""
    return WeightsError(
        f"{download.url} {what}, but {download.weights.name} has {download.weights.megabytes} MB",
        hint="check the address; nothing was kept",
    )


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
