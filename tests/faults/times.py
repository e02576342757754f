"""Section 4.8: times that restart, repeat, are hidden or are guessed, and orders of numbered images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2

from flowcli.media.sources import open_source
from tests.faults.making import clip, picture, truncate
from tests.faults.registry import fault
from tests.outputs import times_of

JUMP = "the clock jumps once"


def every(count: int) -> Callable[[], bool]:
    """A check that the flow video has `count` pictures, one each 25th of a second."""
    return lambda: times_of("out/a_flow.mp4") == [Fraction(number, 25) for number in range(count)]


def joined(first: int, second: int, *, ending: str = "ts") -> None:
    """Writes two clips of 6 frames, one behind the other, that begin at these frames of their clocks."""
    parts = []
    for number, start in enumerate((first, second)):
        parts.append(clip(f"{number}.{ending}", frames=6, pts=range(start, start + 6)).read_bytes())
    Path(f"a.{ending}").write_bytes(b"".join(parts))


for _name, _ending, _starts in (
    ("restarts", "ts", (180_000, 0)),
    ("jumps by two hours", "ts", (0, 180_000)),
    ("restarts in joined Matroska files", "mkv", (0, 0)),
):

    @fault("4.8", f"a clock that {_name}", code=0, says=JUMP, holds=every(11))
    def restarting(ending: str = _ending, starts: tuple[int, int] = _starts) -> str:
        joined(*starts, ending=ending)
        return f"video a.{ending} -o out"


@fault("4.8", "three Matroska files one behind the other", code=3, says="of which FFmpeg reads two")
def three_joined() -> str:
    Path("a.mkv").write_bytes(3 * clip("0.mkv", frames=4).read_bytes())
    return "video a.mkv -o out"


def changed(path: Path, name: str, change: Callable[[Any], None]) -> None:
    """Copies the packets of a file into another one, each changed."""
    with av.open(str(path)) as source, av.open(name, "w") as container:
        copied = container.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.pts is not None:
                change(packet)
                packet.stream = copied
                container.mux(packet)


@fault("4.8", "a last frame that is held for a minute", code=0, says="^(?!.*lost|.*missing)", holds=every(11))
def held() -> str:
    def hold(packet: Any) -> None:
        packet.duration = 60_000 if packet.pts == 440 else packet.duration

    changed(clip("whole.mkv"), "a.mkv", hold)
    return "video a.mkv -o out"


@fault("4.8", "an edit list that hides frames", code=0, says="^(?!.*lost|.*missing)", holds=every(6))
def hidden() -> str:
    def earlier(packet: Any) -> None:
        shift = round(Fraction(5, 25) / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift

    changed(clip("whole.mp4", codec_options={"g": "12", "bf": "0"}), "a.mp4", earlier)
    return "video a.mp4 -o out"


EQUAL = [0, 40, 40, 80, 9000, 9000, 9040]


@fault(
    "4.8",
    "frames of equal times",
    code=0,
    holds=lambda: [time * 1000 for time in times_of("out/a_flow.mp4")] == [0, 40, 41, 80, 9000, 9001],
)
def equal_times() -> str:
    even = clip("even.mkv", frames=len(EQUAL), codec="mjpeg", pix_fmt="yuvj420p", codec_options={})

    def stamp(packet: Any) -> None:
        packet.pts = packet.dts = EQUAL[round(packet.pts / 40)]

    changed(even, "a.mkv", stamp)
    return "video a.mkv -o out"


@fault("4.8", "times that are guessed (H.264 in AVI)", code=0, says="^(?!.*lost)", holds=every(11))
def guessed() -> str:
    clip("a.avi", codec_options={"g": "6", "bf": "3", "b_strategy": "0"})
    return "video a.avi -o out"


@fault("4.8", "an AVI that is cut off", code=4, says="frames? of a.avi could not be decoded")
def cut_avi() -> str:
    clip("a.avi", codec="mjpeg", pix_fmt="yuvj420p", codec_options={})
    truncate("a.avi", 0.6)
    return "video a.avi -o out"


@fault("4.8", "raw Motion JPEG that is cut off", code=4, says="1 frame of a.mjpeg could not be decoded")
def cut_motion_jpeg() -> str:
    frames = [cv2.imencode(".jpg", picture(shift=number))[1].tobytes() for number in range(5)]
    Path("a.mjpeg").write_bytes(b"".join(frames)[:-300])
    return "video a.mjpeg -o out"


def numbered(names: Sequence[str]) -> None:
    """Writes images that move to the right in the order of the names."""
    Path("a").mkdir()
    for number, name in enumerate(names):
        cv2.imwrite(f"a/{name}.png", picture(shift=3 * number))


def in_order() -> bool:
    """Whether the images are read in the order in which they move."""
    images = [frame.image[..., ::-1] for frame in open_source(Path("a")).frames()]
    return all((image == picture(shift=3 * number)).all() for number, image in enumerate(images))


for _kind, _names, _says in (
    ("below zero", ("-2", "-1", "0", "1"), "from -2.png to 1.png"),
    ("with plus signs", ("-10", "-1", "+1", "+10"), r"from -10.png to \+10.png"),
    ("with decimals", ("0.25", "0.5", "1.5", "10.0"), "from 0.25.png to 10.0.png"),
    ("without zeros in front", ("1", "2", "10", "100"), "^(?!.*in the order of)"),
    ("of different width", ("001", "2", "03", "10"), "^(?!.*in the order of)"),
    ("with versions", ("v1.9", "v1.10", "v1.11"), "^(?!.*in the order of)"),
):

    @fault("4.8", f"images of numbers {_kind}", code=0, says=_says, holds=in_order)
    def of_numbers(names: tuple[str, ...] = _names) -> str:
        numbered(names)
        return "video a -o out"
