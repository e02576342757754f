"""Image formats that may hold an animation."""

from __future__ import annotations

import re

import numpy as np

from flowcli.system.opencv import cv2


def is_animated(data: bytes) -> bool:
    """Whether the bytes of an image file hold several frames: WebP, PNG, AVIF, HEIF or GIF."""
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return data.count(b"ANMF") > 1
    if data[:4] == b"\x89PNG":
        control = re.search(rb"acTL(....)", data[:4096], re.DOTALL)
        return control is not None and int.from_bytes(control[1], "big") > 1
    if data[4:8] == b"ftyp":
        return bool({b"avis", b"msf1", b"hevc", b"hevx"} & set(brands_of(data)))
    if data[:4] == b"GIF8":
        _, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8), 0, 2)
        return len(animation.frames) > 1
    return False


def brands_of(data: bytes) -> list[bytes]:
    """The brands of an ISO base media file, such as AVIF and HEIF, the major one first."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    return [data[8:12], *(data[place : place + 4] for place in range(16, end, 4))]
