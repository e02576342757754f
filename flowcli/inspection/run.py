"""Runs one inspection: opens the frames, runs RAFT, chooses pixels, and writes pictures and record."""

from __future__ import annotations

import time
from importlib import resources
from typing import TYPE_CHECKING

from flowcli.errors import UsageError
from flowcli.flow.colour import ColourScale, magnitude, parse_scale
from flowcli.inspection import diagram, explorer
from flowcli.inspection.ablation import ablate, parse_switches
from flowcli.inspection.channels import Channels, parse_channels
from flowcli.inspection.findings import Findings
from flowcli.inspection.folder import GUIDE, RECORD, atomic_folder, check_folder
from flowcli.inspection.inputs import open_subject
from flowcli.inspection.observation import observe
from flowcli.inspection.pictures import draw_all
from flowcli.inspection.pixels import FAST, choose_pixels, parse_pixels
from flowcli.inspection.reading import read
from flowcli.inspection.record import record_of
from flowcli.inspection.summary import story_lines, summary
from flowcli.model.device import keep_memory
from flowcli.model.estimator import estimator_for
from flowcli.model.quality import Effort
from flowcli.model.weights import find
from flowcli.system.console import Result
from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.inspection.observation import Observation
    from flowcli.inspection.picture import PictureFile
    from flowcli.inspection.request import InspectRequest
    from flowcli.model.estimator import FlowEstimator
    from flowcli.system.console import Console
    from raft_core.config import RaftConfig

AUTOMATIC = FAST + 1
"""The number of pixels that are chosen automatically if none is requested."""
ITERATIONS, DEMO_ITERATIONS = 12, 15
DEMO_WITHOUT = "context,level3,motion"
NONE = "none"


def inspect(request: InspectRequest, console: Console) -> Result:
    """Runs RAFT on one pair of frames and writes the folder NAME_inspect with its intermediate values.

    Raises UsageError for invalid options, SourceError for unreadable input, OutputError if it cannot write the folder.
    """
    started = time.monotonic()
    subject = open_subject(request.inputs, frame=request.frame, skip=request.skip, ground_truth=request.ground_truth)
    height, width = subject.first.shape[:2]
    requested = parse_pixels(request.at, height=height, width=width)
    if request.warm_start and subject.earlier is None:
        raise UsageError(
            "there is no earlier pair to start from", hint="--warm-start needs a video and --frame N or later"
        )
    check_folder(request.folder, overwrite=request.overwrite)
    fixed_scale = parse_scale(request.max_flow)
    weights = find(request.weights)
    keep_memory()
    iterations = request.iterations or (ITERATIONS if request.paths else DEMO_ITERATIONS)
    effort = Effort(iterations=str(iterations), scale=1, precision=request.precision)
    estimator = estimator_for(weights, device=request.device, effort=effort)
    channels = channels_of(request, estimator.model.config)
    without = request.without if request.without is not None else NONE if request.paths else DEMO_WITHOUT
    switches = parse_switches("" if without == NONE else without, request.radius, estimator.model.config)
    with atomic_folder(request.folder) as place:
        observation = observe(estimator, subject, warm_start=request.warm_start)
        automatic = request.automatic if request.automatic is not None else 0 if requested else AUTOMATIC
        pixels = [*requested, *choose_pixels(observation, subject, automatic, besides=requested)]
        findings = Findings(
            subject=subject,
            observation=observation,
            readings=tuple(read(observation, pixel) for pixel in pixels),
            weights=weights,
            channels=channels.chosen_for(observation),
            scale=fixed_scale or ColourScale.covering([magnitude(observation.flow)]),
            ablations=tuple(ablate(observation, estimator, run, subject.ground_truth) for run in switches),
        )
        pictures = console.follow(draw_all(findings), total=None, unit="picture")
        files = [written(picture, place) for picture in pictures]
        write_whole(place / diagram.NAME, diagram.svg(findings).encode())
        write_whole(place / explorer.NAME, explorer.explorer(findings).encode())
        write_whole(place / GUIDE, guide().encode())
        files += [diagram.NAME, explorer.NAME, GUIDE]
        record = record_of(findings, settings=settings_of(request, estimator, observation), files=files)
        write_whole(place / RECORD, record.text().encode())
    for sentence in story_lines(findings):
        console.say(sentence)
    seconds = time.monotonic() - started
    return Result((request.folder,), summary(findings, request.folder / explorer.NAME, seconds), record)


def guide() -> str:
    """The README.md of an inspection's folder, which documents its files and the keys of inspect.json."""
    return (resources.files("flowcli.inspection") / GUIDE).read_text(encoding="utf-8")


def written(picture: PictureFile, folder: Path) -> str:
    """Writes a picture and returns its name."""
    picture.write(folder)
    return picture.name


def channels_of(request: InspectRequest, config: RaftConfig) -> Channels:
    """The requested channels; raises UsageError for channels that the model does not have."""
    return Channels(
        parse_channels(request.motion, total=config.motion_channels, option="--motion-channels"),
        parse_channels(request.hidden, total=config.hidden_channels, option="--hidden-channels"),
    )


def settings_of(request: InspectRequest, estimator: FlowEstimator, observation: Observation) -> dict[str, object]:
    """The resolved settings, for the record."""
    return {
        "iterations": len(observation.updates),
        "warm_start": observation.warm,
        "correlation": "on demand" if observation.on_demand else "all pairs",
        "device": str(estimator.device),
        "precision": str(estimator.settings.precision).removeprefix("torch."),
    }
