"""What a plan promises, by arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowcli.errors import DeviceError, UsageError
from flowcli.model.device import left_in_container
from flowcli.model.memory_plan import Plan, amount, make_plan, parse_size
from raft_core.config import LARGE, SMALL

GIB = 2**30


def plan(height: int, width: int, *, budget: int | None, batch: int | None = 1, both: bool = False) -> Plan:
    return make_plan(height, width, config=SMALL, both=both, budget=budget, batch=batch, most=16)


def test_small_frames_keep_the_volume_of_all_pairs() -> None:
    assert not plan(436, 1024, budget=4 * GIB).on_demand


def test_large_frames_look_correlations_up_on_demand() -> None:
    for height, width, budget in ((1080, 1920, 4 * GIB), (2160, 3840, 8 * GIB)):
        chosen = plan(height, width, budget=budget)
        assert chosen.on_demand
        assert chosen.bytes < budget


def test_what_memory_bounds_is_kept() -> None:
    for budget in (GIB, 2 * GIB, 8 * GIB, 64 * GIB):
        assert plan(436, 1024, budget=budget, batch=None).bytes <= budget


def test_an_automatic_batch_grows_with_memory_up_to_the_most() -> None:
    batches = [plan(436, 1024, budget=budget * GIB, batch=None).batch for budget in (1, 4, 80)]
    assert batches[0] < batches[1] < batches[2] == 16


def test_a_batch_asked_for_is_kept_at_the_price_of_the_volume() -> None:
    assert plan(720, 1280, budget=2 * GIB, batch=2).on_demand
    assert not plan(720, 1280, budget=2 * GIB, batch=1).on_demand


def test_both_directions_take_the_volume_twice() -> None:
    one, two = (plan(720, 1280, budget=None, both=both).bytes for both in (False, True))
    assert two - one == 4 * (90 * 160) ** 2 * 4 // 3


def test_the_volume_is_counted_as_raft_facts_gives_it() -> None:
    """0.24 GiB at 436 x 1024, 5.18 at 1080p: all but a few hundred MiB of the plan."""
    for height, width, expected in ((436, 1024, 0.24), (1080, 1920, 5.18)):
        with_volume = make_plan(height, width, config=LARGE, both=False, budget=None, batch=1, most=1).bytes
        assert expected < with_volume / GIB < expected + 1.5


@pytest.mark.parametrize(("batch", "hint"), [(1, "use --max-side"), (4, "use a smaller --batch")])
def test_what_fits_in_no_way_is_refused(batch: int, hint: str) -> None:
    with pytest.raises(DeviceError, match=r"frames of 3840 x 2160 take .* GiB, and 100 MiB may be used") as refusal:
        plan(2160, 3840, budget=100 * 2**20, batch=batch)
    assert refusal.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "size"), [("800M", 800 * 2**20), ("4G", 4 * GIB), ("1.5 GiB", 3 * GIB // 2), ("7", 7)]
)
def test_an_amount_of_memory_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "4 GB free", "0", "nan"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no amount of memory"):
        parse_size(text)


def test_an_amount_is_written_for_people() -> None:
    assert [amount(size) for size in (100 * 2**20, 3 * GIB // 2)] == ["100 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("place", "most", "used"),
    [(".", "memory.max", "memory.current"), ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes")],
)
def test_a_container_has_left_what_its_limit_leaves(tmp_path: Path, place: str, most: str, used: str) -> None:
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    assert left_in_container(tmp_path) == []
    (folder / most).write_text("4000\n")
    (folder / used).write_text("1500\n")
    (folder / "memory.stat").write_text("anon 900\ninactive_file 500\n")
    assert left_in_container(tmp_path) == [3000]


def test_a_container_without_a_limit_has_none(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert left_in_container(tmp_path) == []
