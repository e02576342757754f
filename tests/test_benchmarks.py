"""Benchmarks count operations, keep their history and compare with limits correctly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from raft_core.config import LARGE, SMALL, RaftConfig
from raft_core.raft import RAFT
from tests.benchmarks import figures, gpu
from tests.benchmarks.__main__ import OTHERS
from tests.benchmarks.figures import Figure, append_to_history, earlier_ratios, line_of, medians
from tests.benchmarks.gpu import CPU
from tests.benchmarks.models import HEIGHT, WIDTH, ours
from tests.benchmarks.speed import operations_of

MACHINE = {"processor": "Z80", "threads": 1}


@pytest.mark.parametrize("config", [SMALL, LARGE], ids=lambda config: config.name)
def test_operations_equal_those_that_torch_counts(config: RaftConfig) -> None:
    block = RAFT(config).update_block  # with gradients, it computes its convolutions directly
    cells = (2, 3)
    hidden, context, looked_up, flow = (
        torch.rand(1, channels, *cells)
        for channels in (config.hidden_channels, config.context_channels, config.correlation_channels, 2)
    )
    prepared = block.prepare(context)
    with FlopCounterMode(display=False) as counter:
        block(hidden, looked_up, flow, prepared)
    assert operations_of(RAFT(config)) == counter.get_total_flops() // 6 * (HEIGHT // 8) * (WIDTH // 8)


def test_a_ratio_above_its_limit_is_marked_as_missed() -> None:
    within, above = (line_of(Figure("pair", value, "s", "peer", 2.0, 0.5), 0.4) for value in (1.0, 1.1))
    assert within.split() == ["pair", "1", "s", "peer", "2", "0.50", "<=", "0.50", "was", "0.40"]
    assert above.endswith("0.55  <= 0.50 was 0.40  MISSED")
    assert line_of(Figure("pair", 1.0, "s", "peer", None, 0.5), None).split() == ["pair", "1", "s", "no", "peer"]


def test_the_history_gives_the_latest_ratios_of_the_same_machine(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figures, "HISTORY", tmp_path / "history.jsonl")
    assert earlier_ratios(MACHINE) == {}
    for machine, seconds in ((MACHINE, 1.0), (MACHINE, 3.0), ({**MACHINE, "threads": 2}, 9.0)):
        append_to_history(machine, [Figure("pair", seconds, "s", "peer", 4.0), Figure("updates", 5, "")])
    assert earlier_ratios(MACHINE) == {"pair": 0.75}


def test_compared_functions_alternate_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    seconds = medians(rounds=2, one=lambda: calls.append("one"), other=lambda: calls.append("other"))
    assert calls == ["one", "other"] * 3
    assert list(seconds) == ["one", "other"]


def test_the_rates_on_a_gpu_are_measured_for_every_size_precision_and_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, by the same functions."""
    monkeypatch.setattr(gpu, "SIZES", {"wide": (128, 136, 2), "square": (128, 128, 1)})
    monkeypatch.setattr(gpu, "PRECISIONS", {"fp32": torch.float32})
    found = list(gpu.rates(ours("convex"), CPU))
    assert [figure.name for figure in found] == [
        f"raft-small-convex, {size}, {name}" for size in ("wide", "square") for name in ("fp32", "balanced", "fast")
    ]
    assert all(figure.value > 0 and figure.unit == "/s" for figure in found)


def test_every_benchmark_has_a_name_on_the_command_line() -> None:
    folder = Path(__file__).parent / "benchmarks"
    whole = {path.stem for path in folder.glob("*.py") if "\ndef run() -> None:" in path.read_text(encoding="utf-8")}
    assert whole == set(OTHERS)
