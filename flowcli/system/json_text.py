"""JSON as flowcli writes it."""

from __future__ import annotations

import io
import json


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
