"""The structure of JPEG files, after ITU-T T.81, annex B."""

from __future__ import annotations

import re

START = b"\xff\xd8\xff"
"""The first bytes of a JPEG."""
END = b"\xff\xd9"
"""The last bytes of a JPEG."""

# In coded data FF is followed by 00, or by a restart marker. Damaged data can hold markers that do not exist.
_MARKER = re.compile(rb"\xff+([\xc0-\xcf\xd9-\xdd\xe0-\xef\xfe])")
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA


def end_of_jpeg(data: bytes, start: int = 0) -> int | None:
    """Where the JPEG that begins at `start` ends; None where it is cut off.

    Phones and cameras put other data behind it, such as a video, so that the last marker of a file says nothing.
    """
    position = start + 2
    while marker := _MARKER.search(data, position):
        position = marker.end()
        kind = marker[1][0]
        if kind == _END_OF_IMAGE:
            return position
        # The data of a scan follows its header, without a length of its own.
        position += int.from_bytes(data[position : position + 2], "big")
    return None


def is_jpeg_stream(data: bytes) -> bool:
    """Whether a second JPEG follows the first at once, as in raw Motion JPEG; several images of one photo are none."""
    end = end_of_jpeg(data) if data.startswith(START) else None
    if end is None or b"MPF\0" in data[:end]:
        return False
    return data[end:].lstrip(b"\0\xff").startswith(START[1:])
