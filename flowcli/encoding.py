"""How outputs are encoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoding:
    """What was asked for: `half` stores raw flow in float16 where the format allows it."""

    half: bool = False


DEFAULT = Encoding()
