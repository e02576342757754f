"""The motion of every clip of a batch, or of every pair, as rows of a table to filter and sort by."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flowcli.batch.clips import Clip
    from flowcli.batch.record import Batch


@dataclass(frozen=True)
class MotionRow:
    """The motion of a clip, or of one pair of it; a column for each field, whose names stay as they are.

    A clip's values are means over its pairs that span no cut. A value that is not known is None: that of a clip that
    failed, of a pair that spans a cut, or of frames without time. Speeds are those of the known flow of a pair.
    """

    clip: str
    """The clip's path, relative to the folder of the batch, as in batch.json."""
    status: str
    """`done`, `partial` where frames were lost, or `failed`."""
    pairs: int = 0
    """The number of pairs."""
    cuts: int = 0
    """The number of pairs that span a cut."""
    first: int | None = None
    """The index of the first frame."""
    second: int | None = None
    """The index of the last frame."""
    time: float | None = None
    """The time of the first frame, in seconds."""
    seconds: float | None = None
    """The time from the first frame to the last, in seconds."""
    width: int | None = None
    """The width of a frame, in pixels."""
    height: int | None = None
    """The height of a frame, in pixels."""
    mean_px: float | None = None
    """The mean speed, in pixels from a frame to the one that it is paired with."""
    median_px: float | None = None
    """The median speed, in the same unit."""
    p95_px: float | None = None
    """The 95th percentile of speed, in the same unit."""
    mean_px_per_second: float | None = None
    """The mean speed, in pixels per second."""
    median_px_per_second: float | None = None
    """The median speed, in pixels per second."""
    p95_px_per_second: float | None = None
    """The 95th percentile of speed, in pixels per second."""
    mean_diagonal: float | None = None
    """The mean speed, as a fraction of the frame's diagonal, from a frame to the one that it is paired with."""
    median_diagonal: float | None = None
    """The median speed, in the same unit."""
    p95_diagonal: float | None = None
    """The 95th percentile of speed, in the same unit."""
    mean_diagonal_per_second: float | None = None
    """The mean speed, as a fraction of the diagonal per second: comparable between sizes and frame rates."""
    moving_share: float | None = None
    """The fraction of pixels that move by at least half a pixel."""
    still_share: float | None = None
    """The fraction of pairs in which fewer than 0.1 % of the pixels move."""
    direction: float | None = None
    """The dominant direction, in degrees clockwise from the right (90 is down)."""
    camera_px: float | None = None
    """The mean speed of the camera motion, which is a homography that most of the flow follows, in pixels."""
    camera_zoom: float | None = None
    """Its magnification from a frame to the one that it is paired with; above 1, the picture grows."""
    camera_rotation: float | None = None
    """Its rotation of the picture, in degrees clockwise."""
    own_px: float | None = None
    """The mean speed of flow less camera motion, in pixels."""
    own_share: float | None = None
    """The fraction of pixels that move against the camera motion."""
    known_share: float | None = None
    """The fraction of pixels whose flow is known."""
    occluded_share: float | None = None
    """The fraction of pixels that the other frame does not show; known with --direction both."""
    photometric_before: float | None = None
    """The mean difference between the frames of a pair, in grey levels."""
    photometric_after: float | None = None
    """The same, after warping by the flow: the error of the flow that needs no ground truth."""
    weights: str | None = None
    """The name of the weights."""
    weights_sha256: str | None = None
    """The SHA-256 of the weights."""


def rows_of(batch: Batch, folder: Path, *, each_pair: bool) -> Iterator[MotionRow]:
    """A row for every clip that has an outcome, in the order of the batch, or for each pair of those that have flow.

    They are read from the records that `--save stats` wrote below `folder`, one clip at a time.
    """
    for clip in batch.clips:
        outcome = batch.outcomes.get(clip.key)
        if outcome is None:
            continue
        report = None if outcome.status == "failed" else report_of(clip, folder)
        if report is None:
            if not each_pair:
                yield MotionRow(clip.key, outcome.status)
            continue
        records = read(records_of(clip, folder))["pairs"]
        for some in [[record] for record in records] if each_pair else [records]:
            yield measured(clip.key, outcome.status, some, report)


def records_of(clip: Clip, folder: Path) -> Path:
    """The file of a clip that `--save stats` writes."""
    return folder / clip.folder / f"{clip.name}_stats.json"


def report_of(clip: Clip, folder: Path) -> dict[str, Any] | None:
    """The report of a clip; None where it did not write the records of motion, or they are gone."""
    records = records_of(clip, folder)
    path = records.with_name(f"{clip.name}_flow.json")
    if not records.exists() or not path.exists():
        return None
    report = read(path)
    return report if any(Path(output).name == records.name for output in report["outputs"]) else None


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a clip; raises SourceError if it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise TypeError(content)
    except (OSError, ValueError, TypeError) as error:
        hint = "the table of motion is made of it: remove it and run the batch again, which computes its clip again"
        raise SourceError(f"{path} is damaged", hint=hint) from error
    return content


def measured(clip: str, status: str, records: Sequence[dict[str, Any]], report: dict[str, Any]) -> MotionRow:
    """The row of consecutive pairs of a clip, from their records in NAME_stats.json and its report."""
    within = [record for record in records if not record["cut"]]
    diagonal = math.hypot(report["width"], report["height"])
    px = {name: mean(record["magnitude"][name] for record in within) for name in ("mean", "median", "p95")}
    per_second = {name: mean(record["speed"][name] for record in within) for name in px}
    camera = {name: mean(record["camera"][name] for record in within) for name in within[0]["camera"]} if within else {}
    error = {name: mean(record["photometric_error"][name] for record in within) for name in ("before", "after")}
    # The first frame of a pair comes after the second where it is the reference of all.
    times = [Fraction(record[name]) for record in records for name in ("time", "second_time")]
    frames = [record[name] for record in records for name in ("first", "second")]
    start = min(times)
    return MotionRow(
        clip,
        status,
        pairs=len(records),
        cuts=len(records) - len(within),
        first=min(frames),
        second=max(frames),
        time=digits(float(start + Fraction(report["start"]))),
        seconds=digits(float(max(times) - start)),
        width=report["width"],
        height=report["height"],
        **{f"{name}_px": value for name, value in px.items()},
        **{f"{name}_px_per_second": value for name, value in per_second.items()},
        **{f"{name}_diagonal": ratio(value, diagonal) for name, value in px.items()},
        mean_diagonal_per_second=ratio(per_second["mean"], diagonal),
        moving_share=mean(record["moving_fraction"] for record in within),
        still_share=mean(float(record["still"]) for record in within),
        direction=direction_of(within),
        camera_px=camera.get("speed"),
        camera_zoom=camera.get("zoom"),
        camera_rotation=camera.get("rotation"),
        own_px=camera.get("own_speed"),
        own_share=camera.get("own_moving"),
        known_share=mean(record["known_fraction"] for record in within),
        occluded_share=mean(record["occluded_fraction"] for record in within),
        photometric_before=error["before"],
        photometric_after=error["after"],
        weights=report["weights"]["name"],
        weights_sha256=report["weights"]["sha256"],
    )


def direction_of(records: Sequence[dict[str, Any]]) -> float | None:
    """The mean of the pairs' dominant directions, each as long as its pair's speed; None where nothing moves."""
    known = [record for record in records if record["dominant_direction"] is not None]
    angles = [math.radians(record["dominant_direction"]) for record in known]
    lengths = [record["magnitude"]["mean"] for record in known]
    x = sum(length * math.cos(angle) for length, angle in zip(lengths, angles, strict=True))
    y = sum(length * math.sin(angle) for length, angle in zip(lengths, angles, strict=True))
    return round(math.degrees(math.atan2(y, x)) % 360, 1) if known else None


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are known; None without any."""
    known = [value for value in values if value is not None]
    return digits(statistics.fmean(known)) if known else None


def ratio(value: float | None, whole: float) -> float | None:
    """A value as a fraction of `whole`; None stays None."""
    return None if value is None else digits(value / whole)


def digits(value: float) -> float:
    """A value with six significant digits."""
    return float(f"{value:.6g}")
