"""Options of the command line: those that several commands share, and how a dataclass says that its fields are options.

A field carries its option: `skip: Annotated[int, typer.Option(metavar="N", help="...", min=1)] = 1`. Commands, lists of
clips and the sides of a comparison read the same declaration, by `declared`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.models import OptionInfo

TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
"""What a flag may be set to where it is written as a value."""

# Headings of their own in a command's help.
DRAWING = "How flow is drawn"
ENCODING = "How outputs are encoded"

# An empty metavar: Typer would show <bool>, as if a flag took a value.
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
Iterations = Annotated[
    int, typer.Option("--iters", metavar="N", help="Updates of the flow: more are slower and more exact.", min=1)
]
Device = Annotated[str, typer.Option(metavar="NAME", help="Where to compute: auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="Number format: auto, fp32, bf16 or fp16.")]
MaxFlow = Annotated[
    str,
    typer.Option(
        metavar="PX",
        help="Motion drawn in full colour, in px per pair, the same for the whole run; or auto.",
        rich_help_panel=DRAWING,
    ),
]
Gamma = Annotated[
    float, typer.Option(metavar="X", help="Above 1, slow motion is drawn more strongly.", rich_help_panel=DRAWING)
]
Background = Annotated[
    str, typer.Option(metavar="NAME", help="What stands still is white, or black.", rich_help_panel=DRAWING)
]
Legend = Annotated[
    bool,
    typer.Option(
        "--legend", metavar="", help="Draw the colour wheel, and what its rim stands for.", rich_help_panel=DRAWING
    ),
]
Half = Annotated[
    bool,
    typer.Option("--half", metavar="", help="Store flow in npz as float16: half the size.", rich_help_panel=ENCODING),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", metavar="", help="Replace outputs that exist.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="Say what would be done, and how long it would take; write nothing."),
]
LogFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="Append what is said on stderr, with times and details, to this file."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Say on stderr how it is done.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print a report as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress and no summary on stderr.")]


@dataclass(frozen=True)
class Option:
    """An option that a dataclass declares: its field, its name without dashes, and its type without `None`.

    `annotation` is what Typer reads, `marks` is whatever else the field's annotation carries.
    """

    field: str
    name: str
    type: type
    annotation: Any
    default: Any
    info: OptionInfo
    marks: tuple[object, ...]

    def parse(self, text: str) -> Any:
        """A value from text, as a table or a comma list has it; raises ValueError for what the option does not take."""
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


def declared(kind: type) -> dict[str, Option]:
    """The options that a dataclass declares, by field, in its order; fields without one are left out."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in dataclasses.fields(kind):
        if get_origin(hints[field.name]) is not Annotated:
            continue
        base, *marks = get_args(hints[field.name])
        info = next((mark for mark in marks if isinstance(mark, OptionInfo)), None)
        if info is None:
            continue
        # In an annotation, Typer takes the first name for a default.
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
    """The fields of a dataclass whose annotation carries one of these marks, options or not."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(
        name
        for name, hint in hints.items()
        if get_origin(hint) is Annotated and any(mark in marks for mark in get_args(hint)[1:] if isinstance(mark, str))
    )
