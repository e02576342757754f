"""Plans what a request writes, without the libraries that compute, which take seconds to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from flowcli.errors import UsageError
from flowcli.flow.estimate import Direction
from flowcli.flow.outputs import check_outputs, choose, journal_folder, plan_outputs, report_path
from flowcli.media.encoding import Encoding
from flowcli.media.sources import check_name
from flowcli.system.files import reported

if TYPE_CHECKING:
    from collections.abc import Collection

    from flowcli.flow.outputs import Output
    from flowcli.pipeline.request import Request


def outputs_of(request: Request, *, video: bool) -> list[Output]:
    """The outputs of a request for a video, or for two images; changes no file.

    Raises UsageError for invalid options and paths.
    """
    saved = choose(request.save)
    for path in request.inputs:
        check_name(path)
    return plan_outputs(
        saved,
        request.inputs[0],
        video=video,
        output=request.output,
        name=request.name,
        direction=direction_of(request.direction, saved),
        containers=encoding_of(request).containers,
        names=request.names,
    )


def refuse_early(request: Request, *, video: bool) -> None:
    """Raises what `check_outputs` will raise where that is clear before the input is opened.

    It is not for a run that is to be resumed or was not finished.
    """
    outputs = outputs_of(request, video=video)
    report = report_path(outputs, request.inputs[0], name=request.name)
    with reported(report):
        unfinished = journal_folder(report).exists()
    if not request.resume and not unfinished:
        check_outputs(outputs, request.inputs, overwrite=request.overwrite)


def encoding_of(request: Request) -> Encoding:
    """How a run encodes its outputs; raises UsageError for options that cannot be combined."""
    return Encoding(
        request.codec,
        request.crf,
        request.preset,
        request.pixel_format,
        half=request.half,
        quantised=request.quantised,
        bound=request.bound,
        y=request.y,
    )


def direction_of(text: str, saved: Collection[str]) -> Direction:
    """The requested direction, or both if `saved` contains pictures of occlusion, which need both.

    Raises UsageError for an unknown direction, and for occlusion of backward flow.
    """
    if text not in get_args(Direction):
        raise UsageError(f"--direction {text} is not known", hint=f"use {', '.join(get_args(Direction))}")
    for name in ("occlusion", "occlusion_png"):
        if name in saved:
            if text == "backward":
                raise UsageError(f"--save {name} needs both directions", hint="omit --direction, or use both")
            return "both"
    return text  # type: ignore[return-value]
