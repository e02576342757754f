"""What tests read of Markdown: pages, links, anchors, tables, commands and snippets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "docs", "docs/pictures", "flowcli/inspection", "tests/benchmarks", "weights")
PAGES = {path.relative_to(ROOT).as_posix(): path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))}
GUIDE = [name for name in PAGES if name == "README.md" or name.startswith("docs/")]
"""The pages whose commands and snippets must work as written."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    """The text of a page."""
    return PAGES[name].read_text(encoding="utf-8")


def snippets(name: str) -> list[str]:
    """The blocks of Python of a page."""
    return [code for language, code in _BLOCK.findall(text(name)) if language == "python"]


def prose(name: str) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", text(name))


def links(name: str) -> list[str]:
    """The targets of all links and pictures of a page that lead to files."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)) if "://" not in target]


def anchors(name: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(name: str) -> list[str]:
    """Every command line of flowcli in the indented blocks of a page."""
    lines = re.findall(r"^ {4}(\S.*)$", prose(name), re.MULTILINE)
    return [call for line in lines if "[OPTIONS]" not in line for call in calls(line)]


def calls(line: str) -> Iterator[str]:
    """The calls of flowcli in a line of shell."""
    for part in line.split(" && "):
        if found := re.search(r"(?:^|[\s/])flowcli (.*)$", part):
            yield found[1]


def tables(name: str) -> Iterator[list[list[str]]]:
    """The tables of a page, as rows of cells; the first row is the header."""
    for block in re.findall(r"(?:^\|.*\|\n)+", prose(name), re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in block.splitlines()]
        yield [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= set(" -")]
