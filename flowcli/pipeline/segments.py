"""Divides a run into segments; a resumed run keeps the closed ones and computes the rest with the same settings.

A hidden folder beside the outputs of an unfinished run is its journal:

    .NAME_flow.run/manifest.json            the job, and the settings resolved when the run started
    .NAME_flow.run/000000/NAME_flow.mp4     a segment's part of each output that is one file
    .NAME_flow.run/000000/memory.npz        the flow for the warm start of the next segment
    .NAME_flow.run/000000/segment.json      its pairs; written last, so its presence marks the segment as closed
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
    """The record of consecutive pairs that are written; `errors` are photometric, before and after warping.

    A segment ended by a signal is not `complete`. `lost` frames and `notes` belong to a source that is read for this
    segment alone, as in a chunk.
    """

    stamps: tuple[Stamp, ...] = ()
    errors: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    complete: bool = True
    lost: int = 0
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Journal:
    """The closed segments of one run and the folder that holds them, locked by this process until `release`."""

    folder: Path
    manifest: dict[str, Any]
    lock: Lock
    closed: list[Segment] = field(default_factory=list)
    kept: bool = False
    """Whether the folder remains after `release`."""

    @classmethod
    def open(cls, folder: Path, job: Mapping[str, object], *, resume: bool) -> Self:
        """The journal of `job` in `folder`: with `resume` that of an earlier process if it exists, else a new one.

        Raises UsageError if another process holds the folder.
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
        """The settings resolved when the run started; None in a new run."""
        return self.manifest.get("resolved")

    def begin(self, resolved: Mapping[str, object]) -> None:
        """Writes the manifest with the resolved settings, for a process that resumes the run."""
        self.manifest["resolved"] = dict(resolved)
        write_whole(self.folder / "manifest.json", json.dumps(self.manifest, indent=1).encode())

    def parts(self, output: Output) -> list[Part]:
        """The parts of an output that is one file, from the closed segments that have pairs."""
        return [
            Part(part_of(self.folder, output, number).path, done.stamps[0].own_time)
            for number, done in enumerate(self.closed)
            if done.stamps
        ]

    def close_segment(self, segment: Segment, memory: Memory) -> None:
        """Records the next segment as closed, with the state from which the one after it starts."""
        folder = folder_of(self.folder, len(self.closed))
        kept = io.BytesIO()
        arrays: dict[str, Any] = {way: flow.cpu().numpy() for way, flow in memory.flows.items()}
        np.savez(kept, **arrays)
        write_whole(folder / "memory.npz", kept.getbuffer())
        write_segment(folder, segment, last=memory.last)
        self.closed.append(segment)
        self.kept = True

    def memory(self, device: torch.device) -> Memory:
        """The state from which the next segment starts, with its flow on `device`."""
        memory = Memory()
        if self.closed:
            folder = folder_of(self.folder, len(self.closed) - 1)
            last = json.loads((folder / "segment.json").read_bytes())["last"]
            memory.last = last and tuple(last)
            with np.load(folder / "memory.npz") as flows:
                memory.flows = {way: torch.from_numpy(flow).to(device) for way, flow in flows.items()}
        return memory

    @property
    def done(self) -> Segment:
        """All closed segments as one."""
        return joined(self.closed)

    def remove(self) -> None:
        """Removes the folder, once the outputs of the run are complete."""
        self.kept = False
        self.release()

    def release(self) -> None:
        """Unlocks the folder and removes it unless it is `kept`."""
        self.lock.release()
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def folder_of(journal: Path, number: int) -> Path:
    """The folder of one segment in a journal."""
    return journal / f"{number:06d}"


def part_of(journal: Path, output: Output, number: int) -> Output:
    """The part of an output that a segment writes; numbered files are written to their final place directly."""
    return output if output.numbered else replace(output, path=folder_of(journal, number) / output.path.name)


def is_closed(folder: Path) -> bool:
    """Whether the segment in a folder is closed."""
    return (folder / "segment.json").exists()


def write_segment(folder: Path, segment: Segment, *, last: tuple[int, int] | None) -> None:
    """Writes segment.json, which marks a segment as closed; `last` is the frame indices of its last pair."""
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
    """The segment that `write_segment` wrote to a folder."""
    content = json.loads((folder / "segment.json").read_bytes())
    return Segment(
        stamps=tuple(Stamp.from_record(record) for record in content["pairs"]),
        errors=tuple((before, after) for before, after in content["errors"]),
        seconds=content["seconds"],
        lost=content["lost"],
        notes=tuple(content["notes"]),
    )


def in_segments(pairs: Iterable[FramePair], *, length: int) -> Iterator[Iterator[FramePair]]:
    """The pairs in groups of `length`, the last one possibly shorter; consume each group before taking the next."""
    pairs = iter(pairs)
    for first in pairs:
        yield chain([first], islice(pairs, min(length - 1, sys.maxsize)))


def joined(segments: Sequence[Segment]) -> Segment:
    """Consecutive segments combined into one."""
    return Segment(
        stamps=tuple(stamp for segment in segments for stamp in segment.stamps),
        errors=tuple(error for segment in segments for error in segment.errors),
        seconds=sum(segment.seconds for segment in segments),
        lost=sum(segment.lost for segment in segments),
        notes=tuple(dict.fromkeys(note for segment in segments for note in segment.notes)),
    )


def check_journal(folder: Path, job: Mapping[str, object], *, resume: bool, overwrite: bool) -> bool:
    """Whether an unfinished run in `folder` is to be resumed; changes no file.

    Raises UsageError if there is one and neither `resume` nor `overwrite` is set, or if it is to be resumed, its job
    differs and `overwrite` is not set.
    """
    earlier = read_manifest(folder)
    if earlier is None:
        return False
    if not resume and not overwrite:
        raise UsageError(
            f"an unfinished run of the same name is in {folder}", hint="--resume continues it, -y starts over"
        )
    difference = differing(earlier["job"], job)
    if resume and difference and not overwrite:
        raise UsageError(
            f"the unfinished run in {folder} differs: {difference}",
            hint="repeat its command to continue it, or use -y to start over",
        )
    return resume and not difference


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an unfinished run; None if there is none. Raises UsageError if it is damaged."""
    path = folder / "manifest.json"
    if not path.exists():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(manifest["job"], dict):
            raise TypeError(manifest["job"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} was not written by flowcli", hint=f"remove {folder} to start over") from error
    return manifest


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """One difference between two jobs, in words; None if they are the same."""
    for name in before.keys() | now.keys():
        if before.get(name) != now.get(name):
            return f"its {name} was {before.get(name)} and is now {now.get(name)}"
    return None
