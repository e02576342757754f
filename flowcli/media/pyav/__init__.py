"""Video files through PyAV. `av` is imported only in this package: its API changes between versions."""

from __future__ import annotations

from flowcli.media.pyav.animation import GifWriter, WebpWriter
from flowcli.media.pyav.audio import has_audio
from flowcli.media.pyav.exr import decode_exr, exr_headers
from flowcli.media.pyav.gif import encode_gif
from flowcli.media.pyav.joining import join_videos
from flowcli.media.pyav.reading import MAX_BAD_IN_A_ROW, VideoReader
from flowcli.media.pyav.writing import VideoWriter

__all__ = [
    "MAX_BAD_IN_A_ROW",
    "GifWriter",
    "VideoReader",
    "VideoWriter",
    "WebpWriter",
    "decode_exr",
    "encode_gif",
    "exr_headers",
    "has_audio",
    "join_videos",
]
