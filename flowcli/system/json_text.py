"""JSON as flowcli writes it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def json_text(content: object, *, compact: bool = False) -> str:
    """Readable JSON: letters as they are, but what of a file's name is no UTF-8 as an escape.

    `compact` leaves spaces and lines out. Raises ValueError for NaN and infinity, which JSON does not know.
    """
    separators = (",", ":") if compact else None
    encoder = json.JSONEncoder(
        indent=None if compact else 1, separators=separators, ensure_ascii=False, allow_nan=False
    )
    # Piece by piece: all pieces of a long run's report at once are many times the text.
    text = io.BytesIO()
    for piece in encoder.iterencode(content):
        text.write(piece.encode(errors="backslashreplace"))
    return text.getvalue().decode()


@dataclass(frozen=True)
class Json:
    """What a command reports, as data; `text` is the file that it becomes."""

    content: Mapping[str, Any]
    compact: bool = False

    def text(self) -> str:
        """The content as JSON with a line break at its end."""
        return json_text(self.content, compact=self.compact) + "\n"
