from __future__ import annotations

import signal
import threading

import pytest

from flowcli.system.signals import Interruption, Stop

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


def test_the_first_signal_is_recorded_and_the_second_raised() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.number == signal.SIGTERM
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
        assert interruption.number == signal.SIGTERM


def test_at_once_the_first_signal_is_raised_past_except_exception() -> None:
    def catching() -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        except Exception:
            pytest.fail("swallowed")

    with Interruption(at_once=True), pytest.raises(Stop):
        catching()


def test_a_signal_interrupts_the_iterator_of_items() -> None:
    def items():
        yield 1
        signal.raise_signal(signal.SIGINT)
        pytest.fail("not interrupted")
        yield 2

    with Interruption() as interruption:
        assert list(interruption.until_stopped(items())) == [1]
        assert interruption.number == signal.SIGINT


def test_a_signal_while_an_item_is_used_takes_effect_after_it() -> None:
    used = []
    with Interruption() as interruption:
        for item in interruption.until_stopped([1, 2, 3]):
            if item == 2:
                signal.raise_signal(signal.SIGINT)
            used.append(item)
    assert used == [1, 2]


def test_earlier_handlers_are_restored() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert before == {number: signal.getsignal(number) for number in before}


def test_an_ignored_signal_stays_ignored_as_nohup_needs() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert interruption.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_no_handler_is_installed() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Interruption():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
