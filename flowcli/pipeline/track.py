"""Tracks points through a video and writes their tracks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.flow.points import parse_points
from flowcli.flow.track_files import TrackVideo, record, table
from flowcli.flow.tracking import follow, grid_points
from flowcli.media.frames import lost_frames
from flowcli.media.pairs import Pairing, pairs_of
from flowcli.media.sources import name_of
from flowcli.model.weights import find
from flowcli.pipeline.settings import estimator_of
from flowcli.pipeline.video import source_of
from flowcli.pipeline.writing import aborted_on_error
from flowcli.system.console import Result
from flowcli.system.outputs import output_folder, refuse_output
from flowcli.system.signals import Interruption, StoppedError
from flowcli.system.threads import BackgroundWriter
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flowcli.flow.track_files import TrackFile
    from flowcli.flow.tracking import TrackedFrame
    from flowcli.media.sources import Source
    from flowcli.model.weights import Weights
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

ENDINGS = {"csv": ".csv", "json": ".json", "video": ".mp4"}


def track(request: Request, console: Console, *, points: str | None, spacing: float | None) -> Result:
    """Tracks points through a video: those in `points` (a list or a file), or a grid with `spacing` px between them.

    Raises UsageError for invalid options and points, SourceError if the video has no pair, StoppedError after a signal.
    """
    (path,) = request.inputs
    outputs = plan(request, path)
    weights = find(request.weights)
    with source_of(request) as source:
        height, width = source.meta.height, source.meta.width
        if points is None:
            starts = grid_points(height, width, spacing=spacing)
        else:
            starts = parse_points(points, height=height, width=width)
        estimator = estimator_of(request, weights)
        pairing = Pairing(request.skip)
        pairs = pairs_of(source.frames(), pairing)
        estimates = console.follow(estimator.estimate(pairs), total=pairing.pairs_of(source.meta), unit="pair")
        limits = estimator.settings.occlusion
        followed = follow(starts, estimates, relative=limits.relative, absolute=limits.absolute)
        ends, shown = write(followed, outputs, source, facts(request, source, weights, len(starts)), request)
    return Result(
        tuple(outputs.values()),
        summary(len(starts), shown, ends),
        problem=lost_frames(path, source.lost, hint="tracks end where frames are lost"),
        notes=tuple(source.notes),
    )


def plan(request: Request, path: Path) -> dict[str, Path]:
    """The files to write, by kind; raises UsageError for an unknown kind, and if a file must not be overwritten."""
    kinds = [kind.strip() for kind in request.save.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in ENDINGS:
            raise UsageError(f"--save {kind} is not known", hint=f"use {', '.join(ENDINGS)}")
    if not kinds:
        raise UsageError("--save names no output", hint=f"use {', '.join(ENDINGS)}")
    output = request.output
    if output and not output.is_dir() and len(kinds) == 1 and output.suffix.lower() == ENDINGS[kinds[0]]:
        outputs = {kinds[0]: output}
    else:
        folder = output_folder(path, output)
        outputs = {kind: folder / f"{name_of(path)}_tracks{ENDINGS[kind]}" for kind in kinds}
    for file in outputs.values():
        refuse_output(file, request.inputs, overwrite=request.overwrite)
    return outputs


def facts(request: Request, source: Source, weights: Weights, points: int) -> dict[str, object]:
    """The facts of the run for the JSON output."""
    return {
        "flowcli": __version__,
        "input": str(request.inputs[0].absolute()),
        "width": source.meta.width,
        "height": source.meta.height,
        "points": points,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "settings": {"iterations": request.iterations, "skip": request.skip, "max_side": request.max_side},
        "occlusion": {"relative": request.occlusion_relative, "absolute": request.occlusion_absolute},
    }


def opened(outputs: dict[str, Path], source: Source, facts: dict[str, object], skip: int) -> Iterable[TrackFile]:
    """A writer for each output, opened."""
    if "csv" in outputs:
        yield table(outputs["csv"])
    if "json" in outputs:
        yield record(outputs["json"], facts)
    if "video" in outputs:
        meta = source.meta
        yield TrackVideo(outputs["video"], rate=meta.rate / skip, tick=meta.tick, pixel_aspect=meta.pixel_aspect)


def write(
    followed: Iterable[TrackedFrame],
    outputs: dict[str, Path],
    source: Source,
    facts: dict[str, object],
    request: Request,
) -> tuple[Counter[str], int]:
    """Writes the points of each frame; returns how many tracks ended for each reason, and the number of frames.

    Raises SourceError if there is no frame, StoppedError after a signal.
    """
    ends: Counter[str] = Counter()
    shown = 0
    files: list[BackgroundWriter[TrackedFrame]] = []
    with Interruption() as interruption, aborted_on_error(files):
        for file in opened(outputs, source, facts, request.skip):
            # At once, so that it is aborted if the next one cannot be opened.
            files.append(BackgroundWriter(file))
        for seen in interruption.until_stopped(followed):
            for file in files:
                file.write(seen)
            ends.update(filter(None, seen.ends))
            shown += 1
        if interruption.number and not shown:
            raise StoppedError(interruption.number, hint="nothing was finished yet")
        if interruption.number:
            kept = [str(path) for file in files if (path := file.finish_partial())]
            raise StoppedError(interruption.number, hint=f"finished tracks are in {', '.join(kept)}")
        if not shown:
            raise Pairing(request.skip).too_short(request.inputs[0])
        for file in files:
            file.close()
    return ends, shown


def summary(points: int, frames: int, ends: Counter[str]) -> str:
    """One line: how many points are tracked to the last frame, and why the others end."""
    words = {
        "unconfirmed": "not confirmed by the backward flow",
        "left": "left the frame",
        "cut": "ended at a cut",
        "gap": "ended at lost frames",
    }
    tracked = f"{ends['end']} of {points} points tracked through {frames} frames"
    return "; ".join([tracked, *(f"{ends[end]} {text}" for end, text in words.items() if ends[end])])
