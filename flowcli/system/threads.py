"""Decoding ahead and encoding in the background, each in its own thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TIMEOUT = 1.0
"""Seconds to wait for a thread to end once its consumer has stopped."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Writer(Protocol[T_contra]):
    """Writes items one by one to a file."""

    def write(self, item: T_contra, /) -> None:
        """Appends an item."""

    def close(self) -> None:
        """Completes the file."""

    def abort(self) -> None:
        """Removes the incomplete file."""

    def finish_partial(self) -> Path | None:
        """Completes the file under its partial name and returns that path, or None where there is nothing to keep."""


def prefetch(items: Iterator[T], *, ahead: int = 4) -> Iterator[T]:
    """The same items, up to `ahead` of which are computed in a thread while the consumer works.

    An error of `items` is raised after the items before it. The thread closes `items`, and ends with this generator
    unless `items` is blocked for more than a second.
    """
    channel = _Channel[T](ahead)
    thread = threading.Thread(target=_fill, args=(channel, items), name="flowcli-prefetch", daemon=True)
    thread.start()
    try:
        yield from channel
    finally:
        channel.leave()
        thread.join(timeout=_TIMEOUT)


class BackgroundWriter(Generic[T]):
    """Calls `writer.write` in a thread, in order, with at most `behind` items waiting.

    After an error no further item is written, and the next `write`, `close` or `finish_partial` raises it. `close`,
    `finish_partial` and `abort` end the thread: the first two after the waiting items, `abort` without them.
    """

    def __init__(self, writer: Writer[T], *, behind: int = 2) -> None:
        self._writer = writer
        self._channel = _Channel[T](behind)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, name="flowcli-writer", daemon=True)
        self._thread.start()

    def write(self, item: T, /) -> None:
        """Queues an item; blocks while `behind` others are waiting."""
        if not self._channel.put(item):
            self._raise()

    def close(self) -> None:
        """Writes the waiting items, then completes the file."""
        self._join()
        self._raise()
        self._writer.close()

    def abort(self) -> None:
        """Drops the waiting items and aborts the file."""
        self._channel.leave()
        self._thread.join()
        self._writer.abort()

    def finish_partial(self) -> Path | None:
        """Writes the waiting items, then completes the file under its partial name."""
        self._join()
        self._raise()
        return self._writer.finish_partial()

    def _drain(self) -> None:
        try:
            for item in self._channel:
                self._writer.write(item)
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
    """A bounded queue that either side can close, which wakes the other."""

    def __init__(self, size: int) -> None:
        self._size = max(1, size)
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._left = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Adds an item once there is space; returns False when the reader has left."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size or self._left)
            if not self._left:
                self._items.append(item)
                self._changed.notify_all()
            return not self._left

    def end(self, error: BaseException | None = None) -> None:
        """Marks the end of the items, after which `error` is raised if given."""
        with self._changed:
            self._error = self._error or error
            self._ended = True
            self._changed.notify_all()

    def leave(self) -> None:
        """Marks that the reader has left, and drops the waiting items."""
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
            del item  # a large item must not stay in memory while the next one is awaited
