"""JSON as flowcli writes it."""

from __future__ import annotations

import json


def json_text(content: object, *, compact: bool = False) -> str:
    """Readable JSON: letters as they are, but what of a file's name is no UTF-8 as an escape.

    `compact` leaves spaces and lines out. Raises ValueError for NaN and infinity, which JSON does not know.
    """
    separators = (",", ":") if compact else None
    text = json.dumps(
        content, indent=None if compact else 1, separators=separators, ensure_ascii=False, allow_nan=False
    )
    return text.encode(errors="backslashreplace").decode()
