"""Converts flow files to other formats, to arrays, pictures or videos, and measures the loss."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import FlowcliError, PartialError, SourceError, UsageError
from flowcli.flow.arrays import kind_for, read_stack
from flowcli.flow.colour import is_unknown
from flowcli.flow.convert_input import BACKWARD, FlowInput, Item, find_input
from flowcli.flow.convert_pictures import draw
from flowcli.flow.formats import ARRAYS, FORMATS, PICTURES, flow_file, reader, writer
from flowcli.media.encoding import check_bound, check_precision, check_y
from flowcli.system.console import Result
from flowcli.system.outputs import refuse_output
from flowcli.system.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.flow.formats import Flow
    from flowcli.flow.request import ConvertRequest
    from flowcli.system.console import Console

    Outputs = Sequence[tuple[Path, list[Item]]]


@dataclass
class Loss:
    """The differences found by reading files back.

    `error` is the largest change in px, `lost` counts vectors that became unknown, `made_up` unknown ones that became
    known.
    """

    error: float = 0.0
    lost: int = 0
    made_up: int = 0

    def note(self, flow: Flow, back: Flow) -> None:
        """Compares `flow`, which was written, with `back`, which was read back."""
        known, known_now = ~is_unknown(flow), ~is_unknown(back)
        self.lost += int((known & ~known_now).sum())
        self.made_up += int((known_now & ~known).sum())
        both = known & known_now
        self.error = max(self.error, float(np.abs(flow[both] - back[both]).max(initial=0)))

    def __str__(self) -> str:
        changes = [f"vectors changed by up to {self.error:.2g} px"] if self.error else []
        changes += [f"{self.lost:,} out of range and marked unknown"] if self.lost else []
        changes += [f"{self.made_up:,} unknown and written as no motion"] if self.made_up else []
        return "; ".join(changes) or "without loss"


def convert(request: ConvertRequest, console: Console) -> Result:
    """Converts one file, or all flow of a folder or array; its unreadable files are skipped and reported as a problem.

    Raises UsageError for a request that makes no sense, SourceError where nothing can be read.
    """
    check_bound(request.bound)
    check_precision(half=request.half, quantised=request.quantised)
    check_y(request.y)
    given = find_input(request)
    target = target_of(request)
    joined = is_joined(request, given, target)
    outputs = plan_joined(request, given, target) if joined else plan_each(request, given, target)
    inputs = [request.source, *(item.path for item in given.items)]
    files = files_of(target, outputs)
    if twice := [path for path, count in Counter(files).items() if count > 1]:
        raise UsageError(f"{request.source} has flow twice for {twice[0]}", hint="rename one of them")
    for path in files:
        refuse_output(path, inputs, overwrite=request.overwrite, folder=target == "zarr")
    paths = (outputs[0][0],) if len(outputs) == 1 else (request.output,)
    count = sum(len(items) for _, items in outputs)
    if target in PICTURES:
        return Result(paths, f"{counted(count, 'file')} drawn, {draw(request, given, outputs, console)}")
    if not joined:
        return write_each(request, given, target, outputs, console)
    if count < len(given.items):
        given.left["backward flow"] = None
    loss = write_arrays(request, given, outputs, console)
    arrays = "one array" if len(outputs) == 1 else f"{len(outputs)} arrays"
    return Result(paths, f"{counted(count, 'file')} from {given.kind} to {arrays}, {loss}{given}")


def target_of(request: ConvertRequest) -> str:
    """The format to write: `--to`, or the one that the output's name ends with."""
    known = [*FORMATS, *ARRAYS, *PICTURES]
    if request.to is not None:
        if request.to not in known:
            raise UsageError(f"--to {request.to} is not known", hint=f"use {', '.join(known)}")
        return request.to
    name = request.output.name.lower()
    # Any name of a PNG but KITTI's is that of a picture; of several formats with one ending, the first is meant.
    endings = {each.ending: kind for kind, each in reversed((FORMATS | ARRAYS).items()) if kind != "planes_png"}
    endings |= {".png": "png", ".mp4": "video"}
    kind = next((kind for ending, kind in endings.items() if name.endswith(ending)), None)
    if kind is None:
        raise UsageError(f"{request.output} does not name a format", hint=f"give --to: {', '.join(known)}")
    return kind


def is_joined(request: ConvertRequest, given: FlowInput, target: str) -> bool:
    """Whether the flow of several pairs goes into one file: a video, or an array."""
    if target == "video" or target in ARRAYS:
        return True
    return target in {"npy", "npz"} and not given.single and names_a_file(request, target)


def names_a_file(request: ConvertRequest, target: str) -> bool:
    """Whether the output is named as a file of the format is."""
    return request.output.name.lower().endswith(ending_of(target)) and not request.output.is_dir()


def ending_of(target: str) -> str:
    """The ending of a target's files."""
    return {"png": ".png", "video": ".mp4"}.get(target) or {**FORMATS, **ARRAYS}[target].ending


def plan_joined(request: ConvertRequest, given: FlowInput, target: str) -> Outputs:
    """The path of each video or array, and the flow that goes into it: one for each folder of the input."""
    if target == "video" and given.single:
        raise UsageError("a video needs a folder of flow files", hint="--to png draws one file")
    groups = given.groups()
    ending = ending_of(target)
    if names_a_file(request, target) or (target == "zarr" and request.output.suffix.lower() == ending):
        if len(groups) > 1:
            count = f"{len(groups)} folders of flow"
            raise UsageError(f"{request.output} is one file, and {request.source} holds {count}", hint="name a folder")
        return [(request.output, items) for items in groups.values()]
    whole = request.source.resolve()
    own = whole.name if request.source.is_dir() else whole.stem
    return [
        (request.output / folder.parent / f"{folder.name or own}{ending}", items) for folder, items in groups.items()
    ]


def plan_each(request: ConvertRequest, given: FlowInput, target: str) -> Outputs:
    """The path of each file, and the flow that goes into it: that of both directions for the format of film."""
    ending = ending_of(target)
    if given.single and request.output.suffix and not request.output.is_dir():
        # KITTI's own files do not end with `_kitti`.
        if not request.output.name.lower().endswith(".png" if target == "kitti" else ending):
            raise UsageError(f"{request.output} does not end with {ending}", hint=f"that is how {target} files end")
        return [(request.output, given.items)]
    if names_a_file(request, target):
        count = len(given.items)
        raise UsageError(f"{request.output} is one file, and {request.source} holds {count}", hint="name a folder")
    path = request.output
    if target != "film":
        return [(path / item.folder / f"{item.stem}{ending}", [item]) for item in given.items]
    both = {path / item.folder / f"{item.stem}{ending}": [item] for item in given.items}
    for own, items in list(both.items()):
        forward = own.with_name(f"{items[0].stem.removesuffix(BACKWARD)}{ending}")
        if items[0].backward and forward in both:
            both[forward] += both.pop(own)
    return list(both.items())


def files_of(target: str, outputs: Outputs) -> list[Path]:
    """All files that are written."""
    paths = [path for path, _ in outputs]
    return [file for path in paths for file in flow_file(target).naming.files_of(path)] if target in FORMATS else paths


def write_each(request: ConvertRequest, given: FlowInput, target: str, outputs: Outputs, console: Console) -> Result:
    """Writes a file for each output; skips those whose flow cannot be read, unless there is just one."""
    write = writer(target, bound=request.bound, half=request.half, y=request.y)
    read_back = reader(target, bound=request.bound)
    loss, failed, done = Loss(), list[FlowcliError](), 0
    for path, items in console.follow(outputs, total=len(outputs), unit="file"):
        try:
            flows = [given.read(item) for item in items]
        except SourceError as error:
            if len(outputs) == 1:
                raise
            failed.append(error)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, *flows)
        loss.note(flows[0], read_back(path))
        done += len(items)
    summary = f"{counted(done, 'file')} from {given.kind} to {target}, {loss}{given}"
    paths = tuple(path for path, _ in outputs if path.exists())
    return Result(paths if len(outputs) == 1 else (request.output,), summary, problem=problem(failed))


def write_arrays(request: ConvertRequest, given: FlowInput, outputs: Outputs, console: Console) -> Loss:
    """Writes the flow of each output to one array (pairs, height, width, 2); returns what is lost in them."""
    loss = Loss()
    for path, items in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = kind_for(path).open(path, half=request.half, quantised=request.quantised)
        try:
            for item in console.follow(items, total=len(items), unit="file"):
                file.add(given.read(item), **given.ends(item))
            file.close()
        except BaseException:
            file.abort()
            raise
        for item, back in zip(items, read_stack(path), strict=True):
            loss.note(given.read(item), back)
    return loss


def problem(failed: Sequence[FlowcliError]) -> PartialError | None:
    """The error to raise at the end where some files could not be read."""
    if not failed:
        return None
    return PartialError(f"{counted(len(failed), 'file')} could not be converted: {failed[0]}", hint=failed[0].hint)
