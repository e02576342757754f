"""Headless Chromium, driven through its DevTools pipe: pages, input events and screenshots without another package."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--no-first-run",
)


class Page:
    """One tab. `send` is a DevTools command; the other methods are what a reader does."""

    def __init__(self, process: subprocess.Popen[bytes], incoming: int, outgoing: int) -> None:
        self.process, self.incoming, self.outgoing = process, incoming, outgoing
        self.buffer, self.number, self.session = b"", 0, None
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command; raises RuntimeError with Chromium's message if it fails."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.outgoing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def receive(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            part = os.read(self.incoming, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def note(self, event: dict[str, Any]) -> None:
        """Keeps what the page reports by itself: uncaught errors, refused loads, and its requests."""
        method, content = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(content["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and content["entry"]["level"] == "error":
            self.errors.append(content["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(content["request"]["url"][:80])

    def screen(self, width: int, height: int, *, dark: bool = False, still: bool = True, touch: bool = False) -> None:
        """The size of the window, and what the reader prefers; `still` is reduced motion."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        features = {
            "color-scheme": "dark" if dark else "light",
            "reduced-motion": "reduce" if still else "no-preference",
        }
        self.send(
            "Emulation.setEmulatedMedia",
            features=[{"name": f"prefers-{name}", "value": value} for name, value in features.items()],
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)

    def open(self, path: Path, address: str = "") -> None:
        """Loads a page and waits until it shows a pixel."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=f"{path.absolute().as_uri()}#{address}")
        self.wait("document.readyState === 'complete' && document.getElementById('pixel')?.dataset.x !== undefined")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; raises RuntimeError if it throws."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait(self, condition: str, *, seconds: float = 30) -> None:
        """Waits until an expression is true; raises TimeoutError with the page's errors."""
        until = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > until:
                raise TimeoutError(f"{condition} is not true after {seconds} s; errors: {self.errors}")
            time.sleep(0.05)

    def settle(self) -> None:
        """Waits until what was asked for is drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def point(self, selector: str, x: float, y: float) -> tuple[float, float]:
        """A place on an element, given as shares of its width and height, in the window."""
        box = self.run(f"(({{left, top, width, height}}) => [left, top, width, height])"
                       f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())")  # fmt: skip
        return box[0] + x * box[2], box[1] + y * box[3]

    def mouse(self, kind: str, place: tuple[float, float], *, held: bool = False) -> None:
        """A mouse event: mouseMoved, mousePressed or mouseReleased."""
        button = "none" if kind == "mouseMoved" and not held else "left"
        x, y = place
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=int(held), clickCount=1)
        self.settle()

    def click(self, selector: str) -> None:
        """Clicks in the middle of an element."""
        self.settle()
        place = self.point(selector, 0.5, 0.5)
        self.mouse("mousePressed", place, held=True)
        self.mouse("mouseReleased", place)

    def key(self, name: str, *, shift: bool = False) -> None:
        """Presses a key by its name in JavaScript."""
        text = {"text": "\r" if name == "Enter" else name} if len(name) == 1 or name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, modifiers=8 * shift, **text)
        self.settle()

    def touch(self, *places: tuple[float, float]) -> None:
        """A finger that goes down at the first place, moves to the others, and leaves."""
        for kind, place in zip(("touchStart", *["touchMove"] * (len(places) - 1)), places, strict=True):
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": place[0], "y": place[1]}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def picture(self, path: Path) -> None:
        """A screenshot of the window, as PNG."""
        self.settle()
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium() -> Iterator[Page]:
    """A tab of a browser with a profile of its own, which ends with the block."""
    to_read, outgoing = os.pipe()
    incoming, to_write = os.pipe()

    # Chromium reads commands from descriptor 3 and writes answers to 4. The pipe that was opened first has the lower
    # descriptors, so that connecting 3 does not close the other one.
    connected = f'exec "$@" 3<&{to_read} 4>&{to_write}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["bash", "-c", connected, "bash", str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        try:
            yield Page(process, incoming, outgoing)
        finally:
            process.terminate()
            process.wait(20)
            os.close(incoming)
            os.close(outgoing)
