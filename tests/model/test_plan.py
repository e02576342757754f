"""The estimated memory of plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flowcli.errors import DeviceError, UsageError
from flowcli.model.device import left_in_container
from flowcli.model.memory_plan import Plan, amount, make_cpu_plan, make_plan, parse_size
from raft_core.config import LARGE, SMALL

GIB = 2**30


def plan(height: int, width: int, *, budget: int | None, batch: int | None = 1, both: bool = False) -> Plan:
    return make_plan(height, width, config=SMALL, both=both, budget=budget, batch=batch)


def test_small_frames_keep_the_volume_of_all_pairs() -> None:
    assert not plan(436, 1024, budget=4 * GIB).on_demand


def test_large_frames_use_on_demand_correlation() -> None:
    for height, width, budget in ((1080, 1920, 4 * GIB), (2160, 3840, 8 * GIB)):
        chosen = plan(height, width, budget=budget)
        assert chosen.on_demand
        assert chosen.bytes < budget


def test_a_plan_stays_within_its_budget() -> None:
    for budget in (GIB, 2 * GIB, 8 * GIB, 64 * GIB):
        assert plan(436, 1024, budget=budget, batch=None).bytes <= budget


def test_an_automatic_batch_grows_with_memory_up_to_its_limit() -> None:
    batches = [plan(436, 1024, budget=budget * GIB, batch=None).batch for budget in (1, 4, 80)]
    assert batches[0] < batches[1] < batches[2] == 16


def test_a_given_batch_is_kept_even_if_it_needs_on_demand_correlation() -> None:
    assert plan(720, 1280, budget=2 * GIB, batch=2).on_demand
    assert not plan(720, 1280, budget=2 * GIB, batch=1).on_demand


def test_both_directions_take_the_volume_twice() -> None:
    one, two = (plan(720, 1280, budget=None, both=both).bytes for both in (False, True))
    assert two - one == 4 * (90 * 160) ** 2 * 4 // 3


def on_cpu(
    height: int, width: int, *, budget: int | None = None, batch: int | None = None, at_once: int | None = 8
) -> Plan:
    return make_cpu_plan(height, width, config=SMALL, both=False, budget=budget, batch=batch, at_once=at_once)


def test_a_cpu_computes_several_small_pairs_at_once_and_large_ones_alone() -> None:
    together = [on_cpu(*size).at_once for size in ((64, 64), (436, 1024), (1080, 1920), (2160, 3840))]
    assert together == sorted(together, reverse=True)
    assert (together[0], together[-2:]) == (8, [1, 1])
    assert on_cpu(436, 1024).bytes <= 2 * GIB


def test_a_cpu_takes_no_more_pairs_at_once_than_the_batch_the_budget_and_the_threads_allow() -> None:
    alone = on_cpu(436, 1024, at_once=1)
    assert (alone.batch, alone.at_once, alone.on_demand) == (1, 1, True)
    assert on_cpu(436, 1024, budget=alone.bytes).at_once == 1
    assert on_cpu(436, 1024, batch=1).at_once == 1
    assert on_cpu(436, 1024, at_once=2).at_once == 2
    with pytest.raises(DeviceError, match=r"computing at 1024 x 436 takes .*, and 1 MiB may be used"):
        on_cpu(436, 1024, budget=2**20)


def test_pairs_that_start_from_each_other_are_planned_as_one_batch_within_the_budget() -> None:
    one, four = (on_cpu(436, 1024, batch=batch, at_once=None) for batch in (None, 4))
    assert (one.batch, four.batch, four.at_once) == (1, 4, None)
    assert four.bytes == 4 * one.bytes
    assert on_cpu(436, 1024, batch=4, at_once=None, budget=3 * one.bytes) == replace(four, batch=3, bytes=3 * one.bytes)
    with pytest.raises(DeviceError, match="computing at 1024 x 436 takes"):
        on_cpu(436, 1024, batch=4, at_once=None, budget=one.bytes - 1)


def test_the_volume_has_the_size_of_the_correlation_pyramid() -> None:
    """Its pyramid takes 0.24 GiB at 436 x 1024 and 5.18 GiB at 1080p; the rest is below 1.5 GiB."""
    for height, width, expected in ((436, 1024, 0.24), (1080, 1920, 5.18)):
        with_volume = make_plan(height, width, config=LARGE, both=False, budget=None, batch=1).bytes
        assert expected < with_volume / GIB < expected + 1.5


@pytest.mark.parametrize(("batch", "hint"), [(1, "use --max-side"), (4, "use a smaller --batch")])
def test_frames_that_do_not_fit_are_refused(batch: int, hint: str) -> None:
    with pytest.raises(DeviceError, match=r"computing at 3840 x 2160 takes .* GiB, and 100 MiB may be used") as refusal:
        plan(2160, 3840, budget=100 * 2**20, batch=batch)
    assert refusal.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "size"), [("800M", 800 * 2**20), ("4G", 4 * GIB), ("1.5 GiB", 3 * GIB // 2), ("7", 7)]
)
def test_an_amount_of_memory_is_parsed(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "4 GB free", "0", "nan"])
def test_other_text_is_refused_as_an_amount_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="is not an amount of memory"):
        parse_size(text)


def test_an_amount_is_formatted_in_mib_or_gib() -> None:
    assert [amount(size) for size in (100 * 2**20, 3 * GIB // 2)] == ["100 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("place", "most", "used"),
    [(".", "memory.max", "memory.current"), ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes")],
)
def test_the_free_memory_of_a_container_is_its_limit_minus_its_use(
    tmp_path: Path, place: str, most: str, used: str
) -> None:
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    assert left_in_container(tmp_path) == []
    (folder / most).write_text("4000\n")
    (folder / used).write_text("1500\n")
    (folder / "memory.stat").write_text("anon 900\ninactive_file 500\n")
    assert left_in_container(tmp_path) == [3000]


def test_a_container_without_a_limit_gives_no_free_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert left_in_container(tmp_path) == []
