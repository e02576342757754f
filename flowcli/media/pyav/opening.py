"""Opening of videos, restricted to safe formats and protocols."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import av

from flowcli.errors import SourceError, UsageError
from flowcli.media.pyav.sniffing import Fault, refusal

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

# Playlists and concat scripts are left out: they refer to other files and hosts.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,flv,asf,ogg,nut,mxf,"
    "gif,apng,yuv4mpegpipe,dv,wtv,rm,h261,h263,vc1,dirac,mjpeg,gxf,swf,amv,mp3,wav,flac,aac"
)
# Before PyAV 19, a title that is not UTF-8 makes a file unreadable.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


class Readable(Protocol):
    """A stream of bytes that a video is read from; PyAV uses `seek` and `tell` where it has them."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


def open_container(path: Path, stream: Readable | None) -> Any:
    """PyAV's container of the file at `path`, or of `stream`, which `path` names in errors.

    Raises UsageError where the file does not exist, SourceError where it cannot be opened as a video.
    """
    options = {"protocol_whitelist": "file,crypto,data", "format_whitelist": _FORMATS}
    # As an absolute path, `http:x.mp4` is a file; Path.absolute would keep `..`, which the whitelist refuses.
    source: Any = os.path.abspath(path) if stream is None else stream  # noqa: PTH100
    try:
        return av.open(source, options=options, **_LENIENT)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except PermissionError as error:
        raise SourceError(f"{path} may not be read", hint="check its permissions") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        if stream is not None:
            raise SourceError(
                f"{path} is not a video that can be read",
                hint="pipe Matroska, MPEG-TS, NUT, or MP4 with its index in front (faststart)",
            ) from error
        raise refusal(path) from error


def video_stream(container: Any, path: Path) -> Any:
    """The first video stream that is not cover art, which FFmpeg shows as a video of one frame.

    Raises SourceError where there is none, or its format is unknown.
    """
    pictures = av.stream.Disposition.attached_pic
    stream = next((stream for stream in container.streams.video if not stream.disposition & pictures), None)
    if stream is None:
        raise refusal(path, otherwise=Fault("has no video stream", "give a video file or a folder of images"))
    if stream.codec_context is None:
        raise refusal(path, otherwise=Fault("has video in an unknown format", "convert it to H.264 first"))
    return stream
