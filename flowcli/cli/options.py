"""Gives commands the options that dataclasses declare."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any

from flowcli.flow.outputs import descriptions
from flowcli.system.options import declared

Command = Callable[..., None]

WIDTH = 80
"""The characters of a line of help on a narrow terminal."""


@cache
def outputs(*, video: bool = True) -> str:
    """The epilog of a command's help that describes every value of --save for a video, or for a pair of images."""
    return listed("Outputs, the values of --save", descriptions(video=video))


def listed(title: str, texts: Mapping[str, str]) -> str:
    """A title, followed by each name with its text, wrapped."""
    column = 1 + max(map(len, texts))
    lines = (
        textwrap.fill(text, WIDTH, initial_indent=f"{name:<{column}}", subsequent_indent=" " * column)
        for name, text in texts.items()
    )
    return "\n".join([title, *lines])


def takes(
    kind: type,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    defaults: Mapping[str, object] | None = None,
) -> Callable[[Command], Command]:
    """Decorates a command so that its argument `options` becomes the options that the dataclass `kind` declares.

    The command receives their values in `options`, by field. A parameter of the command replaces the field of the same
    name; `only` and `without` select among the other fields, and `defaults` override the fields' defaults.
    """

    def decorate(run: Command) -> Command:
        own = signature(run, eval_str=True).parameters
        fields = {
            name: Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=(defaults or {}).get(name, Parameter.empty if option.default is MISSING else option.default),
                annotation=option.annotation,
            )
            for name, option in declared(kind).items()
            if name not in own and name not in without and (only is None or name in only)
        }
        parameters: list[Parameter] = []
        for name, parameter in own.items():
            parameters += fields.values() if name == "options" else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]

        def command(**given: Any) -> None:
            options = {name: given.pop(name) for name in fields}
            run(**given, options=options)

        command.__name__, command.__module__, command.__doc__ = run.__name__, run.__module__, run.__doc__
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate
