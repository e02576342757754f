"""OpenCV, which every module imports from here: it reads its limits from the environment while it loads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from flowcli.errors import DeviceError, SourceError
from flowcli.system.files import write_whole
from flowcli.system.refusals import RAISE_LIMIT, UNMAPPED, reason
from flowcli.system.streams import silenced

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# OpenCV reads its limits, and sets paths of its windows' libraries; a program that imports flowcli keeps its own.
_before = dict(os.environ)
# A PNG of 100 kB can decode to gigabytes (opencv/opencv#17242). This is Pillow's limit, 179 megapixels.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

try:
    import cv2
except ImportError as error:
    raise DeviceError(
        f"OpenCV cannot be loaded: {reason(error)}",
        hint=RAISE_LIMIT
        if UNMAPPED in str(error)
        else "pip uninstall -y opencv-python opencv-contrib-python, then "
        "pip install --force-reinstall opencv-python-headless, which needs no desktop",
    ) from error
finally:
    for _name in os.environ.keys() - _before.keys():
        del os.environ[_name]
    os.environ.update(_before)

__all__ = ["cv2", "decode"]


def decode(path: Path, data: bytes | NDArray[np.uint8], mode: int = cv2.IMREAD_COLOR) -> NDArray[Any]:
    """The image in a file's bytes, in BGR order; raises SourceError where it cannot be decoded or is too large.

    Decoded from memory, because OpenCV crashes on file names that are not UTF-8; silenced, because libpng and libjpeg
    print warnings about damaged files.
    """
    reason = "is not an image that can be read"
    image = None
    if len(data):
        try:
            with silenced():
                image = cv2.imdecode(np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data, mode)
        except cv2.error as error:
            reason = "is too large an image" if "pixels" in str(error).lower() else reason
    if image is None:
        raise SourceError(f"{path} {reason}", hint="give a PNG, JPEG, WebP, TIFF or BMP")
    return np.asarray(image)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Writes a (height, width, 3) RGB image, or a grey one (height, width); raises OutputError where that fails."""
    # Encoded to memory: OpenCV's own file writing hides a full disk, and crashes on names that are not UTF-8.
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", stored)
    write_whole(path, data.data)
