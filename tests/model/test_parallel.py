"""Several computations at the same time on a CPU."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from flowcli.api import Estimator
from flowcli.model.looks import Looks
from flowcli.model.parallel import on_cores, threads_of
from raft_core.convolution import DIRECT, direct_convolutions
from raft_core.raft import RAFT


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_values_are_computed_at_the_same_time_with_the_threads_of_each_and_in_order() -> None:
    both = threading.Barrier(2, timeout=20)

    def compute(value: int) -> tuple[int, int]:
        both.wait()
        return value, torch.get_num_threads()

    assert on_cores(compute, range(4), at_once=2, threads_each=2) == [(value, 2) for value in range(4)]


def test_the_number_of_threads_is_as_before_also_after_an_error() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()

    def fail(_: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        on_cores(fail, [1, 2], at_once=2, threads_each=2)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before


def test_opencvs_number_of_threads_is_as_before_when_the_last_of_two_users_leaves() -> None:
    before = cv2.getNumThreads()
    first, second = threads_of(before + 1), threads_of(before + 2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == before + 2
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == before


def test_threads_compute_in_the_modes_of_their_caller() -> None:
    def modes(_: int) -> tuple[bool, bool]:
        return torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    assert on_cores(modes, [1], at_once=2, threads_each=2) == [(False, False)]
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert on_cores(modes, [1], at_once=2, threads_each=2) == [(True, True)]


def test_threads_convolve_directly_where_their_caller_does() -> None:
    with direct_convolutions():
        assert on_cores(lambda _: DIRECT.get(), [1, 2, 3], at_once=2, threads_each=2) == [True] * 3
    assert on_cores(lambda _: DIRECT.get(), [1, 2], at_once=2, threads_each=2) == [False] * 2


def test_one_at_once_is_computed_by_the_caller_with_its_threads() -> None:
    def compute(_: int) -> tuple[threading.Thread, int]:
        return threading.current_thread(), torch.get_num_threads()

    assert on_cores(compute, [1, 2], at_once=1, threads_each=3) == [(threading.current_thread(), 3)] * 2


def test_all_cores_work_on_a_pair_that_is_alone(compute, make_images, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, estimate = [], Looks.at_full_size

    def noted(*arguments: Any, **options: Any) -> Any:
        threads.append(torch.get_num_threads())
        return estimate(*arguments, **options)

    monkeypatch.setattr(Looks, "at_full_size", noted)
    shots = make_images(count=2)
    assert compute("pair", shots / "0.png", shots / "1.png", "-o", shots).code == 0
    estimator = Estimator(RAFT(), device="cpu", iterations=1)
    image = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    estimator.estimate(image[0], image[1])
    estimator.estimate(image, image[::-1])
    assert threads == [4, 4, 1, 1]
