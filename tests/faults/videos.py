"""Section 4.1: video input."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.faults.making import clip, overwrite, picture, still, truncate
from tests.faults.registry import fault, shape_of
from tests.outputs import times_of

FASTSTART = {"movflags": "+faststart"}


def made(count: int, name: str = "out/a_flow") -> bool:
    """Whether the folder `name` holds `count` flow files."""
    return len(list(Path(name).glob("*.flo"))) == count


@fault("4.1", "index missing (moov)", code=3, says="is cut off: its index")
def index_missing() -> str:
    clip("a.mp4")
    truncate("a.mp4", 0.6)
    return "video a.mp4"


@fault("4.1", "cut after the index", code=4, says="could not be decoded", holds=lambda: Path("out/a_flow.mp4").exists())
def cut_after_index() -> str:
    clip("a.mp4", options=FASTSTART, size=(128, 96))
    truncate("a.mp4", 0.7)
    return "video a.mp4 -o out"


@fault("4.1", "packets zeroed in the middle (mkv)", code=4, says="could not be decoded")
def zeroed_mkv() -> str:
    clip("a.mkv", size=(128, 96))
    overwrite("a.mkv", 0.4, 4000)
    return "video a.mkv -o out"


@fault("4.1", "packets zeroed in the middle (ts)", code=4, says="could not be decoded")
def zeroed_ts() -> str:
    clip("a.ts", size=(128, 96))
    overwrite("a.ts", 0.4, 4000)
    return "video a.ts -o out"


@fault("4.1", "packets zeroed in the middle (mp4)", code=4, says="could not be decoded")
def zeroed_mp4() -> str:
    clip("a.mp4", options=FASTSTART, size=(128, 96))
    overwrite("a.mp4", 0.4, 6000)
    return "video a.mp4 -o out"


for _name, _content, _says in (
    ("empty", b"", "is empty"),
    ("text", b"hello there\n" * 9, "is text, not a video"),
    ("a web page", b"<!DOCTYPE html><html>404</html>", "is a web page"),
    ("random bytes", np.random.default_rng(0).bytes(5000), "is not a video"),
    ("a playlist", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.ts\n", "is a playlist"),
    ("a concat script", b"ffconcat version 1.0\nfile clip.mp4\n", "is a playlist"),
):

    @fault("4.1", f"{_name} as .mp4", code=3, says=_says)
    def no_video(content: bytes = _content) -> str:
        clip("clip.ts")
        Path("a.mp4").write_bytes(content)
        return "video a.mp4 -o out"


@fault("4.1", "audio only", code=3, says="has no video stream")
def audio_only() -> str:
    silence("a.m4a")
    return "video a.m4a"


@fault("4.1", "audio with cover art", code=3, says="has no video stream")
def cover_art() -> str:
    silence("a.mp4", cover=True)
    return "video a.mp4"


@fault("4.1", "one frame", code=3, says="has only one frame")
def one_frame() -> str:
    clip("a.mp4", frames=1)
    return "video a.mp4"


@fault("4.1", "two frames", code=0, holds=lambda: made(1))
def two_frames() -> str:
    clip("a.mp4", frames=2)
    return "video a.mp4 --save flo -o out"


PTS = [0, 3, 4, 50, 51, 70, 71, 72, 90, 95, 96, 140]


@fault(
    "4.1",
    "variable frame rate",
    code=0,
    holds=lambda: times_of("out/a_flow.mp4") == [Fraction(pts, 1000) for pts in PTS[:-1]],
)
def variable_rate() -> str:
    clip("a.mkv", pts=PTS, tick=Fraction(1, 1000))
    return "video a.mkv -o out"


for _turn in (90, -90, 180):

    @fault(
        "4.1",
        f"rotated by {_turn} degrees",
        code=0,
        holds=lambda turn=_turn: shape_of("out/a_flow/000000.flo") == ((48, 64, 2) if turn == 180 else (64, 48, 2)),
    )
    def turned(turn: int = _turn) -> str:
        clip("a.mp4", frames=3, prepare=lambda stream: stream.set_display_rotation(turn))
        return "video a.mp4 --save flo -o out"


for _size in ((321, 241), (1, 1), (2, 2), (8, 8), (64, 4), (120, 120), (128, 127)):

    @fault(
        "4.1",
        f"size {_size[0]}x{_size[1]}",
        code=0,
        holds=lambda size=_size: shape_of("out/a_flow/000000.flo") == (*size[::-1], 2),
    )
    def odd_size(size: tuple[int, int] = _size) -> str:
        clip("a.mkv", frames=3, size=size, codec="ffv1", pix_fmt="bgr0", codec_options={})
        return "video a.mkv --save flo,video -o out"


@fault("4.1", "frames of 4096x2304", code=0, holds=lambda: shape_of("out/a_flow/000000.flo") == (2304, 4096, 2))
def large_frames() -> str:
    clip("a.mp4", frames=2, size=(4096, 2304), codec_options={"preset": "ultrafast"})
    return "video a.mp4 --save flo --max-side 256 -o out"


@fault("4.1", "the size changes", code=0, says="change size", holds=lambda: made(11))
def size_changes() -> str:
    clip("first.ts", frames=6)
    clip("second.ts", frames=6, size=(96, 80), pts=range(6, 12))
    Path("a.ts").write_bytes(Path("first.ts").read_bytes() + Path("second.ts").read_bytes())
    return "video a.ts --save flo -o out"


for _name, _codec, _pix_fmt in (
    ("a.mov", "prores_ks", "yuva444p10le"),
    ("a.mkv", "ffv1", "gray"),
    ("a.mkv", "ffv1", "gray16le"),
    ("a.mp4", "libx264", "yuv420p10le"),
    ("a.mp4", "libx264", "yuvj420p"),
    ("a.mkv", "ffv1", "bgra"),
):

    @fault("4.1", f"pixels in {_pix_fmt}", code=0, holds=lambda: made(2))
    def pixel_format(name: str = _name, codec: str = _codec, pix_fmt: str = _pix_fmt) -> str:
        clip(name, frames=3, codec=codec, pix_fmt=pix_fmt, codec_options={})
        return f"video {name} --save flo -o out"


@fault("4.1", "a raw stream without timestamps", code=0, holds=lambda: made(3))
def raw_stream() -> str:
    clip("a.h264", frames=4, container_format="h264")
    return "video a.h264 --save flo -o out"


@fault("4.1", "starts at 5000 s", code=0, holds=lambda: times_of("out/a_flow.mp4")[:2] == [0, Fraction(1, 25)])
def starts_late() -> str:
    clip("a.mkv", frames=4, pts=[125_000 + number for number in range(4)])
    return "video a.mkv -o out"


@fault("4.1", "negative timestamps", code=0, holds=lambda: made(3))
def negative_times() -> str:
    clip("a.ts", frames=4, pts=[number - 2 for number in range(4)])
    return "video a.ts --save flo -o out"


@fault("4.1", "pixels that are not square", code=0, holds=lambda: made(2))
def not_square() -> str:
    clip("a.mkv", frames=3, prepare=lambda stream: setattr(stream.codec_context, "sample_aspect_ratio", Fraction(4, 3)))
    return "video a.mkv --save flo -o out"


@fault("4.1", "encrypted", code=3, says="is encrypted")
def encrypted() -> str:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    clip("a.mp4", size=(128, 96), options=options)
    return "video a.mp4 -o out"


for _ending, _codec, _pix_fmt in (
    (".gif", "gif", "rgb8"),
    (".apng", "apng", "rgb24"),
    (".webp", "libwebp_anim", "yuv420p"),
):

    @fault("4.1", f"animated {_ending[1:]}", code=0, holds=lambda: made(3))
    def animated(ending: str = _ending, codec: str = _codec, pix_fmt: str = _pix_fmt) -> str:
        clip(f"a{ending}", frames=4, codec=codec, pix_fmt=pix_fmt, codec_options={})
        return f"video a{ending} --save flo -o out"


@fault("4.1", "missing", code=2, says="does not exist")
def missing() -> str:
    return "video none.mp4"


@fault("4.1", "a folder without images", code=3, says="has no images")
def empty_folder() -> str:
    Path("empty").mkdir()
    return "video empty"


@fault("4.1", "standard input without a video", code=3, says="video")
def empty_input() -> str:
    return "video - -o out"


@fault("4.1", "standard input to resume", code=2, says="cannot be resumed")
def resumed_input() -> str:
    return "video - -o out --resume"


@fault("4.1", "a named pipe", code=0, holds=lambda: made(3, "out/a_pipe_flow"))
def named_pipe() -> str:
    clip("a.ts", frames=4)
    os.mkfifo("a_pipe")
    data = Path("a.ts").read_bytes()
    threading.Thread(target=Path("a_pipe").absolute().write_bytes, args=(data,), daemon=True).start()
    return "video a_pipe --save flo -o out"


@fault(
    "4.1", "a folder of images, one damaged", code=4, says="could not be decoded", holds=lambda: made(3, "out/s_flow")
)
def damaged_image() -> str:
    Path("s").mkdir()
    for number in range(6):
        still(f"s/{number}.png", shift=number)
    truncate("s/2.png", 0.5)
    return "video s --save flo -o out"


@fault("4.1", "a folder of images of two sizes", code=3, says="is 20 x 20, but")
def two_sizes() -> str:
    Path("s").mkdir()
    for number in range(3):
        still(f"s/{number}.png", shift=number, size=(20, 20) if number == 2 else (64, 48))
    return "video s --save flo -o out"


def silence(name: str, *, cover: bool = False) -> None:
    """Writes a file of silent audio, with cover art if `cover`."""
    with av.open(name, "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        art: Any = None
        if cover:
            art = container.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 64, 48, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if cover:
            container.mux(art.encode(av.VideoFrame.from_ndarray(picture(), format="rgb24")))
            container.mux(art.encode(None))
