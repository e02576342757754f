"""Why a web address gave nothing, and what to do about it."""

from __future__ import annotations

import ssl
import urllib.request
from http import HTTPStatus
from socket import gaierror
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flowcli.errors import WeightsError

if TYPE_CHECKING:
    from urllib.error import HTTPError

ELSEWHERE = "fetch it on another machine and give the file to --weights"


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
