"""The results of the checks of `flowcli doctor`, for people and for programs."""

from __future__ import annotations

import importlib
from dataclasses import asdict, dataclass, field
from typing import Any

from flowcli.errors import DeviceError, FlowcliError
from flowcli.system.json_text import json_text
from flowcli.system.refusals import RAISE_LIMIT, UNMAPPED, reason


@dataclass(frozen=True)
class Problem:
    """A problem, and the command or action that fixes it."""

    what: str
    fix: str


@dataclass
class Diagnosis:
    """The results of all checks: under each heading, a line for people and a record for programs; and problems."""

    lines: dict[str, str] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add_fact(self, heading: str, line: str, record: object) -> None:
        """Adds a fact under a heading."""
        self.lines[heading] = line
        self.records[heading] = record

    def add_problem(self, what: str, fix: str) -> None:
        """Adds a problem, unless it is among them."""
        if Problem(what, fix) not in self.problems:
            self.problems.append(Problem(what, fix))

    def facts(self) -> dict[str, str]:
        """The lines for people by heading, problems last."""
        problems = {
            f"problem {number}": f"{each.what}; fix it: {each.fix}" for number, each in enumerate(self.problems, 1)
        }
        return {**self.lines, **(problems or {"problems": "none"})}

    def problem(self) -> DeviceError | None:
        """The error of packages that cannot be loaded; None if all can."""
        missing = [heading for heading, record in self.records.items() if record is None]
        if not missing:
            return None
        return DeviceError(f"{', '.join(missing)} cannot be loaded", hint="the problems listed above state the fixes")

    def text(self) -> str:
        """The records for programs as JSON."""
        return json_text({**self.records, "problems": [asdict(each) for each in self.problems]})


def loaded(diagnosis: Diagnosis, module: str, *, package: str, fix: str | None = None) -> Any:
    """The imported module; None, with a problem added, where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except FlowcliError as error:
        diagnosis.add_problem(str(error), fix or error.hint)
    except (ImportError, OSError) as error:
        reinstall = RAISE_LIMIT if UNMAPPED in str(error) else f"pip install --force-reinstall {package}"
        diagnosis.add_problem(f"{package} cannot be loaded: {reason(error)}", fix or reinstall)
    diagnosis.add_fact(package, "cannot be loaded, see the problems", None)
    return None
