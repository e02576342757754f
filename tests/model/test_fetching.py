"""Fetching from faulty HTTP servers on the loopback interface."""

from __future__ import annotations

import errno
import hashlib
import io
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from flowcli.model.weights import download
from flowcli.model.weights.published import PUBLISHED, Published
from raft_core.raft import RAFT

NAME = "raft_small_C_T_V2"
Answer = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers the n-th request with the server's n-th answer, and all later ones with the last."""

    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self, self.server.content)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def reply(self, code: int, body: bytes, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.answers: list[Answer] = [whole]
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/raft.pth"

    def handle_error(self, *_: object) -> None:
        """Quiet: clients that close the connection are part of the tests."""


def whole(handler: Handler, content: bytes) -> None:
    """The file, or the requested range of it."""
    requested = handler.headers.get("Range")
    if requested is None:
        handler.reply(200, content, Content_Length=len(content))
        return
    start = int(requested.removeprefix("bytes=").rstrip("-"))
    if start >= len(content):
        handler.reply(416, b"", Content_Range=f"bytes */{len(content)}", Content_Length=0)
        return
    part = content[start:]
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.reply(206, part, Content_Length=len(part), Content_Range=span)


def cut(fraction: float) -> Answer:
    """A fraction of what is requested, before the connection is closed."""

    def answer(handler: Handler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = content[start:]
        headers = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        handler.reply(206 if start else 200, rest[: int(fraction * len(rest))], Content_Length=len(rest), **headers)

    return answer


def reset(handler: Handler, content: bytes) -> None:
    """Half of the file, before the connection is reset."""
    handler.reply(200, content[: len(content) // 2], Content_Length=len(content))
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def saying(body: bytes, *, code: int = 200, length: int | None = None) -> Answer:
    """A body, with a length that may be wrong."""
    return lambda handler, _: handler.reply(code, body, Content_Length=len(body) if length is None else length)


def ignoring_ranges(handler: Handler, content: bytes) -> None:
    handler.reply(200, content, Content_Length=len(content))


def another_part(handler: Handler, content: bytes) -> None:
    if handler.headers.get("Range") is None:
        ignoring_ranges(handler, content)
    else:
        handler.reply(206, content[:9], Content_Length=9, Content_Range=f"bytes 0-8/{len(content)}")


def endless(handler: Handler, _: bytes) -> None:
    handler.reply(200, b"")
    for _ in range(200):
        handler.wfile.write(bytes(1 << 16))


@pytest.fixture(scope="session")
def content() -> bytes:
    """An untrained checkpoint."""
    buffer = io.BytesIO()
    torch.save(RAFT().state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture
def server(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of a checkpoint that replaces the published one."""
    start = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setitem(PUBLISHED, NAME, replace(PUBLISHED[NAME], sha256=start))
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Server(content)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(Published, "url", property(lambda _: running.url))
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.exists() else []


PART = f".{NAME}.part.pth"


def test_fetched_weights_are_complete_and_found_by_name(flowcli, server, kept) -> None:
    ended = flowcli("weights", "fetch", NAME)
    assert (ended.code, ended.out) == (0, [str(kept / f"{NAME}.pth")])
    assert ended.err == [f"use it with --weights {NAME}"]
    assert names(kept) == [f"{NAME}.pth"]
    assert (kept / f"{NAME}.pth").read_bytes() == server.content
    shown = flowcli("weights", "list").out
    assert any(line.split()[:2] == [NAME, "folder"] for line in shown)
    assert flowcli("weights", "verify", NAME).out[1].split() == [NAME, "right", "raft-small"]


def test_existing_weights_are_not_fetched_again(flowcli, server, kept) -> None:
    for _ in range(2):
        ended = flowcli("weights", "fetch", NAME)
        assert ended.code == 0
    assert ended.err[0] == f"{kept / NAME}.pth exists already, and its checksum is right"
    assert len(server.ranges) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_process_waits_for_another_one_that_fetches_into_the_folder(flowcli, server, kept) -> None:
    import fcntl

    kept.mkdir()
    other = (kept / ".fetching.lock").open("w")
    fcntl.flock(other, fcntl.LOCK_EX)
    threading.Timer(0.3, other.close).start()
    ended = flowcli("weights", "fetch", NAME)
    assert ended.err[0] == f"another process is fetching into {kept}: waiting for it"
    assert (ended.code, names(kept)) == (0, [f"{NAME}.pth"])


def test_a_damaged_file_is_fetched_again(flowcli, server, kept) -> None:
    kept.mkdir()
    (kept / f"{NAME}.pth").write_bytes(b"damaged")
    assert flowcli("weights", "fetch", NAME).code == 0
    assert (kept / f"{NAME}.pth").read_bytes() == server.content


@pytest.mark.parametrize("broken", [[cut(0.3), cut(0.5), cut(0.01)], [reset], [cut(0.0), cut(0.0)]])
def test_a_lost_connection_is_resumed_where_it_ended(flowcli, server, kept, broken: list[Answer]) -> None:
    server.answers = [*broken, whole]
    assert flowcli("weights", "fetch", NAME).code == 0
    assert (kept / f"{NAME}.pth").read_bytes() == server.content
    assert len(server.ranges) == len(broken) + 1


def test_a_server_that_sends_nothing_ends_the_run_and_a_later_run_resumes(flowcli, server, kept) -> None:
    server.answers = [cut(0.5), cut(0.0)]
    ended = flowcli("weights", "fetch", NAME)
    half = len(server.content) // 2
    missing = len(server.content) - half
    assert ended.code == 5
    assert ended.err == [
        f"error: the connection to {server.url} was lost after {half / 1e6:.1f} MB: {missing:,} bytes are missing",
        "hint: run it again to resume",
    ]
    assert names(kept) == [PART]
    server.answers, server.ranges = [whole], []
    assert flowcli("weights", "fetch", NAME).code == 0
    assert server.ranges == [f"bytes={half}-"]
    assert (kept / f"{NAME}.pth").read_bytes() == server.content


@pytest.mark.parametrize("answer", [ignoring_ranges, another_part])
def test_without_support_for_ranges_the_download_restarts(flowcli, server, kept, answer: Answer) -> None:
    server.answers = [cut(0.5), answer]
    assert flowcli("weights", "fetch", NAME).code == 0
    assert (kept / f"{NAME}.pth").read_bytes() == server.content


@pytest.mark.parametrize("left", [b"of another file", bytes(8_000_000)], ids=["short", "longer than the file"])
def test_the_part_of_another_file_is_discarded(flowcli, server, kept, left: bytes) -> None:
    kept.mkdir()
    (kept / PART).write_bytes(left)
    assert flowcli("weights", "fetch", NAME).code == 0
    assert (kept / f"{NAME}.pth").read_bytes() == server.content
    assert server.ranges == [f"bytes={len(left)}-", None]


def test_a_complete_part_is_not_fetched_again(flowcli, server, kept) -> None:
    kept.mkdir()
    (kept / PART).write_bytes(server.content)
    assert flowcli("weights", "fetch", NAME).code == 0
    assert server.ranges == [f"bytes={len(server.content)}-"]


FAULTS = {
    "wrong bytes": (
        [saying(bytes(range(256)) * 16_000)],
        "{url} is not {name}: its sha256 begins with {found}, not with {sha256}",
        "nothing was kept; try again, or another --url",
    ),
    "a web page": (
        [saying(b"<!DOCTYPE html><title>Sign in</title>")],
        "{url} is not {name}: it is a web page, not a checkpoint",
        "nothing was kept; try again, or another --url",
    ),
    "nothing": (
        [saying(b"")],
        "{url} is not {name}: it is empty",
        "nothing was kept; try again, or another --url",
    ),
    "a length that is too short": (
        [lambda handler, content: handler.reply(200, content, Content_Length=1_000_000)],
        "{url} is not {name}: its sha256 begins with {cut}, not with {sha256}",
        "nothing was kept; try again, or another --url",
    ),
    "a length that is too long": (
        [saying(b"x", length=10**12)],
        "{url} announces 1,000,000,000,000 bytes, but {name} has 4.0 MB",
        "check the address; nothing was kept",
    ),
    "no end": (
        [endless],
        "{url} sends more than 8,000,000 bytes, but {name} has 4.0 MB",
        "check the address; nothing was kept",
    ),
    "404": (
        [saying(b"", code=404)],
        "{url} is refused: 404 Not Found",
        "it may have moved: give a mirror's address with --url",
    ),
    "403": (
        [saying(b"", code=403)],
        "{url} is refused: 403 Forbidden",
        "the server denies access; fetch it on another machine and give the file to --weights",
    ),
    "500": (
        [saying(b"", code=500)],
        "{url} is refused: 500 Internal Server Error",
        "try again later, or a mirror with --url",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_server_is_reported_and_nothing_is_kept(flowcli, server, kept, fault: str) -> None:
    server.answers, message, hint = FAULTS[fault]
    ended = flowcli("weights", "fetch", NAME)
    facts = {
        "url": server.url,
        "name": NAME,
        "sha256": PUBLISHED[NAME].sha256,
        "found": hashlib.sha256(bytes(range(256)) * 16_000).hexdigest()[:8],
        "cut": hashlib.sha256(server.content[:1_000_000]).hexdigest()[:8],
    }
    assert (ended.code, ended.out) == (5, [])
    assert ended.err == [f"error: {message.format(**facts)}", f"hint: {hint}"]
    assert names(kept) == []


def test_a_missing_network_is_reported_with_alternatives(flowcli, server, kept, monkeypatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    ended = flowcli("weights", "fetch", NAME, "--url", "https://mirror.example/raft.pth")
    assert (ended.code, ended.err) == (
        5,
        [
            "error: mirror.example cannot be reached: no such host, or no network",
            "hint: behind a proxy, set https_proxy; or fetch it on another machine and give the file to --weights",
        ],
    )
    assert names(kept) == []


def test_an_unreachable_server_is_reported(flowcli, server) -> None:
    ended = flowcli("weights", "fetch", NAME, "--url", f"http://127.0.0.1:{free_port()}/raft.pth")
    assert ended.code == 5
    assert ended.err[0] == "error: 127.0.0.1 cannot be reached: connection refused"


def test_an_unreachable_proxy_is_reported_without_its_password(flowcli, server, monkeypatch) -> None:
    port = free_port()
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{port}/")
    ended = flowcli("weights", "fetch", NAME, "--url", "http://mirror.example/raft.pth")
    assert ended.code == 5
    assert ended.err == [
        f"error: mirror.example cannot be reached through the proxy 127.0.0.1:{port}: connection refused",
        "hint: check http_proxy; or fetch it on another machine and give the file to --weights",
    ]


def test_a_proxy_that_requires_a_password_is_reported(flowcli, server, monkeypatch) -> None:
    server.answers = [saying(b"", code=407)]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    ended = flowcli("weights", "fetch", NAME, "--url", "http://mirror.example/raft.pth")
    assert ended.err == [
        "error: http://mirror.example/raft.pth is refused: 407 Proxy Authentication Required",
        "hint: put name:password@ into http_proxy",
    ]


def test_a_server_of_another_protocol_is_reported(flowcli, server) -> None:
    server.answers = [lambda handler, _: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")]
    ended = flowcli("weights", "fetch", NAME)
    assert ended.code == 5
    assert ended.err[0].startswith(f"error: the connection to {server.url} was lost after 0.0 MB: SSH-2.0")


def test_an_untrusted_certificate_is_reported(flowcli, server, monkeypatch) -> None:
    import ssl

    def distrust(*_: object, **__: object) -> None:
        raise ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")

    monkeypatch.setattr(socket, "create_connection", distrust)
    ended = flowcli("weights", "fetch", NAME, "--url", "https://mirror.example/raft.pth")
    assert ended.err == [
        "error: mirror.example cannot be reached: its certificate is not trusted",
        "hint: point SSL_CERT_FILE to your organisation's certificates",
    ]


def test_a_full_disk_is_reported_before_the_download(flowcli, server, kept, monkeypatch) -> None:
    usage = shutil.disk_usage(Path())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    ended = flowcli("weights", "fetch", NAME)
    assert (ended.code, ended.err) == (7, disk_full(kept))
    assert names(kept) == []


def test_a_disk_that_fills_up_is_reported_and_the_part_removed(flowcli, server, kept, monkeypatch) -> None:
    full(monkeypatch)
    ended = flowcli("weights", "fetch", NAME)
    assert (ended.code, ended.err) == (7, disk_full(kept))
    assert names(kept) == []


def test_a_folder_that_cannot_be_created_is_exit_7(flowcli, server, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWCLI_WEIGHTS_DIR", str(tmp_path / "file" / "below"))
    ended = flowcli("weights", "fetch", NAME)
    assert (ended.code, ended.err[0]) == (7, f"error: {tmp_path}/file/below cannot be written: not a directory")


def test_weights_of_another_network_are_not_kept(flowcli, server, kept, tmp_path: Path, monkeypatch) -> None:
    torch.save({"other": torch.zeros(3)}, tmp_path / "other.pth")
    server.content = (tmp_path / "other.pth").read_bytes()
    start = hashlib.sha256(server.content).hexdigest()[:8]
    monkeypatch.setitem(PUBLISHED, NAME, replace(PUBLISHED[NAME], sha256=start))
    ended = flowcli("weights", "fetch", NAME)
    assert ended.code == 5
    assert ended.err[0].startswith(f"error: {server.url} holds no weights: ")
    assert names(kept) == []


def test_ctrl_c_keeps_the_received_bytes(flowcli, server, kept) -> None:
    def stopping(handler: Handler, content: bytes) -> None:
        handler.reply(200, content[:2_000_000], Content_Length=len(content))
        handler.wfile.flush()
        for _ in range(1000):
            part = kept / PART
            if part.exists() and part.stat().st_size == 2_000_000:
                break
            threading.Event().wait(0.01)
        signal.raise_signal(signal.SIGINT)

    server.answers = [stopping]
    ended = flowcli("weights", "fetch", NAME)
    assert ended.code == 130
    assert ended.err == ["error: stopped by Ctrl-C", "hint: 2.0 MB are kept: run it again to resume"]
    server.answers = [whole]
    assert flowcli("weights", "fetch", NAME).code == 0
    assert server.ranges[-1] == "bytes=2000000-"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["raft_small_C_T_V3"], "raft_small_C_T_V3 is not among the published weights", "did you mean {}?"),
        ([NAME, "--url", "file:///etc/passwd"], "--url file:///etc/passwd is not an HTTP address", None),
        ([NAME, "--url", "mirror/raft.pth"], "--url mirror/raft.pth is not an HTTP address", None),
    ],
)
def test_unusable_arguments_are_exit_2(flowcli, server, arguments, error: str, hint: str | None) -> None:
    ended = flowcli("weights", "fetch", *arguments)
    assert (ended.code, ended.err[0]) == (2, f"error: {error}")
    assert hint is None or ended.err[1].startswith("hint: did you mean raft_small_C_T_V")
    assert server.ranges == []


def free_port() -> int:
    """A port without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def disk_full(kept: Path) -> list[str]:
    return [
        f"error: {kept / NAME}.pth cannot be written: the disk is full",
        "hint: it takes 4.0 MB: free some space, or set FLOWCLI_WEIGHTS_DIR to another disk",
    ]


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every write after the first fail with a full disk."""
    opened = Path.open

    class Full:
        def __init__(self, file) -> None:
            self.file, self.writes = file, 0

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, data: bytes) -> int:
            self.writes += 1
            if self.writes > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

    def open_full(path: Path, mode: str = "r", *arguments: int, **named: int):
        file = opened(path, mode, *arguments, **named)
        return Full(file) if path.name == PART and mode == "wb" else file

    monkeypatch.setattr(Path, "open", open_full)
