"""Compares two flows of one video: a video of both with a map of their difference, and statistics of every pair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np

from flowcli.evaluation.sides import side_of
from flowcli.flow.colour import colour_flow, is_unknown, magnitude, parse_scale
from flowcli.flow.drawing import labelled_row
from flowcli.flow.error_map import colour_error, key
from flowcli.flow.photometric import photometric_error
from flowcli.media.frames import lost_frames
from flowcli.media.pairs import Pairing, pairs_of
from flowcli.media.pyav import VideoWriter
from flowcli.media.sources import name_of
from flowcli.model.resize import Resizing, resized
from flowcli.pipeline.video import source_of
from flowcli.system.console import Result
from flowcli.system.files import write_whole
from flowcli.system.json_text import Json
from flowcli.system.outputs import output_folder, refuse_output
from flowcli.system.signals import Interruption, StoppedError
from flowcli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flowcli.evaluation.sides import Side
    from flowcli.flow.colour import ColourScale
    from flowcli.flow.formats import Flow
    from flowcli.media.frames import FramePair
    from flowcli.pipeline.request import Request
    from flowcli.system.console import Console

STATISTICS = ("mean", "median", "percentile_95", "above_1", "above_3", "unwarped")
PANEL_SIDE = 960
"""The longer side of each of the four panels, at most, in pixels."""


@dataclass(frozen=True)
class Difference:
    """The distance between two flows of one pair in px, and the photometric error of either in grey levels.

    `above_1` and `above_3` are the fractions of pixels further apart than 1 and 3 px; `unwarped` is the error without
    warping, `warped` after warping by either flow. None where no pixel counts.
    """

    first: int
    time: str
    mean: float | None
    median: float | None
    percentile_95: float | None
    above_1: float | None
    above_3: float | None
    unwarped: float | None
    warped: tuple[float | None, float | None]


def compare_sides(request: Request, sides: tuple[str, str], console: Console) -> Result:
    """Compares two sides on every pair of a video; each side is weights with settings, or a folder of saved flow.

    Raises UsageError for a wrong side or an existing output, SourceError for an unusable input or folder, WeightsError
    for unknown weights, and StoppedError after a signal.
    """
    (path,) = request.inputs
    video, report = plan(request, path)
    first, second = (side_of(text, request) for text in sides)
    pairing = Pairing(request.skip)
    with source_of(request) as source:
        scale = parse_scale(request.max_flow) or first.scale(source, skip=request.skip)
        total = pairing.pairs_of(source.meta)
        # Neither side is more than a batch ahead of the other, so that few pairs wait in memory.
        here, there = tee(pairs_of(source.frames(), pairing))
        followed = console.follow(zip(first.flows(here), second.flows(there), strict=True), total=total, unit="pair")
        writer = VideoWriter(video, rate=pairing.rate_of(source.meta), tick=source.meta.tick)
        differences = write(writer, followed, (first.label, second.label), scale, path=path, pairing=pairing)
        lost, notes = source.lost, tuple(source.notes)
    record = record_of(request, (first, second), scale, differences)
    write_whole(report, record.text().encode())
    problem = lost_frames(path, lost, hint="their pairs are left out")
    return Result((video, report), summary(differences), record, problem, notes)


def plan(request: Request, path: Path) -> tuple[Path, Path]:
    """The paths of the video and the statistics; raises UsageError where one exists and may not be overwritten."""
    output = request.output
    if output and output.suffix.lower() == ".mp4" and not output.is_dir():
        video = output
    else:
        video = output_folder(path, output) / f"{name_of(path)}_compare.mp4"
    for file in (video, video.with_suffix(".json")):
        refuse_output(file, request.inputs, overwrite=request.overwrite)
    return video, video.with_suffix(".json")


def write(
    writer: VideoWriter,
    both: Iterator[tuple[tuple[FramePair, Flow], tuple[FramePair, Flow]]],
    labels: tuple[str, str],
    scale: ColourScale,
    *,
    path: Path,
    pairing: Pairing,
) -> list[Difference]:
    """Draws and measures every pair; the video is complete, partial after a signal, or removed after an error."""
    differences = []
    try:
        with Interruption() as interruption:
            for (pair, one), (_, other) in interruption.until_stopped(both):
                difference = measure(pair, one, other)
                writer.write(picture(pair, one, other, labels, scale), time=pair.first.time)
                differences.append(difference)
            if interruption.number:
                kept = writer.finish_partial()
                raise StoppedError(
                    interruption.number, hint=f"the finished part is in {kept}" if kept else "nothing was finished yet"
                )
        if not differences:
            raise pairing.too_short(path)
        writer.close()
    except StoppedError:
        raise
    except BaseException:
        writer.abort()
        raise
    return differences


def measure(pair: FramePair, one: Flow, other: Flow) -> Difference:
    """The difference of two flows (height, width, 2) of a pair, over the pixels where both are known."""
    known = ~(is_unknown(one) | is_unknown(other))
    apart = magnitude(one - other)[known]
    unwarped, first = photometric_error(pair.first.image, pair.second.image, one)
    _, second = photometric_error(pair.first.image, pair.second.image, other)
    median, most = np.percentile(apart, (50, 95)) if apart.size else (None, None)
    return Difference(
        first=pair.first.index,
        time=str(pair.first.time),
        mean=rounded(apart.mean() if apart.size else None),
        median=rounded(median),
        percentile_95=rounded(most),
        above_1=rounded((apart > 1).mean() if apart.size else None),
        above_3=rounded((apart > 3).mean() if apart.size else None),
        unwarped=rounded(unwarped),
        warped=(rounded(first), rounded(second)),
    )


def rounded(value: float | None) -> float | None:
    """The value to four decimals; None for NaN and infinity, which JSON does not have."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def picture(pair: FramePair, one: Flow, other: Flow, labels: tuple[str, str], scale: ColourScale) -> NDArray[np.uint8]:
    """A picture of the frame and the difference above, both flows below, and the difference's colour key."""
    height, width = pair.first.image.shape[:2]
    size = Resizing(max_side=PANEL_SIDE).size(height, width)
    known = ~(is_unknown(one) | is_unknown(other))
    apart = magnitude(one - other)
    mean = f"{apart[known].mean():.2f} px" if known.any() else "unknown"
    above = {f"frame {pair.first.index}": pair.first.image, f"difference, mean {mean}": colour_error(apart, known)}
    below = {
        f"{side}: {label}, to {scale.max_flow:.3g} px": colour_flow(flow, scale=scale)
        for side, label, flow in zip("AB", labels, (one, other), strict=True)
    }
    rows = [labelled_row({name: resized(image, size) for name, image in row.items()}) for row in (above, below)]
    return np.vstack([*rows, key(rows[0].shape[1])])


def record_of(
    request: Request, sides: tuple[Side, Side], scale: ColourScale, differences: Sequence[Difference]
) -> Json:
    """The statistics as JSON."""
    content = {
        "flowcli": __version__,
        "input": str(request.inputs[0].absolute()),
        "skip": request.skip,
        "max_flow": round(scale.max_flow, 3),
        "sides": [side.record() for side in sides],
        "units": "px between the two flows; share of pixels above 1 and 3 px; grey levels, before and after warping",
        "mean": means(differences),
        "pairs": [asdict(difference) for difference in differences],
    }
    return Json(content)


def means(differences: Sequence[Difference]) -> dict[str, float | None]:
    """The mean of every statistic over the pairs that have it."""
    figures = {
        **{name: [getattr(each, name) for each in differences] for name in STATISTICS},
        **{f"warped by {side}": [each.warped[number] for each in differences] for number, side in enumerate("AB")},
    }
    known = {name: [value for value in values if value is not None] for name, values in figures.items()}
    return {name: rounded(np.mean(values)) if values else None for name, values in known.items()}


def summary(differences: Sequence[Difference]) -> str:
    """One line: the distance between the flows, and the photometric error of either."""
    mean = means(differences)
    count = f"{len(differences)} pair{'s' * (len(differences) != 1)}"
    if mean["mean"] is None or mean["above_3"] is None:
        return f"{count} without a pixel of known flow on both sides"
    line = f"{count}: {mean['mean']:.2f} px apart on average, {100 * mean['above_3']:.1f} % of pixels by more than 3 px"
    unwarped, *warped = (mean[name] for name in ("unwarped", "warped by A", "warped by B"))
    if unwarped is None or None in warped:
        return line
    a, b = (f"{error:.1f}" for error in warped)
    return f"{line}; mean photometric error {unwarped:.1f} grey levels, {a} after warping by A, {b} by B"
