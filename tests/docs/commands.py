"""The command reference docs/commands.md, made of the commands themselves.

    python -m tests.docs.commands

Writes it anew; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from flowcli.cli.app import app
from flowcli.cli.help import paragraphs, sections

PAGE = Path(__file__).parents[2] / "docs/commands.md"
INTRODUCTION = """# Commands

What `flowcli COMMAND --help` prints, as one page. It is generated: `python -m tests.docs.commands` writes it anew.
"""


def page() -> str:
    """The whole page."""
    root = get_command(app)
    parts = [INTRODUCTION, contents(root)]
    parts += [chapter(path, command, context) for path, command, context in commands(root)]
    return "\n".join(parts)


def commands(command: Any, parent: Any = None, path: str = "flowcli") -> Iterator[tuple[str, Any, Any]]:
    """A command and those below it, in the order of the help, each with its full name and a context."""
    context = command.context_class(
        command, info_name=path.rsplit(" ", 1)[-1], parent=parent, **command.context_settings
    )
    yield path, command, context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from commands(command.get_command(context, name), context, f"{path} {name}")


def contents(root: Any) -> str:
    """A list of links to all commands, each with its first sentence."""
    rows = [
        f"- [`{path}`](#{path.replace(' ', '-')}): {escaped(paragraphs(command.help or '')[0])}"
        for path, command, _ in commands(root)
    ]
    return "\n".join(rows) + "\n"


def chapter(path: str, command: Any, context: Any) -> str:
    """One command: its usage, description, parameters, and lists such as the values of --save."""
    usage = re.sub(r"[{}]", "", " ".join(command.collect_usage_pieces(context)))
    lines = [f"## {path}", "", f"    {path} {usage}", ""]
    for paragraph in paragraphs(command.help or ""):
        text, example, call = paragraph.partition("Example: ")
        lines += [f"    {call}" if example and not text else escaped(paragraph), ""]
    for title, rows in sections(command.get_params(context)):
        lines += [f"| {title} | |", "|---|---|"]
        lines += [f"| `{spelling.replace('|', chr(92) + '|')}` | {escaped(text)} |" for spelling, text in rows]
        lines += [""]
    if command.epilog:
        lines += ["```text", command.epilog.strip(), "```", ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text in which Markdown reads no character as its own."""
    return re.sub(r"([\\`*_<>|~\[\]])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
