from __future__ import annotations

import threading
import time

import pytest

from flowcli.system.threads import BackgroundWriter, prefetch


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("flowcli")]


class _Source:
    def __init__(self, count=1000):
        self.made = 0
        self.closed = False
        self._count = count

    def __iter__(self):
        try:
            for number in range(self._count):
                self.made += 1
                yield number
        finally:
            self.closed = True


def test_items_come_in_order():
    assert list(prefetch(iter(range(100)), ahead=3)) == list(range(100))


def test_no_more_than_ahead_items_are_computed_ahead():
    source = _Source()
    items = prefetch(iter(source), ahead=3)
    assert next(items) == 0
    time.sleep(0.05)
    assert source.made <= 1 + 3 + 1
    items.close()


def test_an_error_is_raised_after_the_items_before_it():
    def failing():
        yield 1
        raise ValueError("broken")

    items = prefetch(failing())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_the_thread_ends_when_the_consumer_closes():
    source = _Source()
    items = prefetch(iter(source), ahead=2)
    next(items)
    items.close()
    assert source.closed


def test_the_thread_ends_when_the_consumer_fails():
    source = _Source()
    with pytest.raises(RuntimeError):
        _consume(prefetch(iter(source)))
    assert source.closed


def _consume(items):
    for _ in items:
        raise RuntimeError


def test_nothing_starts_before_the_first_item_is_requested():
    source = _Source()
    items = prefetch(iter(source))
    assert source.made == 0
    items.close()


def test_an_error_while_closing_is_not_a_deadlock():
    def failing():
        try:
            yield 1
        finally:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(prefetch(failing()))


class _Recorder:
    def __init__(self, *, fails_at=None, waits=0.0):
        self.items = []
        self.ended = []
        self._fails_at = fails_at
        self._waits = waits

    def write(self, item, /):
        time.sleep(self._waits)
        if item == self._fails_at:
            raise OSError("disk full")
        self.items.append(item)

    def close(self):
        self.ended.append("close")

    def abort(self):
        self.ended.append("abort")

    def finish_partial(self):
        self.ended.append("partial")


def test_everything_is_written_in_order_before_the_close():
    recorder = _Recorder(waits=0.001)
    behind = BackgroundWriter(recorder, behind=2)
    for number in range(20):
        behind.write(number)
    behind.close()
    assert recorder.items == list(range(20))
    assert recorder.ended == ["close"]


def test_a_later_call_raises_the_error_of_a_write_and_nothing_more_is_written():
    recorder = _Recorder(fails_at=3)
    behind = BackgroundWriter(recorder, behind=2)
    with pytest.raises(OSError, match="disk full"):
        for number in range(20):
            behind.write(number)
    behind.abort()
    assert recorder.items == [0, 1, 2]
    assert recorder.ended == ["abort"]


def test_closing_raises_the_error_of_the_last_write():
    recorder = _Recorder(fails_at=0, waits=0.02)
    behind = BackgroundWriter(recorder)
    behind.write(0)
    with pytest.raises(OSError, match="disk full"):
        behind.close()
    assert recorder.ended == []
    behind.abort()


def test_an_abort_does_not_wait_for_queued_items():
    recorder = _Recorder(waits=0.02)
    behind = BackgroundWriter(recorder, behind=4)
    for number in range(4):
        behind.write(number)
    behind.abort()
    assert len(recorder.items) <= 1
    assert recorder.ended == ["abort"]


def test_an_interrupted_writer_first_writes_queued_items():
    recorder = _Recorder(waits=0.005)
    behind = BackgroundWriter(recorder, behind=4)
    for number in range(4):
        behind.write(number)
    behind.finish_partial()
    assert recorder.items == [0, 1, 2, 3]
    assert recorder.ended == ["partial"]
