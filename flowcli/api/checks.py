"""Checks of single arguments of the Python interface; all raise TypeError and ValueError, which name the argument."""

from __future__ import annotations

import math
import numbers
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

from flowcli.errors import UsageError
from flowcli.media.selection import MAX_RATE, parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Parsed = TypeVar("Parsed")


def parsed(name: str, parse: Callable[[], Parsed]) -> Parsed:
    """What a parser of the command line returns; its UsageError becomes a ValueError that names the argument."""
    try:
        return parse()
    except UsageError as error:
        raise ValueError(f"{name}: {error}; {error.hint}") from error


def text(name: str, value: object) -> None:
    """Raises TypeError where a value is no text."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, as on the command line, got {value!r}")


def one_of(name: str, value: object, allowed: Collection[str]) -> None:
    """Raises TypeError where a value is no text, ValueError where it is not allowed."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is one of {', '.join(allowed)}, got {value!r}")
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}, got {value!r}")


def whole(name: str, value: object, *, least: int = 1, otherwise: str = "") -> None:
    """Raises TypeError where a value is no whole number, ValueError where it is less than `least`.

    `otherwise` is a text that is allowed, too.
    """
    expected = f"{name} is a whole number of at least {least}" + f" or {otherwise!r}" * bool(otherwise)
    if isinstance(value, str) and otherwise:
        if value != otherwise:
            raise ValueError(f"{expected}, got {value!r}")
    elif isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{expected}, got {value!r}")
    elif int(value) < least:
        raise ValueError(f"{expected}, got {value}")


def number(name: str, value: object, *, most: float = math.inf, zero: bool = False) -> None:
    """Raises TypeError where a value is no number, ValueError where it is not above 0, or 0 if `zero`, up to `most`."""
    least = "of at least 0" if zero else "above 0"
    expected = f"{name} is a number {least}" + f" and at most {most:g}" * (most < math.inf)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{expected}, got {value!r}")
    if not 0 <= float(value) <= most or value == math.inf or (value == 0 and not zero):
        raise ValueError(f"{expected}, got {value}")


def flag(name: str, value: object) -> None:
    """Raises TypeError where a value is neither true nor false."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, got {value!r}")


def rate(name: str, value: Any) -> Fraction | None:
    """Frames per second, as a number or as text such as 30000/1001; raises TypeError and ValueError."""
    if value is None:
        return None
    if isinstance(value, str):
        return parsed(name, lambda: parse_rate(value, "the text"))
    number(name, value, most=MAX_RATE)
    return Fraction(value).limit_denominator(1_000_000)


def moment(name: str, value: object) -> str | None:
    """A point of a video as text: seconds given as a number, or as the command line has it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is seconds, or text such as '1:02.5' or '#120', got {value!r}")
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{name} is at least 0 s, got {value}")
    return f"{float(value):.6f}"
