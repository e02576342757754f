"""OpenCV, imported in this one place, because its limits are read from the environment while it loads."""

from __future__ import annotations

import os

from flowcli.errors import DeviceError

# A 100 kB PNG can unfold to gigabytes: opencv/opencv#17242. This is Pillow's limit, 179 megapixels.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

try:
    import cv2
except ImportError as error:
    raise DeviceError(
        f"OpenCV cannot be loaded: {error}",
        hint="without a desktop: pip uninstall opencv-python, then pip install opencv-python-headless",
    ) from error

__all__ = ["cv2"]
