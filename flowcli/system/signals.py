"""Stops by Ctrl-C, TERM and HUP that keep what is complete."""

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
    """A signal that stops the run; like KeyboardInterrupt, it passes every `except Exception`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StoppedError(FlowcliError):
    """A run that was stopped by a signal; its exit code is 128 plus the signal's number, as in shells."""

    def __init__(self, number: int, *, hint: str) -> None:
        super().__init__(f"stopped by {NAMES[signal.Signals(number).name]}", hint=hint)
        self.number = number
        self.exit_code = 128 + number


class Interruption:
    """Records the first signal in `number`, or, if `at_once`, raises it as `Stop`; every later signal is raised.

    `cut_short` says whether items ended because a signal interrupted the making of one.
    """

    def __init__(self, *, at_once: bool = False) -> None:
        self.number: int | None = None
        self.cut_short = False
        self._at_once = at_once
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Installs the handlers; in threads other than the main one, where Python allows none, it does nothing."""
        if threading.current_thread() is threading.main_thread():
            # Windows has no SIGHUP.
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                # An ignored signal stays ignored, as `nohup` needs. None: a handler that Python did not install, and
                # could not restore.
                if signal.getsignal(number) not in {signal.SIG_IGN, None}:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """The items up to the first signal, which also interrupts `items` while it makes the next one."""
        iterator = iter(items)
        while self.number is None:
            try:
                self._at_once = True
                item = next(iterator)
            except StopIteration:
                return
            except Stop:
                self.cut_short = True
                return
            finally:
                self._at_once = False
            yield item

    def _note(self, number: int, frame: FrameType | None) -> None:
        repeated = self.number is not None
        self.number = self.number or number
        if repeated or self._at_once:
            raise Stop(number)
