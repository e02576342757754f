"""Video files through PyAV: only here is `av` imported, so that its moving API is met in one place."""

from __future__ import annotations

from flowcli.pyav.animation import encode_gif
from flowcli.pyav.exr import decode_exr, encode_exr
from flowcli.pyav.joining import join_videos
from flowcli.pyav.loops import GifWriter, WebpWriter
from flowcli.pyav.reading import MAX_BAD_IN_A_ROW, VideoReader
from flowcli.pyav.sound import has_sound
from flowcli.pyav.writing import VideoWriter

__all__ = [
    "MAX_BAD_IN_A_ROW",
    "GifWriter",
    "VideoReader",
    "VideoWriter",
    "WebpWriter",
    "decode_exr",
    "encode_exr",
    "encode_gif",
    "has_sound",
    "join_videos",
]
