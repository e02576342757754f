"""One file on its way here, over as many connections as that takes."""

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
"""How long a server may say nothing."""
MOST_FRUITLESS_TRIES = 3
"""How often in a row a connection may break without a byte having come."""
PAUSE_SECONDS = 1.0
"""How long to wait before a broken connection is taken up again."""
MEGABYTE = 10**6
ELSEWHERE = "fetch it on another machine and give the file to --weights"

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
    usual = round(download.weights.megabytes * MEGABYTE)
    limit = 2 * usual
    if total is not None and total > limit:
        raise too_much(download, f"announces {total:,} bytes")
    check_room(download, (total or usual) - start)
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


def unreachable(url: str, reason: object) -> WeightsError:
    """The error for an address that could not be connected to, for what urllib says is the `reason`."""
    parts = urlsplit(url)
    proxy = proxy_for(url)
    way = f"{parts.hostname} cannot be reached" + (f" through the proxy {proxy}" if proxy else "")
    if isinstance(reason, ssl.SSLError):
        return WeightsError(
            f"{way}: its certificate is not trusted", hint="point SSL_CERT_FILE to your organisation's certificates"
        )
    if proxy:
        return WeightsError(f"{way}: {told(reason)}", hint=f"check {parts.scheme}_proxy; or {ELSEWHERE}")
    if isinstance(reason, gaierror):
        return WeightsError(
            f"{way}: no such host, or no network", hint=f"behind a proxy, set {parts.scheme}_proxy; or {ELSEWHERE}"
        )
    return WeightsError(f"{way}: {told(reason)}", hint=f"try again later, or a mirror with --url; or {ELSEWHERE}")


def refused(url: str, error: HTTPError) -> WeightsError:
    """The error for an address whose server says no."""
    phrase = HTTPStatus(error.code).phrase if error.code in set(HTTPStatus) else str(error.reason)
    message = f"{url} is refused: {error.code} {phrase}"
    match error.code:
        case 404 | 410:
            return WeightsError(message, hint="it has moved: give a mirror's address with --url")
        case 407:
            return WeightsError(message, hint=f"put name:password@ into {urlsplit(url).scheme}_proxy")
        case 401 | 403:
            return WeightsError(message, hint=f"the server lets not everyone in; {ELSEWHERE}")
        case _:
            return WeightsError(message, hint="try again later, or a mirror with --url")


def proxy_for(url: str) -> str | None:
    """Host and port of the proxy that leads to this address, without its password; None where there is none."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    return proxy and proxy.rpartition("@")[2].removeprefix("http://").rstrip("/")


def told(reason: object) -> str:
    """What went wrong, in lower case: the system's own words, or whatever text there is."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return text[:1].lower() + text[1:]
