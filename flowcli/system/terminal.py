"""What a terminal gets instead of plain lines: colours, whole words at the end of lines, and room beside bars."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

STYLES = {"error": "1;31", "hint": "36", "note": "33", "problem": "1;31", "name": "36", "summary": "32"}
"""The ANSI styles of the words that begin lines, of names of facts, and of summaries."""

CLEAR = "\r\x1b[K"
"""Removes the line that the cursor is in, such as a bar, and the `^C` that a terminal shows behind it."""

HEAD = re.compile(r"(error|hint|note): |  \S.*?  +")
"""The beginning of a line that its further lines leave free: the kind of a message, or a name in a list."""

COMMAND = re.compile(r"`[^`]*`")


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that obeys escapes."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: TextIO) -> str:
    """Text in one of `STYLES` where the stream is a terminal, and NO_COLOR is not set."""
    if not is_terminal(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def folded(text: str, stream: TextIO, *, indent: int = 0) -> str:
    """Text that begins in column `indent` of a terminal, in lines that fit and begin there too; as it is elsewhere.

    Lines break between words only; commands in backquotes and what is longer than a line stay whole, to be copied.
    """
    if not is_terminal(stream):
        return text
    margin = " " * indent
    lines = textwrap.wrap(
        COMMAND.sub(lambda command: command[0].replace(" ", "\0"), text),
        max(width_of(stream), indent + 20),
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)[indent:].replace("\0", " ")


def message(text: str, stream: TextIO, *, style: str | None = None) -> str:
    """A message as a stream shows it: all of it in a style, or the word at its beginning that says its kind."""
    if not is_terminal(stream):
        return text
    head = HEAD.match(text)
    start, kind = (head[0], head[1]) if head else ("", None)
    rest = folded(text[len(start) :], stream, indent=len(start))
    if style:
        return CLEAR + styled(start + rest, style, stream)
    return CLEAR + (styled(start.rstrip(), kind, stream) + " " if kind else start) + rest


def width_of(stream: TextIO) -> int:
    """The columns of a terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns


def counted(number: int, unit: str) -> str:
    """A number with its unit, in the plural unless it is 1."""
    return f"{number} {unit}{'s' * (number != 1)}"


def printable(text: str) -> str:
    """Text with control characters escaped, so that a file's name cannot control the terminal."""
    return "".join(
        f"\\x{code_of(character):02x}" if unicodedata.category(character).startswith("C") else character
        for character in text
    )


def code_of(character: str) -> int:
    """A character's code point, or the byte behind a surrogate by which Python holds bytes that are not UTF-8."""
    code = ord(character)
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
