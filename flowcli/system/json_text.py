"""JSON as flowcli writes it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def json_text(content: object, *, compact: bool = False) -> str:
    """Readable JSON in which only bytes of file names that are not UTF-8 are escaped.

    `compact` leaves out spaces and line breaks. Raises ValueError for NaN and infinity, which JSON cannot hold.
    """
    separators = (",", ":") if compact else None
    encoder = json.JSONEncoder(
        indent=None if compact else 1, separators=separators, ensure_ascii=False, allow_nan=False
    )
    # Encoded chunk by chunk: together, the chunks of a long report take many times the memory of its text.
    text = io.BytesIO()
    for chunk in encoder.iterencode(content):
        text.write(chunk.encode(errors="backslashreplace"))
    return text.getvalue().decode()


@dataclass(frozen=True)
class Json:
    """The data of a JSON file."""

    content: Mapping[str, Any]
    compact: bool = False

    def text(self) -> str:
        """The file's text, which ends with a line break."""
        return json_text(self.content, compact=self.compact) + "\n"
