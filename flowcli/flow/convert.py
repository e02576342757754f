"""Converts flow files to other formats, pictures or a video, and measures the loss."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flowcli.errors import FlowcliError, PartialError, SourceError, UsageError
from flowcli.flow.camera_motion import camera_motion
from flowcli.flow.colour import ColourScale, colour_flow, is_unknown, magnitude, parse_scale, plain_scale
from flowcli.flow.drawing import Style
from flowcli.flow.formats import FORMATS, PICTURES, contents, format_of, reader, stem_of, writer
from flowcli.flow.formats.stack import StackFile, is_stack, read_stack
from flowcli.media.encoding import check_bound
from flowcli.media.pyav import VideoWriter
from flowcli.media.selection import parse_rate
from flowcli.media.sources._sequence import DEFAULT_RATE
from flowcli.system.console import Result
from flowcli.system.opencv import write_png
from flowcli.system.outputs import refuse_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from flowcli.flow.formats import Flow
    from flowcli.flow.request import ConvertRequest
    from flowcli.system.console import Console

SAMPLED_FOR_COLOUR = 9
BACKWARD = "_backward"


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


@dataclass
class Told:
    """The reader of a format, which notes what it chose to read and what it left out, over all files."""

    kind: str
    bound: float
    channels: str | None
    chosen: dict[str, None] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)
    stack: Sequence[NDArray[np.floating]] | None = None

    def __call__(self, path: Path) -> Flow:
        """The flow of a file, or, by the number in its name, of a pair of an array."""
        if self.stack is not None:
            return np.ascontiguousarray(self.stack[int(path.stem)], np.float32)
        flow = reader(self.kind, bound=self.bound, channels=self.channels)(path)
        found = contents(self.kind, path, channels=self.channels)
        self.chosen |= dict.fromkeys(found.read)
        self.left |= dict.fromkeys(found.left)
        return flow

    def __str__(self) -> str:
        parts = [(self.chosen, "read"), (self.left, "left out")]
        return "".join(f"; {listed(list(names))} {done}" for names, done in parts if names)


def convert(request: ConvertRequest, console: Console) -> Result:
    """Converts one file, or every flow file of a folder, where unreadable files are skipped and reported as a problem.

    Raises UsageError for a request that makes no sense, SourceError where nothing can be read.
    """
    check_bound(request.bound)
    files, kind = find_files(request)
    if is_stack(request.source):
        # Names for the pairs of an array, by number.
        pairs = range(len(read_stack(request.source)))
        files = [request.source.with_suffix("") / f"{number:06d}.npy" for number in pairs]
    target = target_of(request)
    outputs = plan(request, files, kind, target)
    for path in outputs:
        refuse_output(path, [request.source, *files], overwrite=request.overwrite)
    read = Told(kind, request.bound, request.channels)
    if is_stack(request.source):
        read.stack = read_stack(request.source)
    if target in PICTURES:
        return paint(request, files, outputs, read, console)
    if target == "npy" and several(request) and outputs == [request.output]:
        return stacked(request, files, kind, read, console)
    write, read_back = writer(target, bound=request.bound, half=request.half), reader(target, bound=request.bound)
    loss, failed = Loss(), []
    for source, path in console.follow(zip(files, outputs, strict=True), total=len(files), unit="file"):
        try:
            flow = read(source)
        except SourceError as error:
            if len(files) == 1:
                raise
            failed.append(error)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, flow)
        loss.note(flow, read_back(path))
    summary = f"{counted(len(files) - len(failed))} from {kind} to {target}, {loss}{read}"
    paths = tuple(path for path in outputs if path.exists())
    return Result(paths if len(files) == 1 else (request.output,), summary, problem=problem(failed))


def find_files(request: ConvertRequest) -> tuple[list[Path], str]:
    """The files to convert, sorted, and their format; `--from` chooses one where a folder holds several."""
    if request.given is not None and request.given not in FORMATS:
        raise UsageError(f"--from {request.given} is not known", hint=f"use {', '.join(FORMATS)}")
    if not request.source.exists():
        raise UsageError(f"{request.source} does not exist", hint="check the path")
    if not request.source.is_dir():
        kind = request.given or format_of(request.source)
        if kind is None:
            hint = "pictures of flow cannot be converted back" if request.source.suffix == ".png" else known_formats()
            raise SourceError(f"{request.source} is not a known flow file", hint=hint)
        return [request.source], kind
    found: dict[str, list[Path]] = {}
    for path in sorted(request.source.iterdir()):
        if path.is_file() and not path.name.startswith(".") and (kind := format_of(path)):
            found.setdefault(kind, []).append(path)
    if not found:
        for path in sorted(request.source.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(request.source).parts)
            if path.is_file() and not hidden and (kind := format_of(path)):
                found.setdefault(kind, []).append(path)
    kinds = [request.given] if request.given else list(found)
    if len(kinds) > 1:
        raise UsageError(f"{request.source} holds {' and '.join(kinds)}", hint=f"choose one: --from {kinds[0]}")
    if not kinds or kinds[0] not in found:
        raise SourceError(f"{request.source} holds no {request.given or 'flow'} files", hint=known_formats())
    return found[kinds[0]], kinds[0]


def one_folder(request: ConvertRequest, files: Sequence[Path], what: str) -> None:
    """Raises UsageError where the files to join lie in several folders below the input."""
    if request.source.is_dir() and {path.parent for path in files} - {request.source}:
        raise UsageError(f"{request.source} holds folders of flow", hint=f"convert them one by one to get {what}")


def several(request: ConvertRequest) -> bool:
    """Whether the input is a folder, or an array of the flow of many pairs."""
    return request.source.is_dir() or is_stack(request.source)


def stacked(request: ConvertRequest, files: Sequence[Path], kind: str, read: Told, console: Console) -> Result:
    """Writes the flow of all files, of one direction, to one array (pairs, height, width, 2)."""
    shown = [path for path in files if BACKWARD not in path.stem] or files
    request.output.parent.mkdir(parents=True, exist_ok=True)
    file, loss = StackFile(request.output, half=request.half), Loss()
    try:
        for path in console.follow(shown, total=len(shown), unit="file"):
            file.add(read(path))
        file.close()
    except BaseException:
        file.abort()
        raise
    for path, back in zip(shown, read_stack(request.output), strict=True):
        loss.note(read(path), np.ascontiguousarray(back, np.float32))
    if len(shown) < len(files):
        read.left["backward flow"] = None
    return Result((request.output,), f"{counted(len(shown))} from {kind} to one array, {loss}{read}")


def known_formats() -> str:
    """A hint that lists all formats."""
    return "flow is read from " + ", ".join(f"{name} ({each.ending})" for name, each in FORMATS.items())


def target_of(request: ConvertRequest) -> str:
    """The format to write: `--to`, or the one that the output's name ends with."""
    known = [*FORMATS, *PICTURES]
    if request.to is not None:
        if request.to not in known:
            raise UsageError(f"--to {request.to} is not known", hint=f"use {', '.join(known)}")
        return request.to
    name = request.output.name.lower()
    # Any name of a PNG but KITTI's is that of a picture.
    endings = {each.ending: kind for kind, each in FORMATS.items() if kind != "planes_png"}
    endings |= {".png": "png", ".mp4": "video"}
    kind = next((kind for ending, kind in endings.items() if name.endswith(ending)), None)
    if kind is None:
        raise UsageError(f"{request.output} does not name a format", hint=f"give --to: {', '.join(known)}")
    return kind


def plan(request: ConvertRequest, files: Sequence[Path], kind: str, target: str) -> list[Path]:
    """The path of each output; a single one for a video."""
    if target == "video":
        if not several(request):
            raise UsageError("a video needs a folder of flow files", hint="--to png draws one file")
        one_folder(request, files, "videos")
        return [
            request.output
            if request.output.suffix.lower() == ".mp4"
            else request.output / f"{request.source.resolve().name}.mp4"
        ]
    ending = ".png" if target == "png" else FORMATS[target].ending
    names_a_file = request.output.name.lower().endswith(ending) and not request.output.is_dir()
    if names_a_file and target == "npy" and several(request):
        one_folder(request, files, "arrays")
        return [request.output]
    if not several(request) and request.output.suffix and not request.output.is_dir():
        # KITTI's own files do not end with `_kitti`.
        if not request.output.name.lower().endswith(".png" if target == "kitti" else ending):
            raise UsageError(f"{request.output} does not end with {ending}", hint=f"that is how {target} files end")
        return [request.output]
    if names_a_file:
        raise UsageError(f"{request.output} is one file, and {request.source} holds {len(files)}", hint="name a folder")
    folders = [below(path.parent, request.source) for path in files]
    return [
        request.output / folder / f"{stem_of(path, kind)}{ending}" for path, folder in zip(files, folders, strict=True)
    ]


def below(folder: Path, source: Path) -> Path:
    """The path of a folder below the input; empty for the input's own files and the pairs of an array."""
    return folder.relative_to(source) if source.is_dir() else Path()


def paint(
    request: ConvertRequest,
    files: Sequence[Path],
    outputs: Sequence[Path],
    read: Told,
    console: Console,
) -> Result:
    """Draws the pictures, or the video, all in one colour scale."""
    sampled = files[:: math.ceil(len(files) / SAMPLED_FOR_COLOUR)]
    shown = partial(shown_flow, read=read, stabilise=request.stabilise)
    plain = plain_scale(request.gamma, request.background, request.wheel)
    scale = parse_scale(request.max_flow, plain)
    if scale is None:
        scale = plain.fitted((magnitude(shown(path)) for path in sampled), gamma=request.gamma == "auto")
    style = Style(scale, request.legend, request.stabilise)
    outputs[0].parent.mkdir(parents=True, exist_ok=True)
    if outputs[0].suffix.lower() == ".mp4":
        # A folder may hold flow of both directions; a video shows one.
        forward = [path for path in files if BACKWARD not in path.stem] or files
        clock = times_of(request, forward)
        drawings = ((path, style.finish(colour_flow(shown(path), scale=scale))) for path in forward)
        write_video(outputs[0], console.follow(drawings, total=len(forward), unit="file"), clock)
        return Result((outputs[0],), drawn(len(forward), scale, read))
    for source, path in console.follow(zip(files, outputs, strict=True), total=len(files), unit="file"):
        write_png(path, style.finish(colour_flow(shown(source), scale=scale)))
    return Result(tuple(outputs) if len(files) == 1 else (request.output,), drawn(len(files), scale, read))


def shown_flow(path: Path, read: Told, *, stabilise: bool) -> Flow:
    """The flow of a file, without the motion of the camera if `stabilise`."""
    flow = read(path)
    return flow - camera_motion(flow) if stabilise else flow


def drawn(files: int, scale: ColourScale, read: Told) -> str:
    """The summary of drawn files and their colour scale."""
    return f"{counted(files)} drawn, {scale}{read}"


def times_of(request: ConvertRequest, files: Sequence[Path]) -> list[Fraction]:
    """The time of each file's frame: at `--fps`, else from the report beside the folder, else at the usual rate."""
    rate = parse_rate(request.fps)
    report = request.source.with_name(f"{request.source.resolve().name}.json")
    if rate is None and report.is_file():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            pairs = json.loads(report.read_text(encoding="utf-8"))["pairs"]
            times = {int(pair["first"]): Fraction(pair["time"]) for pair in pairs}
            return [times[int(path.stem.split("_")[0])] for path in files]
    return [number / (rate or DEFAULT_RATE) for number in range(len(files))]


def write_video(path: Path, drawings: Iterable[tuple[Path, NDArray[np.uint8]]], times: Sequence[Fraction]) -> None:
    """Writes the video of each file's picture at its time; raises SourceError where sizes differ."""
    length = times[1] - times[0] if len(times) > 1 else 1 / DEFAULT_RATE
    # The longest tick of which every time is a multiple.
    tick = Fraction(1, math.lcm(*(time.denominator for time in (*times, length))))
    writer = VideoWriter(path, rate=1 / length, tick=tick)
    size: tuple[int, ...] | None = None
    try:
        for (source, image), time in zip(drawings, times, strict=True):
            if image.shape != (size := size or image.shape):
                sizes = f"{image.shape[1]} x {image.shape[0]}, but the first is {size[1]} x {size[0]}"
                raise SourceError(f"{source} is {sizes}", hint="a video has one size")
            writer.write(image, time=time)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def problem(failed: Sequence[FlowcliError]) -> PartialError | None:
    """The error to raise at the end where some files could not be read."""
    if not failed:
        return None
    return PartialError(f"{counted(len(failed))} could not be converted: {failed[0]}", hint=failed[0].hint)


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def counted(files: int) -> str:
    """`1 file`, `2 files`."""
    return f"{files} file{'s' * (files != 1)}"
