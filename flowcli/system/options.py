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

# Headings in a command's help, below the options that most people use, which have none.
FRAMES = "Which frames"
COMPUTING = "How flow is computed"
DRAWING = "How flow is drawn"
ENCODING = "How outputs are encoded"
RUNS = "Runs and messages"
PANELS = (FRAMES, COMPUTING, DRAWING, ENCODING, RUNS)

# Flags have an empty metavar: Typer would show <bool>, as if they took a value.
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Folder, or single file. Default: beside the input.",
    ),
]
Weights = Annotated[
    str,
    typer.Option(metavar="NAME", help="By name, or a file by path."),
]
Quality = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="fast: half size; balanced: half size for calm pairs; best: twice it; exact: RAFT as published.",
    ),
]
Refine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="learned, variational, none, a file, or auto.",
        rich_help_panel=COMPUTING,
    ),
]
Iterations = Annotated[
    int,
    typer.Option(
        "--iters",
        metavar="N",
        help="Updates of the flow: more are slower and more exact.",
        min=1,
        rich_help_panel=COMPUTING,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="auto, fp32, bf16 or fp16.", rich_help_panel=COMPUTING)]
MaxFlow = Annotated[
    str,
    typer.Option(
        metavar="PX",
        help="Displacement in full colour, or auto.",
        rich_help_panel=DRAWING,
    ),
]
Gamma = Annotated[
    str,
    typer.Option(
        metavar="X",
        help="Above 1: stronger colours of slow motion.",
        rich_help_panel=DRAWING,
    ),
]
Wheel = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="closed, or middlebury with a seam.",
        rich_help_panel=DRAWING,
    ),
]
Stabilise = Annotated[
    bool,
    typer.Option(
        "--stabilise",
        metavar="",
        help="Draw flow without the camera's motion.",
        rich_help_panel=DRAWING,
    ),
]
Background = Annotated[
    str, typer.Option(metavar="NAME", help="Colour of zero flow: white or black.", rich_help_panel=DRAWING)
]
Legend = Annotated[
    bool,
    typer.Option(
        "--legend", metavar="", help="Draw the colour wheel, with the px at its rim.", rich_help_panel=DRAWING
    ),
]
Half = Annotated[
    bool,
    typer.Option(
        "--half",
        metavar="",
        help="Flow in npz, exr, film and arrays as float16.",
        rich_help_panel=ENCODING,
    ),
]
Quantise = Annotated[
    bool,
    typer.Option(
        "--quantise",
        metavar="",
        help="Flow in hdf5, zarr, npz_video as int16, 1/128 px.",
        rich_help_panel=ENCODING,
    ),
]
Bound = Annotated[
    float,
    typer.Option(
        metavar="PX",
        help="Motion at black and white of planes.",
        rich_help_panel=ENCODING,
    ),
]
YAxis = Annotated[
    str,
    typer.Option(
        "--y-axis",
        metavar="NAME",
        help="Where y grows in film and stmap: up or down.",
        rich_help_panel=ENCODING,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", metavar="", help="Replace outputs that exist.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Say what would be done and how long; write nothing."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Append messages, with times and details, here.", rich_help_panel=RUNS),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Details on stderr.", rich_help_panel=RUNS)]
Json = Annotated[bool, typer.Option("--json", metavar="", help="A report as JSON on stdout.", rich_help_panel=RUNS)]
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


@cache
def marked(kind: type, *marks: object) -> frozenset[str]:
    """The names of the fields of a dataclass whose annotation carries one of these marks, options or not."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(
        name
        for name, hint in hints.items()
        if get_origin(hint) is Annotated and any(mark in marks for mark in get_args(hint)[1:] if isinstance(mark, str))
    )
