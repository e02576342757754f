"""Conversion of decoded frames to 8-bit RGB as displayed, whatever their colours and depth.

Colour matrices, transfer functions and primaries have the numbers of ITU-T H.273, as in FFmpeg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from flowcli.errors import SourceError
from flowcli.media.levels import IGNORED, Levels, note_of
from flowcli.media.pyav.hdr import HLG, PQ, is_hdr, tone_mapped
from flowcli.media.pyav.matrices import ICTCP, from_ictcp, from_ycgco
from flowcli.media.pyav.samples import full_range, is_deep, is_not_converted, samples_of
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from flowcli.media.levels import Mode

_NONE, _HD, _UNSPECIFIED, _SMPTE_170M, _BT2020, _BT2020_CONSTANT = 0, 1, 2, 6, 9, 10
# What FFmpeg converts: those, FCC, BT.470BG and SMPTE 240M.
_CONVERTED = frozenset({_NONE, _HD, _UNSPECIFIED, 4, 5, _SMPTE_170M, 7, _BT2020})
_YCGCO, _YCGCO_RE, _YCGCO_RO = 8, 16, 17
_NAMED = {
    _BT2020_CONSTANT: "BT.2020 with constant luminance", 11: "SMPTE 2085", 12: "derived from their primaries",
    13: "derived from their primaries, with constant luminance", 15: "IPT-C2",
}  # fmt: skip
_FAR = (11, 15)
"""Those that no matrix that FFmpeg converts is near to."""
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
            self._note("levels", IGNORED)
        if self.is_deep and is_not_converted(frame):
            return _resized(full_range(frame).apply(samples_of(frame)), width, height)
        if frame.colorspace in {_YCGCO, _YCGCO_RE, _YCGCO_RO, ICTCP} and _is_yuv(frame):
            return self._by_definition(frame, width, height)
        matrix = self._near_matrix(frame)
        if is_hdr(frame) and self.levels != "full":
            codes = self._scaled(frame, width, height, "rgb48le", matrix)
            return self._tone_mapped(codes, frame, frame.color_primaries)
        return self._scaled(frame, width, height, "rgb24", matrix)

    def levels_of_all(self, levels: Levels | Mode) -> Levels | None:
        """Those of `levels` that the frames so far are shown by; None for the full range."""
        return levels if isinstance(levels, Levels) and self.is_deep else None

    def _by_definition(self, frame: Any, width: int, height: int) -> NDArray[np.uint8]:
        # From YUV to YUV, any matrix that FFmpeg knows changes nothing.
        planes = self._scaled(frame, width, height, "yuv444p16le", _SMPTE_170M)
        full = frame.color_range != _LIMITED
        if frame.colorspace == ICTCP:
            return self._tone_mapped(from_ictcp(planes, full=full, hlg=frame.color_trc == HLG), frame, _BT2020)
        extra = {_YCGCO_RE: 2, _YCGCO_RO: 1}.get(frame.colorspace, 0)
        return from_ycgco(planes, full=full, bits=frame.format.components[0].bits, extra=extra)

    def _near_matrix(self, frame: Any) -> int:
        """The frame's matrix, or the nearest one that FFmpeg converts, which is noted."""
        matrix = int(frame.colorspace)
        if matrix in _CONVERTED:
            return matrix
        if not _is_yuv(frame):
            return _NONE
        name = _NAMED.get(matrix)
        if matrix in _FAR:
            raise SourceError(
                f"{self._path} has colours of {name}, which cannot be converted", hint="convert it to BT.709 first"
            )
        near = _SMPTE_170M
        if matrix == _BT2020_CONSTANT or (name and frame.color_primaries == _BT2020):
            near = _BT2020
        elif name and frame.color_primaries in {_HD, _UNSPECIFIED}:
            near = _HD
        stated = f"are {name}" if name else f"have the reserved number {matrix}"
        assumed = {_BT2020: "BT.2020", _HD: "BT.709"}.get(near, "BT.601")
        self._note("matrix", f"the colours {stated}: they are shown as {assumed}, which is not exact")
        return near

    def _tone_mapped(self, codes: NDArray[Any], frame: Any, primaries: int) -> NDArray[np.uint8]:
        transfer, name = (HLG, "HLG") if frame.color_trc == HLG else (PQ, "PQ")
        self._note("hdr", f"frames are HDR ({name}): they are tone-mapped for a common screen (--levels full does not)")
        return tone_mapped(codes, transfer, primaries)

    def _scaled(self, frame: Any, width: int, height: int, layout: str, matrix: int) -> NDArray[Any]:
        # A frame that is shown again is converted again, and so keeps its own matrix.
        own, frame.colorspace = frame.colorspace, matrix
        try:
            shown = self._reformatter.reformat(_unpacked(frame), width=width, height=height, format=layout)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self._path} has pixels of format {frame.format.name}, which cannot be converted",
                hint="ffmpeg -i FILE -pix_fmt rgb24 -c:v ffv1 OTHER.mkv",
            ) from error
        finally:
            frame.colorspace = own
        return np.asarray(shown.to_ndarray())

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
