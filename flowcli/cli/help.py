"""The help of commands: two columns, so that a line is left for what an option does, even on 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from flowcli.system.options import PANELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDEST = 100
"""The characters of the longest lines, however wide the terminal is."""


COMMANDS = "Commands"
"""The heading of a group's commands, whose names are shorter than those of options."""

FEW = 16
"""A command of at most so many arguments and options needs no headings among its options."""


class Command(TyperCommand):
    """A command whose help lists the options that most people use first, the others under their headings."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help; writes nothing to `formatter`."""
        show(self, ctx, sections(self.get_params(ctx)))


class Group(TyperGroup):
    """A command of several commands, whose help lists them in the order in which they were added."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Prints the help; writes nothing to `formatter`."""
        commands = [
            (name, paragraphs(command.help or "")[0])
            for name, command in ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
            if command is not None
        ]
        show(self, ctx, [(COMMANDS, commands), *sections(self.get_params(ctx))])


def sections(parameters: Iterable[Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The parameters by heading, arguments and options without a heading first; each with its help.

    A command of few options has them all under one heading.
    """
    found: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", "Options", *PANELS)}
    shown = [parameter for parameter in parameters if not getattr(parameter, "hidden", False)]
    for parameter in shown:
        kind = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
        panel = parameter.rich_help_panel if len(shown) > FEW else None
        found[panel or kind].append((spelled(parameter), described(parameter)))
    yield from ((title, rows) for title, rows in found.items() if rows)


def spelled(parameter: TyperArgument | TyperOption) -> str:
    """How a parameter is written: `-o, --output PATH`, `--[no-]warm-start` or `INPUT`."""
    if isinstance(parameter, TyperArgument):
        return str(parameter.metavar or parameter.name)
    names = sorted(parameter.opts, key=len)
    if parameter.secondary_opts:
        names = [name.replace("--", "--[no-]") for name in names]
    return " ".join([", ".join(names), *([] if parameter.is_flag else [parameter.metavar or "TEXT"])])


def described(parameter: TyperArgument | TyperOption) -> str:
    """The help of a parameter, with its default where that is not an absence, and whether it is required."""
    default = parameter.default
    text = parameter.help or ""
    if parameter.required and isinstance(parameter, TyperOption):
        return f"{text} [required]"
    if parameter.is_flag if isinstance(parameter, TyperOption) else True:
        return text
    return text if default is None or default == "" or callable(default) else f"{text} [{default}]"


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a command's docstring, each on one line, as terminals and windows differ in width."""
    return [" ".join(part.split()) for part in text.replace("\\[", "[").split("\n\n")]


def show(command: Any, context: Any, parts: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> None:
    """Prints usage, description, the parts as two columns under their headings, and the epilog."""
    from rich.console import Console  # noqa: PLC0415 - only help needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    terminal = Console(highlight=False)
    terminal.width = min(terminal.width, WIDEST)
    pieces = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    terminal.print(Text.assemble(("Usage: ", "bold"), f"{context.command_path} {pieces}\n"))
    for paragraph in paragraphs(command.help or ""):
        terminal.print(Text(f"{paragraph}\n"))
    parts = list(parts)
    widest = max(len(name) for title, rows in parts if title != COMMANDS for name, _ in rows)
    for title, rows in parts:
        table = Table.grid()
        table.add_column(width=4 + (max(len(name) for name, _ in rows) if title == COMMANDS else widest), no_wrap=True)
        table.add_column()
        for name, text in rows:
            table.add_row(Text(f"  {name}", style="cyan"), Text(text))
        terminal.print(Text(f"{title}:", style="bold"))
        terminal.print(table)
        if title == COMMANDS:
            terminal.print()
    if command.epilog:
        terminal.print(Text(f"\n{command.epilog.strip()}"))
