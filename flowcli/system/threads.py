"""Decoding ahead and encoding behind, each in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 1.0
"""Seconds that a thread may take to notice that nobody reads from it any more."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_contra]):
    """What takes items one by one and becomes a file."""

    def write(self, item: T_contra, /) -> None:
        """Takes one more."""

    def close(self) -> None:
        """Completes the file."""

    def abort(self) -> None:
        """Leaves nothing unfinished behind."""

    def finish_partial(self) -> Path | None:
        """Keeps what is done under a name that says so, and returns the path, or None where nothing is to be kept."""


def prefetch(items: Iterator[T], *, ahead: int = 4) -> Iterator[T]:
    """The same items, of which up to `ahead` are made ready in a thread while the consumer works.

    Errors of `items` come out at the same place. The thread, which also closes `items`, has ended when this has, unless
    `items` waits for something that does not come.
    """
    channel = _Channel[T](ahead)
    thread = threading.Thread(target=_fill, args=(channel, items), name="flowcli-prefetch", daemon=True)
    thread.start()
    try:
        yield from channel
    finally:
        channel.leave()
        thread.join(timeout=_PATIENCE)


class Background(Generic[T]):
    """Runs the writes of `receiver` in a thread, in order, at most `behind` items late.

    An error of a write comes out of the next call; no later item is written then. Each of the three ways to end also
    ends the thread: `close` and `finish_partial` after what is waiting, `abort` without it.
    """

    def __init__(self, receiver: Receiver[T], *, behind: int = 2) -> None:
        self._receiver = receiver
        self._channel = _Channel[T](behind)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, name="flowcli-writer", daemon=True)
        self._thread.start()

    def write(self, item: T, /) -> None:
        """Hands over one item; waits while `behind` others are waiting."""
        if not self._channel.put(item):
            self._raise()

    def close(self) -> None:
        """Writes what is waiting, then completes the file."""
        self._join()
        self._raise()
        self._receiver.close()

    def abort(self) -> None:
        """Forgets what is waiting and aborts the file."""
        self._channel.leave()
        self._thread.join()
        self._receiver.abort()

    def finish_partial(self) -> Path | None:
        """Writes what is waiting, then keeps what is done."""
        self._join()
        self._raise()
        return self._receiver.finish_partial()

    def _drain(self) -> None:
        try:
            for item in self._channel:
                self._receiver.write(item)
        except BaseException as error:
            self._error = error
        finally:
            self._channel.leave()

    def _join(self) -> None:
        self._channel.end()
        self._thread.join()

    def _raise(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._error


def _fill(channel: _Channel[T], items: Iterator[T]) -> None:
    try:
        with contextlib.ExitStack() as stack:
            if isinstance(items, Generator):
                stack.callback(items.close)
            for item in items:
                if not channel.put(item):
                    break
    except BaseException as error:
        channel.end(error)
    finally:
        channel.end()


class _Channel(Generic[T]):
    """A bounded queue whose either end can be given up, which wakes the other at once."""

    def __init__(self, size: int) -> None:
        self._size = max(1, size)
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._left = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Adds an item once there is room; false when nobody reads any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size or self._left)
            if not self._left:
                self._items.append(item)
                self._changed.notify_all()
            return not self._left

    def end(self, error: BaseException | None = None) -> None:
        """Says that no more items come, or that `error` comes after them."""
        with self._changed:
            self._error = self._error or error
            self._ended = True
            self._changed.notify_all()

    def leave(self) -> None:
        """Says that nobody reads any more, and drops what is waiting."""
        with self._changed:
            self._left = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._left)
                if not self._items:
                    if self._error is not None and not self._left:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # so that a large item does not live on while the next is awaited
