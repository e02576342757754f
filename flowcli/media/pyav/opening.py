"""Opening of videos, restricted to safe formats and protocols."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import av

from flowcli.errors import SourceError, UsageError
from flowcli.media.jpeg import START as JPEG
from flowcli.media.jpeg import is_jpeg_stream
from flowcli.media.pyav.sniffing import Fault, refusal

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

# Playlists and concat scripts are left out: they refer to other files and hosts.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,flv,asf,ogg,nut,mxf,"
    "gif,apng,yuv4mpegpipe,dv,wtv,rm,h261,h263,vc1,dirac,mjpeg,mpjpeg,gxf,swf,amv,mp3,wav,flac,aac"
)
_LONGEST_JPEG = 2**25
"""Bytes within which the first frame of a raw Motion JPEG ends."""
# Before PyAV 19, a title that is not UTF-8 makes a file unreadable.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


class Readable(Protocol):
    """A stream of bytes that a video is read from; PyAV uses `seek` and `tell` where it has them."""

    def peek(self, size: int, /) -> bytes:
        """The first bytes, up to `size` of them, which `read` still gives."""

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
        # FFmpeg takes a stream of JPEGs for a single one, unless told by the ending of its name.
        layout = "mjpeg" if _is_motion_jpeg(path, stream) else None
        return av.open(source, format=layout, options=options, **_LENIENT)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", hint="check the path") from error
    except PermissionError as error:
        raise SourceError(f"{path} may not be read", hint="check its permissions") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        if stream is not None:
            raise SourceError(
                f"{path} is not a video that can be read",
                hint="pipe Matroska, MPEG-TS, NUT or MP4",
            ) from error
        raise refusal(path) from error


def _is_motion_jpeg(path: Path, stream: Readable | None) -> bool:
    if stream is not None:
        return stream.peek(len(JPEG)) == JPEG
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(JPEG)) == JPEG and is_jpeg_stream(JPEG + file.read(_LONGEST_JPEG))


def video_stream(container: Any, path: Path, *, number: int | None = None) -> Any:
    """The video stream with this number, from 0, or the first that the file marks as default, or else the first.

    Images do not count: cover art, and the still image of an animated AVIF or HEIF. Raises SourceError where there is
    none or its format is unknown, UsageError where there is none with this number.
    """
    streams = video_streams(container)
    if not streams:
        raise refusal(path, otherwise=Fault("has no video stream", "give a video file or a folder of images"))
    if number is not None and number >= len(streams):
        numbers = "0 only" if len(streams) == 1 else f"0 to {len(streams) - 1}"
        raise UsageError(f"{path} has no video stream {number}", hint=f"--video-stream can be {numbers}")
    if number is None:
        number = next(
            (place for place, one in enumerate(streams) if one.disposition & av.stream.Disposition.default), 0
        )
    if streams[number].codec_context is None:
        raise refusal(path, otherwise=Fault("has video in an unknown format", "convert it to H.264 first"))
    return streams[number]


def video_streams(container: Any) -> list[Any]:
    """The video streams of a container, without images; where there are images only, those that are no cover art."""
    kinds = av.stream.Disposition
    streams = [one for one in container.streams.video if not one.disposition & kinds.attached_pic]
    moving = [one for one in streams if not one.disposition & (kinds.still_image | kinds.timed_thumbnails)]
    return [one for one in moving if one.frames != 1] or moving or streams


def note_of_streams(container: Any, stream: Any) -> str | None:
    """The sentence about a choice among several video streams; None where there is one."""
    streams = video_streams(container)
    if len(streams) < 2:
        return None
    sizes = ", ".join(f"{one.width} x {one.height}" if one.codec_context else "unknown" for one in streams)
    return (
        f"the file has {len(streams)} video streams ({sizes}): number {streams.index(stream)} is read (--video-stream)"
    )
