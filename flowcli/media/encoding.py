"""The options of encoding, such as --codec, --crf, --half and --bound, checked before anything is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from flowcli.errors import UsageError


@dataclass(frozen=True)
class Codec:
    """One value of --codec.

    `encoder` is its name in FFmpeg. The first of `containers`, `pixel_formats` and `presets` is the default; `crf` is
    the default and the largest value; presets are passed as `preset_option`.
    """

    encoder: str
    containers: tuple[str, ...]
    pixel_formats: tuple[str, ...]
    crf: tuple[int, int] | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    options: dict[str, str] = field(default_factory=dict)


_CONTAINERS = (".mp4", ".mov", ".mkv")
_YUV = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
_PRESETS = ("veryfast", "ultrafast", "superfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

# Without B-frames, the packets of joined videos are in order of time. Without x264's macroblock tree, runs are
# bit-identical: with AVX-512 and a decoder running beside it, one video in 600 differed. A crf of 20 without the tree
# gives the quality of 18 with it.
CODECS = {
    "h264": Codec("libx264", _CONTAINERS, _YUV, (20, 51), _PRESETS, options={"bf": "0", "mbtree": "0"}),
    "h265": Codec(
        "libx265", _CONTAINERS, _YUV, (20, 51), _PRESETS, options={"x265-params": "log-level=none:bframes=0"}
    ),
    "vp9": Codec(
        "libvpx-vp9",
        (".webm", ".mp4", ".mkv"),
        _YUV[:3],
        (24, 63),
        ("realtime", "good", "best"),
        preset_option="deadline",
        options={"b": "0", "cpu-used": "5", "row-mt": "1"},
    ),
    "av1": Codec(
        "libsvtav1",
        (".mp4", ".webm", ".mkv"),
        ("yuv420p", "yuv420p10le"),
        (24, 63),
        ("10", *(str(speed) for speed in range(13))),
    ),
    "ffv1": Codec("ffv1", (".mkv",), ("bgr0", "yuv444p", "yuv422p", "yuv420p")),
    "prores": Codec("prores_ks", (".mov",), ("yuv422p10le", "yuv444p10le")),
}


@dataclass(frozen=True)
class Encoding:
    """How outputs are encoded; None means the codec's default.

    `half` stores flow as float16, and `quantised` as int16 in steps of 1/64 px, in formats that allow it.
    `bound` is the motion in px that planes show as white, `y` the direction in which y grows in film EXR. Raises
    UsageError where a value is unknown or does not fit.
    """

    codec: str = "h264"
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    half: bool = False
    quantised: bool = False
    bound: float = 20.0
    y: str = "up"

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"--codec {self.codec} is not known", hint=f"use {', '.join(CODECS)}")
        codec = CODECS[self.codec]
        if self.crf is not None:
            if codec.crf is None:
                others = ", ".join(name for name, other in CODECS.items() if other.crf)
                raise UsageError(f"--crf is not for {self.codec}", hint=f"leave it out, or use --codec {others}")
            if not 0 <= self.crf <= codec.crf[1]:
                default, largest = codec.crf
                raise UsageError(f"--crf {self.crf} is not between 0 and {largest}", hint=f"the default is {default}")
        check_bound(self.bound)
        check_precision(half=self.half, quantised=self.quantised)
        check_y(self.y)
        self._check("--preset", self.preset, codec.presets)
        self._check("--pix-fmt", self.pixel_format, codec.pixel_formats)

    def _check(self, option: str, value: str | None, known: tuple[str, ...]) -> None:
        if value is not None and value not in known:
            hint = f"use {', '.join(known)}" if known else "leave it out"
            raise UsageError(f"{option} {value} is not for {self.codec}", hint=hint)

    @property
    def encoder(self) -> str:
        """The encoder's name in FFmpeg."""
        return CODECS[self.codec].encoder

    @property
    def containers(self) -> tuple[str, ...]:
        """The extensions of containers that can hold the codec, the default first."""
        return CODECS[self.codec].containers

    @property
    def format(self) -> str:
        """The pixel format that frames are encoded in."""
        return self.pixel_format or CODECS[self.codec].pixel_formats[0]

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options for the encoder."""
        codec = CODECS[self.codec]
        options = dict(codec.options)
        if codec.crf is not None:
            options["crf"] = str(codec.crf[0] if self.crf is None else self.crf)
        if codec.presets:
            options[codec.preset_option] = self.preset or codec.presets[0]
        return options


def check_bound(bound: float) -> None:
    """Raises UsageError unless `bound` is a motion in px that planes can end at."""
    if not 0 < bound < math.inf:
        raise UsageError(f"--bound {bound} is not a motion in px", hint="give a number above 0, such as 20")


def check_y(y: str) -> None:
    """Raises UsageError unless `y` is a direction in which y can grow."""
    if y not in {"up", "down"}:
        raise UsageError(f"--y-axis {y} is not known", hint="use up or down")


def check_precision(*, half: bool, quantised: bool) -> None:
    """Raises UsageError for flow that is to be stored both as float16 and as int16."""
    if half and quantised:
        raise UsageError("--half and --quantise are two forms of one array", hint="use one of them")


DEFAULT = Encoding()
