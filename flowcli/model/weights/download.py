"""Downloads one file of weights over HTTP, and resumes broken connections."""

from __future__ import annotations

import contextlib
import errno
import math
import shutil
import ssl
import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from socket import gaierror
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from flowcli.errors import OutputError, WeightsError
from flowcli.system.files import output_error
from flowcli.system.signals import Stop, StoppedError
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flowcli.model.weights.published import Published
    from flowcli.system.console import Console

FULL = {errno.ENOSPC, errno.EDQUOT}
PATIENCE_SECONDS = 30
"""The timeout of a silent server."""
MOST_FRUITLESS_TRIES = 3
"""The number of consecutive connections without a byte after which a download fails."""
PAUSE_SECONDS = 1.0
"""The delay before a broken connection is resumed."""
MEGABYTE = 10**6
ELSEWHERE = "fetch it on another machine and give the file to --weights"

# Errors of a socket. Some are OSErrors, as are the errors of a disk, which mean something else.
LINE_ERRORS = (HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class ConnectionLostError(Exception):
    """A connection that ended before the file did."""


@dataclass(frozen=True)
class Download:
    """A download from `url` to `target`, through the hidden file `part`, which a later run resumes."""

    weights: Published
    url: str
    part: Path
    target: Path

    def size(self) -> int:
        """The number of bytes received so far."""
        return self.part.stat().st_size if self.part.exists() else 0


def receive(download: Download, console: Console) -> None:
    """Downloads the whole part, over as many connections as needed.

    Raises WeightsError for failures of the network or the server, OutputError for those of the disk, StoppedError after
    a signal.
    """
    fruitless = 0
    while True:
        before = download.size()
        try:
            connect(download, before, console)
        except ConnectionLostError as lost:
            fruitless = fruitless + 1 if download.size() == before else 0
            if fruitless == MOST_FRUITLESS_TRIES:
                had = f"{download.size() / MEGABYTE:.1f} MB"
                raise WeightsError(
                    f"the connection to {download.url} was lost after {had}: {lost}", hint="run it again to resume"
                ) from lost
            time.sleep(PAUSE_SECONDS)
        except Stop as stop:
            had = f"{download.size() / MEGABYTE:.1f} MB"
            raise StoppedError(stop.number, hint=f"{had} are kept: run it again to resume") from stop
        else:
            return


def connect(download: Download, start: int, console: Console) -> None:
    """Requests the file from byte `start` on over one connection, and appends it to the part.

    Raises ConnectionLostError where the connection ends early.
    """
    headers = {"User-Agent": f"flowcli/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(download.url, headers=headers)  # noqa: S310 - `address` admits HTTP only
    try:
        # Not urlopen, which remembers the proxies of its first call.
        with urllib.request.build_opener().open(request, timeout=PATIENCE_SECONDS) as answer:
            resumes = answer.status == 206
            if resumes and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                download.part.unlink()
                raise ConnectionLostError("the server sent another range than the one requested")
            store_body(answer, download, start if resumes else 0, console)
    except HTTPError as error:
        # 416: the file has no bytes after `start`, so the part is complete, as the checksum will show.
        if error.code != 416:
            raise refused(download.url, error) from error
    except URLError as error:
        raise unreachable(download.url, error.reason) from error
    except LINE_ERRORS as error:
        raise ConnectionLostError(str(error) or type(error).__name__) from error


def store_body(answer: HTTPResponse, download: Download, start: int, console: Console) -> None:
    """Writes a response's body into the part, from byte `start` on."""
    length = answer.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    usual = round(download.weights.megabytes * MEGABYTE)
    limit = 2 * usual
    if total is not None and total > limit:
        raise too_much(download, f"announces {total:,} bytes")
    check_room(download, (total or usual) - start)
    count = math.ceil((total - start) / MEGABYTE) if total is not None else None
    for _ in console.follow(megabytes(answer, download, start, limit=limit), total=count, unit="megabyte"):
        pass
    if total is not None and download.size() < total:
        raise ConnectionLostError(f"{total - download.size():,} bytes are missing")


def megabytes(answer: HTTPResponse, download: Download, start: int, *, limit: int) -> Iterator[int]:
    """Writes a response's body, and yields the part's size after each megabyte."""
    size = reported = start
    # Unbuffered, so that a signal loses no received bytes.
    with storing(download), download.part.open("ab" if start else "wb", buffering=0) as file:
        while data := answer.read1(1 << 16):
            size += len(data)
            if size > limit:
                raise too_much(download, f"sends more than {limit:,} bytes")
            while data:
                data = data[file.write(data) :]
            if size - reported >= MEGABYTE:
                reported = size
                yield size


@contextlib.contextmanager
def storing(download: Download) -> Iterator[None]:
    """Removes the part where it cannot be written or has wrong content."""
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
    """Raises OutputError if fewer than `needed` bytes are free on the disk."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(download.part.parent).free < needed:
            raise disk_full(download)


def disk_full(download: Download) -> OutputError:
    """The error for a full disk."""
    return OutputError(
        f"{download.target} cannot be written: the disk is full",
        hint=f"it takes {download.weights.megabytes} MB: free some space, or set FLOWCLI_WEIGHTS_DIR to another disk",
    )


def too_much(download: Download, what: str) -> WeightsError:
    """The error for a server whose file is too large."""
    return WeightsError(
        f"{download.url} {what}, but {download.weights.name} has {download.weights.megabytes} MB",
        hint="check the address; nothing was kept",
    )


def unreachable(url: str, reason: object) -> WeightsError:
    """The error for an address to which no connection was made, for urllib's `reason`."""
    parts = urlsplit(url)
    proxy = proxy_for(url)
    way = f"{parts.hostname} cannot be reached" + (f" through the proxy {proxy}" if proxy else "")
    if isinstance(reason, ssl.SSLError):
        return WeightsError(
            f"{way}: its certificate is not trusted", hint="point SSL_CERT_FILE to your organisation's certificates"
        )
    if proxy:
        return WeightsError(f"{way}: {reason_text(reason)}", hint=f"check {parts.scheme}_proxy; or {ELSEWHERE}")
    if isinstance(reason, gaierror):
        return WeightsError(
            f"{way}: no such host, or no network", hint=f"behind a proxy, set {parts.scheme}_proxy; or {ELSEWHERE}"
        )
    return WeightsError(
        f"{way}: {reason_text(reason)}", hint=f"try again later, or a mirror with --url; or {ELSEWHERE}"
    )


def refused(url: str, error: HTTPError) -> WeightsError:
    """The error for a response with an HTTP error status."""
    phrase = HTTPStatus(error.code).phrase if error.code in set(HTTPStatus) else str(error.reason)
    message = f"{url} is refused: {error.code} {phrase}"
    match error.code:
        case 404 | 410:
            return WeightsError(message, hint="it may have moved: give a mirror's address with --url")
        case 407:
            return WeightsError(message, hint=f"put name:password@ into {urlsplit(url).scheme}_proxy")
        case 401 | 403:
            return WeightsError(message, hint=f"the server denies access; {ELSEWHERE}")
        case _:
            return WeightsError(message, hint="try again later, or a mirror with --url")


def proxy_for(url: str) -> str | None:
    """The host and port of an address's proxy, without its password; None without a proxy."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    return proxy and proxy.rpartition("@")[2].removeprefix("http://").rstrip("/")


def reason_text(reason: object) -> str:
    """The text of an error, or its class, starting in lower case."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return text[:1].lower() + text[1:]
