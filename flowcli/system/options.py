"""Command-line options that several commands share, and the options that the fields of a dataclass declare.

A field carries its option: `skip: Annotated[int, typer.Option(metavar="N", help="...", min=1)] = 1`. Commands, lists of
clips and the sides of a comparison all read this declaration through `declared`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
"""The values of a flag in lists of clips and sides of a comparison."""

# Headings in a command's help.
DRAWING = "How flow is drawn"
ENCODING = "How outputs are encoded"

# Flags have an empty metavar: Typer would show <bool>, as if they took a value.
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Folder to write to, or the file itself if there is just one. Default: beside the input.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Weights by name, or a checkpoint by path: of flowcli, princeton-vl or torchvision."
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="fast: half size; balanced; best: a second look at twice the size; exact: the published algorithm, 32 "
        "updates in float32. The options below prevail over it.",
    ),
]
Refine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Refinement of the flow at full resolution: variational, none, or auto, which refines flow of weights "
        "that were trained for it, and leaves published ones as they are.",
    ),
]
Iterations = Annotated[
    int, typer.Option("--iters", metavar="N", help="Updates of the flow: more are slower and more exact.", min=1)
]
Device = Annotated[str, typer.Option(metavar="NAME", help="Where to compute: auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="Number format: auto, fp32, bf16 or fp16.")]
MaxFlow = Annotated[
    str,
    typer.Option(
        metavar="PX",
        help="Displacement drawn in full colour, in px, the same for the whole run; or auto.",
        rich_help_panel=DRAWING,
    ),
]
Gamma = Annotated[
    str,
    typer.Option(
        metavar="X",
        help="Above 1, small displacements are drawn in stronger colours; auto: 1 to 1.6, as the clip needs.",
        rich_help_panel=DRAWING,
    ),
]
Wheel = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="closed, or middlebury, whose published colours have a seam at the right.",
        rich_help_panel=DRAWING,
    ),
]
Stabilise = Annotated[
    bool,
    typer.Option(
        "--stabilise",
        metavar="",
        help="Draw flow without the camera's motion, for hand-held clips; flow files keep it.",
        rich_help_panel=DRAWING,
    ),
]
Background = Annotated[
    str, typer.Option(metavar="NAME", help="Colour of zero flow: white or black.", rich_help_panel=DRAWING)
]
Legend = Annotated[
    bool,
    typer.Option(
        "--legend", metavar="", help="Draw the colour wheel, with the displacement at its rim.", rich_help_panel=DRAWING
    ),
]
Half = Annotated[
    bool,
    typer.Option(
        "--half",
        metavar="",
        help="Store flow in npz, exr, film and the arrays of videos as float16: half the size.",
        rich_help_panel=ENCODING,
    ),
]
Quantise = Annotated[
    bool,
    typer.Option(
        "--quantise",
        metavar="",
        help="Store flow in hdf5, zarr and npz_video as int16: exact to 1/128 px, up to 512 px.",
        rich_help_panel=ENCODING,
    ),
]
Bound = Annotated[
    float,
    typer.Option(
        metavar="PX",
        help="Motion that planes show as black and as white; faster motion is cut.",
        rich_help_panel=ENCODING,
    ),
]
YAxis = Annotated[
    str,
    typer.Option(
        "--y-axis",
        metavar="NAME",
        help="Where y grows in film and stmap: up, as compositing programs count, or down.",
        rich_help_panel=ENCODING,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", metavar="", help="Replace outputs that exist.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Report what would be done and how long it would take; write nothing."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Append the messages of stderr, with times and details, to this file."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Report details on stderr.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print a report as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress and no summary on stderr.")]


@dataclass(frozen=True)
class Option:
    """An option that a dataclass declares: its field, its name without dashes, and its type without `None`.

    `annotation` is the field's whole annotation, for Typer; `marks` are its other metadata.
    """

    field: str
    name: str
    type: type
    annotation: Any
    default: Any
    info: OptionInfo
    marks: tuple[object, ...]

    def parse(self, text: str) -> Any:
        """The value that `text` stands for; raises ValueError where the option does not accept it."""
        if self.type is bool:
            if text.lower() not in TRUE + FALSE:
                raise ValueError(text)
            return text.lower() in TRUE
        value = self.type(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(text)
        if self.info.min is not None and value < self.info.min:
            raise ValueError(text)
        return value


@cache
def declared(kind: type) -> dict[str, Option]:
    """The options that a dataclass declares, by field name and in field order; other fields are left out."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in dataclasses.fields(kind):
        if get_origin(hints[field.name]) is not Annotated:
            continue
        base, *marks = get_args(hints[field.name])
        info = next((mark for mark in marks if isinstance(mark, OptionInfo)), None)
        if info is None:
            continue
        # In an annotation, Typer stores the first name as the default.
        names = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
        spelled = names[0] if names else f"--{field.name.replace('_', '-')}"
        types = [part for part in get_args(base) or (base,) if part is not NoneType]
        default = dataclasses.MISSING if field.default is dataclasses.MISSING else field.default
        others = tuple(mark for mark in marks if mark is not info)
        found[field.name] = Option(
            field.name, spelled.split("/")[0].lstrip("-"), types[0], hints[field.name], default, info, others
        )
    return found


def marked(kind: type, *marks: object) -> frozenset[str]:
    """The names of the fields of a dataclass whose annotation carries one of these marks, options or not."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(
        name
        for name, hint in hints.items()
        if get_origin(hint) is Annotated and any(mark in marks for mark in get_args(hint)[1:] if isinstance(mark, str))
    )
