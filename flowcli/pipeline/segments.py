"""A long run as closed segments: what is done survives even a kill, and the rest repeats the same arithmetic.

Beside the outputs of a run under way lies a hidden folder, its journal:

    .NAME_flow.run/manifest.json            what the run is, and all that was resolved when it began
    .NAME_flow.run/000000/NAME_flow.mp4     a segment's part of every output that is one file
    .NAME_flow.run/000000/memory.npz      the flow that the next segment starts warm from
    .NAME_flow.run/000000/segment.json      its pairs; written last, so that it says: this segment is closed
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice, takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from flowcli.errors import UsageError
from flowcli.flow.estimate import Stamp
from flowcli.flow.naming import Part
from flowcli.model.memory import Memory
from flowcli.system.files import write_whole
from flowcli.system.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from flowcli.flow.outputs import Output
    from flowcli.media.frames import FramePair


@dataclass(frozen=True)
class Segment:
    """What is known of some pairs once they are written: `errors` are photometric, before and after warping.

    A signal leaves a segment that is not `complete`. Frames `lost` and `notes` are those of a source that was read for
    this segment alone.
    """

    stamps: tuple[Stamp, ...] = ()
    errors: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    complete: bool = True
    lost: int = 0
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Journal:
    """The segments of one run, closed ones first; the folder is kept to this process until the end of a `with`."""

    folder: Path
    manifest: dict[str, Any]
    lock: Lock
    closed: list[Segment] = field(default_factory=list)
    kept: bool = False
    """Whether the folder stays when this process lets go of it."""

    @classmethod
    def open(cls, folder: Path, job: Mapping[str, object], *, resume: bool) -> Self:
        """The journal of `job`: a new one, or, to `resume`, the one that an earlier process left.

        Raises UsageError where another process is at work.
        """
        lock = Lock(folder)
        earlier = read_manifest(folder) if resume else None
        if earlier is None:
            for old in folder.glob("[0-9]*"):
                shutil.rmtree(old)
            earlier = {"job": dict(job)}
        journal = cls(folder, earlier, lock)
        folders = (folder_of(folder, number) for number in count())
        journal.closed = [read_segment(place) for place in takewhile(is_closed, folders)]
        journal.kept = "resolved" in earlier
        return journal

    @property
    def resolved(self) -> dict[str, Any] | None:
        """What was resolved when the run began; None in a new run."""
        return self.manifest.get("resolved")

    def begin(self, resolved: Mapping[str, object]) -> None:
        """Notes what was resolved, for whoever resumes."""
        self.manifest["resolved"] = dict(resolved)
        write_whole(self.folder / "manifest.json", json.dumps(self.manifest, indent=1).encode())

    def parts(self, output: Output) -> list[Part]:
        """The closed segments' parts of an output that is one file."""
        return [
            Part(part_of(self.folder, output, number).path, done.stamps[0].time)
            for number, done in enumerate(self.closed)
            if done.stamps
        ]

    def close_segment(self, segment: Segment, memory: Memory) -> None:
        """Notes that the next segment's outputs are complete, and what the one after it starts from."""
        folder = folder_of(self.folder, len(self.closed))
        flows = {"forward": memory.forward, "backward": memory.backward}
        kept = io.BytesIO()
        arrays: dict[str, Any] = {name: flow.cpu().numpy() for name, flow in flows.items() if flow is not None}
        np.savez(kept, **arrays)
        write_whole(folder / "memory.npz", kept.getbuffer())
        write_segment(folder, segment, last=memory.last)
        self.closed.append(segment)
        self.kept = True

    def memory(self, device: torch.device) -> Memory:
        """What the next segment starts from."""
        memory = Memory()
        if self.closed:
            folder = folder_of(self.folder, len(self.closed) - 1)
            start, end = json.loads((folder / "segment.json").read_bytes())["last"]
            memory.last = (start, end)
            with np.load(folder / "memory.npz") as flows:
                memory.forward, memory.backward = (
                    torch.from_numpy(flows[name]).to(device) if name in flows else None
                    for name in ("forward", "backward")
                )
        return memory

    @property
    def done(self) -> Segment:
        """All closed segments as one."""
        return joined(self.closed)

    def remove(self) -> None:
        """Forgets the run, once its outputs are complete."""
        self.kept = False
        self.release()

    def release(self) -> None:
        """Lets go of the folder, which stays only where something can be resumed."""
        self.lock.release()
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def folder_of(journal: Path, number: int) -> Path:
    """Where a journal keeps one of its segments."""
    return journal / f"{number:06d}"


def part_of(journal: Path, output: Output, number: int) -> Output:
    """The part of an output that belongs to a segment; files of single pairs go where they belong at once."""
    return output if output.numbered else replace(output, path=folder_of(journal, number) / output.path.name)


def is_closed(folder: Path) -> bool:
    """Whether the segment kept there is complete."""
    return (folder / "segment.json").exists()


def write_segment(folder: Path, segment: Segment, *, last: tuple[int, int] | None) -> None:
    """Notes that a segment's outputs are complete; `last` are the frames of its last pair."""
    content = {
        "last": last,
        "seconds": segment.seconds,
        "lost": segment.lost,
        "notes": segment.notes,
        "errors": segment.errors,
        "pairs": [stamp.record() for stamp in segment.stamps],
    }
    write_whole(folder / "segment.json", json.dumps(content).encode())


def read_segment(folder: Path) -> Segment:
    """What `write_segment` wrote."""
    content = json.loads((folder / "segment.json").read_bytes())
    return Segment(
        stamps=tuple(Stamp.from_record(record) for record in content["pairs"]),
        errors=tuple((before, after) for before, after in content["errors"]),
        seconds=content["seconds"],
        lost=content["lost"],
        notes=tuple(content["notes"]),
    )


def in_segments(pairs: Iterable[FramePair], *, length: int) -> Iterator[Iterator[FramePair]]:
    """The pairs in groups of `length`, the last one shorter; each group has to be consumed before the next."""
    pairs = iter(pairs)
    for first in pairs:
        yield chain([first], islice(pairs, min(length - 1, sys.maxsize)))


def joined(segments: Sequence[Segment]) -> Segment:
    """Several segments as one."""
    return Segment(
        stamps=tuple(stamp for segment in segments for stamp in segment.stamps),
        errors=tuple(error for segment in segments for error in segment.errors),
        seconds=sum(segment.seconds for segment in segments),
        lost=sum(segment.lost for segment in segments),
        notes=tuple(dict.fromkeys(note for segment in segments for note in segment.notes)),
    )


def check_journal(folder: Path, job: Mapping[str, object], *, resume: bool, overwrite: bool) -> bool:
    """Whether there is an unfinished run to go on with; nothing is touched.

    Raises UsageError where one is neither to be resumed nor to be overwritten, and where it is of another job.
    """
    earlier = read_manifest(folder)
    if earlier is None:
        return False
    if not resume and not overwrite:
        raise UsageError(
            f"an unfinished run of the same name is in {folder}", hint="--resume goes on with it, -y starts anew"
        )
    if resume and (difference := differing(earlier["job"], job)):
        raise UsageError(
            f"the unfinished run in {folder} was another: {difference}",
            hint="repeat its command to go on with it, or use -y without --resume to start anew",
        )
    return resume


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What an earlier process noted when it began; None where there is nothing to go on with.

    Raises UsageError where that is damaged.
    """
    path = folder / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(manifest["job"], dict):
            raise TypeError(manifest["job"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not what flowcli wrote", hint=f"remove {folder} to start anew") from error
    return manifest


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first difference between two jobs, in words; None where they are the same."""
    for name in before.keys() | now.keys():
        if before.get(name) != now.get(name):
            return f"its {name} was {before.get(name)}, and now is {now.get(name)}"
    return None
