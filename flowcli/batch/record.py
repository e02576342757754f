"""The outcomes of the clips of a batch: batch.json, and the table at the end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from flowcli.errors import PartialError, UsageError
from flowcli.flow.outputs import OVERWRITING
from flowcli.system.json_text import json_text
from flowcli.system.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flowcli.batch.clips import Clip

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Outcome:
    """The outcome of a clip: `status` is done, partial or failed; `error` and `hint` state the reason.

    `fingerprint` identifies the content of the clip and `asked` its options, so that a later run detects changes.
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
    """The clips of one run and their outcomes so far, by key; `record` is the file that holds them.

    `report` is the page that shows them, if there is one.
    """

    record: Path
    clips: Sequence[Clip]
    outcomes: Mapping[str, Outcome]
    seconds: float
    report: Path | None = None

    def places(self) -> str:
        """One line: the folder of the outputs, and the page to open, or the record."""
        page = f"open {self.report}" if self.report else f"outcomes are in {self.record.name}"
        return f"outputs are in {self.record.parent}; {page}"

    def rows(self) -> list[list[str]]:
        """A header, up to 50 clips that are partial or failed with the reason, and the totals."""
        failed = [outcome for outcome in self.outcomes.values() if outcome.status != "done"]
        rows = [["clip", "status", "flows", "seconds", "reason"]]
        for outcome in failed[:FAILURES_SHOWN]:
            rows.append(
                [outcome.clip, outcome.status, str(outcome.flows), f"{outcome.seconds:.1f}", outcome.error or ""]
            )
        if len(failed) > FAILURES_SHOWN:
            rows.append([f"and {len(failed) - FAILURES_SHOWN} more", "", "", "", f"see {self.record.name}"])
        clips, done = counted(len(self.clips), "clip"), f"{self.counts['done']} done"
        rest = ", ".join(f"{count} {status}" for status, count in sorted(self.counts.items()) if status != "done")
        return [*rows, [clips, done, str(self.flows), f"{self.seconds:.1f}", rest]]

    @property
    def counts(self) -> Counter[str]:
        """The number of clips with each status."""
        return Counter(outcome.status for outcome in self.outcomes.values())

    @property
    def flows(self) -> int:
        """The number of flows of all clips."""
        return sum(outcome.flows for outcome in self.outcomes.values())

    def text(self) -> str:
        """The content of batch.json."""
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
        """The error of a batch with failed or partial clips; None if there are none."""
        failed = [outcome for outcome in self.outcomes.values() if outcome.status != "done"]
        if not failed:
            return None
        message = f"{len(failed)} of {len(self.clips)} clips failed or are partial"
        refused = sum(outcome.hint == OVERWRITING for outcome in failed)
        hint = f"{self.record} states the reasons; --retry-failed computes them again"
        if refused == len(failed):
            hint = "their outputs are of other options, weights or frames: -y overwrites them, -o writes elsewhere"
        elif refused:
            hint = f"{refused} have outputs of other options, weights or frames (-y overwrites); see {self.record}"
        return PartialError(message, hint=hint)


def read_outcomes(record: Path) -> dict[str, Outcome]:
    """The outcomes in batch.json, by key; none if it does not exist. Raises UsageError if it is invalid."""
    if not record.exists():
        return {}
    try:
        items: list[dict[str, Any]] = json.loads(record.read_bytes())["items"]
        return {item["clip"]: Outcome(**item) for item in items}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{record} was not written by flowcli batch", hint="move it away to start over") from error
