"""Every fault of every section ends as it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import checkpoints, notes, pictures, surroundings, system, videos  # noqa: F401 - they register their faults
from tests.faults.registry import FAULTS, Fault
from tests.faults.running import meet


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.section} {fault.name}" for fault in FAULTS])
def test_a_fault_ends_as_it_must(tmp_path: Path, untrained: Path, fault: Fault) -> None:
    outcome = meet(fault, tmp_path, untrained)
    assert not outcome.wrong, outcome.stderr
