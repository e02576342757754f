"""Ctrl-C, TERM and HUP: what is done is kept, then the run stops."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, TypeVar

from flowcli.errors import FlowcliError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType, TracebackType
    from typing import Self

T = TypeVar("T")

NAMES = {"SIGINT": "Ctrl-C", "SIGTERM": "TERM", "SIGHUP": "HUP"}


class Stop(BaseException):
    """A signal that cuts short whatever runs; like KeyboardInterrupt, no `except Exception` swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StoppedError(FlowcliError):
    """The run was asked to stop; its exit code is 128 plus the signal's number, as shells have it."""

    def __init__(self, number: int, *, hint: str) -> None:
        super().__init__(f"stopped by {NAMES[signal.Signals(number).name]}", hint=hint)
        self.number = number
        self.exit_code = 128 + number


class Interruption:
    """Notes the first signal that asks to stop, or, `at_once`, raises it as `Stop`; a second one is always raised."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.number: int | None = None
        self._at_once = at_once
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Starts listening; only the main thread may, so elsewhere signals do what they did."""
        if threading.current_thread() is threading.main_thread():
            # Windows knows no HUP.
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                # What is ignored stays so: that is how `nohup` keeps a run alive. None is not Python's to put back.
                if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Puts back what listened before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """The items up to the first signal, which also cuts short the making of the next one."""
        iterator = iter(items)
        while self.number is None:
            try:
                self._at_once = True
                item = next(iterator)
            except (Stop, StopIteration):
                return
            finally:
                self._at_once = False
            yield item

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.number is not None
        self.number = self.number or number
        if again or self._at_once:
            raise Stop(number)
