"""What became of the clips of a batch: batch.json, and the table at the end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from flowcli.errors import PartialError, UsageError
from flowcli.system.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.batch.clips import Clip

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: `status` is done, partial or failed; `error` and `hint` say why not done.

    `fingerprint` tells whether the clip has changed since, `asked` whether its options have.
    """

    clip: str
    status: str
    flows: int
    seconds: float
    fingerprint: str
    asked: str
    error: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Batch:
    """The clips of one run, and what became of each so far, by key; `record` is where that is kept."""

    record: Path
    clips: Sequence[Clip]
    outcomes: Mapping[str, Outcome]
    seconds: float

    def rows(self) -> list[list[str]]:
        """The totals, and what failed with its reason."""
        failed = [outcome for outcome in self.outcomes.values() if outcome.status != "done"]
        rows = [["clip", "status", "flows", "seconds", "reason"]]
        for outcome in failed[:FAILURES_SHOWN]:
            rows.append(
                [outcome.clip, outcome.status, str(outcome.flows), f"{outcome.seconds:.1f}", outcome.error or ""]
            )
        if len(failed) > FAILURES_SHOWN:
            rows.append([f"and {len(failed) - FAILURES_SHOWN} more", "", "", "", f"see {self.record.name}"])
        done = f"{self.counts['done']} done"
        rest = ", ".join(f"{count} {status}" for status, count in sorted(self.counts.items()) if status != "done")
        return [*rows, [f"{len(self.clips)} clips", done, str(self.flows), f"{self.seconds:.1f}", rest]]

    @property
    def counts(self) -> Counter[str]:
        """How many clips have each status."""
        return Counter(outcome.status for outcome in self.outcomes.values())

    @property
    def flows(self) -> int:
        """How many flows there are, of all clips."""
        return sum(outcome.flows for outcome in self.outcomes.values())

    def text(self) -> str:
        """As JSON: what batch.json holds."""
        return json_text(
            {
                "clips": len(self.clips),
                "counts": dict(self.counts),
                "flows": self.flows,
                "seconds": round(self.seconds, 3),
                "items": [asdict(self.outcomes[clip.key]) for clip in self.clips if clip.key in self.outcomes],
            }
        )

    def problem(self) -> PartialError | None:
        """The error of a batch with failed clips; None where all are done."""
        failed = sum(outcome.status != "done" for outcome in self.outcomes.values())
        if not failed:
            return None
        return PartialError(
            f"{failed} of {len(self.clips)} clips could not be done, or not whole",
            hint=f"{self.record} has the reasons; --retry-failed tries them again",
        )


def read_outcomes(record: Path) -> dict[str, Outcome]:
    """What an earlier run noted; nothing where there was none."""
    if not record.exists():
        return {}
    try:
        items: list[dict[str, Any]] = json.loads(record.read_bytes())["items"]
        return {item["clip"]: Outcome(**item) for item in items}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{record} is not what flowcli batch wrote", hint="move it away to start anew") from error
