"""Conversion of decoded frames to 8-bit RGB as displayed, whatever their colours and depth.

Colour matrices, transfer functions and primaries have the numbers of ITU-T H.273, as in FFmpeg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from flowcli.errors import SourceError
from flowcli.media.levels import Levels, note_of
from flowcli.media.pyav.hdr import HLG, PQ, is_hdr, tone_mapped
from flowcli.media.pyav.matrices import ICTCP, from_ictcp, from_ycgco
from flowcli.media.pyav.samples import full_range, is_deep, is_not_converted, samples_of
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from flowcli.media.levels import Mode

_SMPTE_170M = 6
_HD, _BT2020 = 1, 9
# What FFmpeg converts: RGB, BT.709, unspecified, FCC, BT.470BG, SMPTE 170M and 240M, BT.2020.
_CONVERTED = frozenset({0, _HD, 2, 4, 5, _SMPTE_170M, 7, _BT2020})
_YCGCO, _YCGCO_RE, _YCGCO_RO = 8, 16, 17
_NAMED = {
    10: "BT.2020 with constant luminance", 11: "SMPTE 2085", 12: "derived from their primaries",
    13: "derived from their primaries, with constant luminance", 15: "IPT-C2",
}  # fmt: skip
_LIMITED = 1


class Colours:
    """The conversion of the frames of one video; `notes` say by subject what was assumed.

    `levels` are those of frames of more than 8 bits; `auto` shows their full range, unless the reader of a stream
    replaces it, and `full` also forbids the tone mapping of HDR.
    """

    def __init__(self, path: Path, levels: Levels | Mode = "auto") -> None:
        self.levels = levels
        self.is_deep = False
        self.notes: dict[str, str] = {}
        self._path = path
        self._reformatter = VideoReformatter()

    def rgb(self, frame: Any, width: int, height: int) -> NDArray[np.uint8]:
        """The (height, width, 3) RGB image of a PyAV frame; raises SourceError where its colours are not known."""
        self.is_deep = is_deep(frame)
        if isinstance(self.levels, Levels):
            if self.is_deep:
                self._note("levels", note_of(self.levels))
                return _resized(self.levels.apply(samples_of(frame)), width, height)
            self._note("levels", "frames have 8 bits or are YUV, which --levels does not change")
        if self.is_deep and is_not_converted(frame):
            return _resized(full_range(frame).apply(samples_of(frame)), width, height)
        matrix = frame.colorspace
        if matrix in {_YCGCO, _YCGCO_RE, _YCGCO_RO, ICTCP} and _is_yuv(frame):
            return self._by_definition(frame, matrix, width, height)
        self._assume_matrix(frame)
        if is_hdr(frame) and self.levels != "full":
            return self._tone_mapped(self._scaled(frame, width, height, "rgb48le"), frame)
        return self._scaled(frame, width, height, "rgb24")

    def levels_of_all(self, levels: Levels | Mode) -> Levels | None:
        """Those of `levels` that the frames so far are shown by; None for the full range."""
        return levels if isinstance(levels, Levels) and self.is_deep else None

    def _by_definition(self, frame: Any, matrix: int, width: int, height: int) -> NDArray[np.uint8]:
        bits = frame.format.components[0].bits
        full = frame.color_range != _LIMITED
        frame.colorspace = _SMPTE_170M  # any that FFmpeg knows: from YUV to YUV it changes nothing but the size
        planes = self._scaled(frame, width, height, "yuv444p16le")
        if matrix == ICTCP:
            return self._tone_mapped(from_ictcp(planes, full=full, hlg=frame.color_trc == HLG), frame)
        return from_ycgco(planes, full=full, bits=bits, extra={_YCGCO_RE: 2, _YCGCO_RO: 1}.get(matrix, 0))

    def _assume_matrix(self, frame: Any) -> None:
        """Replaces a matrix that FFmpeg does not convert by the nearest one that it does, and notes it."""
        matrix = frame.colorspace
        if matrix in _CONVERTED:
            return
        if not _is_yuv(frame):
            frame.colorspace = 0  # RGB and grey have none
            return
        name = _NAMED.get(matrix)
        if matrix in {11, 15}:
            raise SourceError(
                f"{self._path} has colours of {name}, which cannot be converted", hint="convert it to BT.709 first"
            )
        if matrix == 10 or (name and frame.color_primaries == _BT2020):
            frame.colorspace, assumed = _BT2020, "BT.2020"
        elif name and frame.color_primaries in {_HD, 2}:
            frame.colorspace, assumed = _HD, "BT.709"
        else:
            frame.colorspace, assumed = _SMPTE_170M, "BT.601"
        stated = f"are {name}" if name else f"have the reserved number {matrix}"
        self._note("matrix", f"the colours {stated}: they are shown as {assumed}, which is not exact")

    def _tone_mapped(self, codes: NDArray[Any], frame: Any) -> NDArray[np.uint8]:
        transfer = HLG if frame.color_trc == HLG else PQ
        name = "HLG" if transfer == HLG else "PQ"
        self._note("hdr", f"frames are HDR ({name}): they are tone-mapped for a common screen (--levels full does not)")
        return tone_mapped(codes, transfer, frame.color_primaries)

    def _scaled(self, frame: Any, width: int, height: int, layout: str) -> NDArray[Any]:
        frame = _unpacked(frame)
        try:
            return np.asarray(self._reformatter.reformat(frame, width=width, height=height, format=layout).to_ndarray())
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self._path} has pixels of format {frame.format.name}, which cannot be converted",
                hint="ffmpeg -i FILE -pix_fmt rgb24 -c:v ffv1 OTHER.mkv",
            ) from error

    def _note(self, subject: str, text: str) -> None:
        self.notes.setdefault(subject, text)


def _is_yuv(frame: Any) -> bool:
    return not frame.format.is_rgb and len(frame.format.components) > 2


def _resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _unpacked(frame: Any) -> Any:
    """A frame of two pixels per byte with one in each, which FFmpeg can convert; other frames are unchanged."""
    name = frame.format.name
    if name not in {"rgb4", "bgr4"}:
        return frame
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]
    pixels = np.stack([rows >> 4, rows & 15], axis=-1).reshape(frame.height, -1)[:, : frame.width]
    wide = av.VideoFrame(frame.width, frame.height, f"{name}_byte")
    target = wide.planes[0]
    padded = np.zeros((target.buffer_size // target.line_size, target.line_size), np.uint8)
    padded[: frame.height, : frame.width] = pixels
    target.update(padded.tobytes())
    return wide
