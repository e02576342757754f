"""Every fault of the registry ends with its exit code, one error and one hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import checkpoints, kinds, notes, pictures, surroundings, system, times, videos  # noqa: F401 - they register their faults
from tests.faults.registry import FAULTS, Fault
from tests.faults.running import run_fault


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.section} {fault.name}" for fault in FAULTS])
def test_a_fault_ends_as_it_must(tmp_path: Path, weights: Path, fault: Fault) -> None:
    outcome = run_fault(fault, tmp_path, weights)
    assert not outcome.wrong, outcome.stderr
