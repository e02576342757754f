"""Section 4.7: kinds of image, colour and stream that are not the common ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.faults.making import clip, picture, still, truncate
from tests.faults.registry import fault, shape_of


def stack(name: str, pages: int = 4) -> None:
    """Writes a TIFF of several pages."""
    cv2.imwritemulti(name, [picture(shift=number) for number in range(pages)])


@fault("4.7", "a TIFF of several pages as one image", code=3, says="a\\.tif holds several images")
def stack_as_image() -> str:
    stack("a.tif")
    return "pair a.tif a.tif"


@fault("4.7", "a TIFF of several pages, cut", code=4, says="could not be decoded")
def cut_stack() -> str:
    stack("a.tif", 6)
    truncate("a.tif", 0.6)
    return "video a.tif -o out"


@fault("4.7", "a video behind a JPEG", code=0, holds=lambda: shape_of("out/a_flow.flo") == (48, 64, 2))
def motion_photo() -> str:
    still("a.jpg")
    Path("a.jpg").write_bytes(Path("a.jpg").read_bytes() + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 500)
    return "pair a.jpg a.jpg --save flo -o out"


@fault("4.7", "raw Motion JPEG", code=0, says="no timestamps", holds=lambda: Path("out/a_flow.mp4").exists())
def raw_motion_jpeg() -> str:
    frames = [cv2.imencode(".jpg", picture(shift=number))[1].tobytes() for number in range(4)]
    Path("a.mjpeg").write_bytes(b"".join(frames))
    return "video a.mjpeg -o out"


@fault("4.7", "60 values of 65,536", code=0, says="are shown as black to white")
def narrow_range() -> str:
    Path("a").mkdir()
    for number in range(3):
        grey = 3210 + picture(shift=number)[..., 0].astype(np.uint16) // 4
        cv2.imwrite(f"a/{number}.png", grey)
    return "video a -o out"


def _tag(matrix: int, transfer: int = 2) -> None:
    def prepare(stream: object) -> None:
        context = stream.codec_context  # type: ignore[attr-defined]
        context.colorspace, context.color_trc = matrix, transfer

    clip("a.mkv", frames=3, prepare=prepare, codec="ffv1", codec_options={})


@fault("4.7", "a colour matrix that FFmpeg does not convert", code=0, says="^(?!.*Traceback)")
def ycgco() -> str:
    _tag(8)
    return "video a.mkv -o out"


@fault("4.7", "a colour matrix that is not known", code=3, says="which cannot be converted")
def ipt() -> str:
    _tag(15)
    return "video a.mkv -o out"


for _name, _transfer in (("PQ", 16), ("HLG", 18)):

    @fault("4.7", f"HDR ({_name})", code=0, says="tone-mapped")
    def hdr(transfer: int = _transfer) -> str:
        _tag(9, transfer)
        return "video a.mkv -o out"


for _matrix in (0, 2, 3, 10, 14, 16, 255):

    @fault("4.7", f"colour matrix {_matrix}", code=0, says="^(?!.*Traceback)")
    def matrix(number: int = _matrix) -> str:
        _tag(number)
        return "video a.mkv -o out"


for _value, _says in (("full", "^(?!.*are shown as)"), ("3200,3300", "values from 3200 to 3300 are shown")):

    @fault("4.7", f"levels {_value}", code=0, says=_says)
    def levels(value: str = _value) -> str:
        narrow_range()
        return f"video a --levels {value} -o out"


for _given, _says in (("rtsp://camera/1", "is an address"), ("0", "webcams are read through a pipe")):

    @fault("4.7", f"{_given} as input", code=2, says=_says)
    def no_file(given: str = _given) -> str:
        return f"video {given}"


@fault("4.7", "a video stream that is missing", code=2, says="has no video stream 3")
def missing_stream() -> str:
    clip("a.mp4")
    return "video a.mp4 --video-stream 3"


@fault("4.7", "levels that are no range", code=2, says="is not a range")
def no_range() -> str:
    clip("a.mp4")
    return "video a.mp4 --levels 9,3"
