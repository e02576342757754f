"""Section 4.2: images and flow files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from tests.faults.making import picture, still, truncate
from tests.faults.registry import fault, shape_of


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int, *, depth: int, kind: int, rows: bytes, extra: bytes = b"") -> bytes:
    """The bytes of a PNG of uncompressed rows, each with its filter byte."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rows_of(width: int, height: int, bits: int) -> bytes:
    """Uncompressed rows of random pixels."""
    generator = np.random.default_rng(1)
    return b"".join(b"\0" + generator.bytes((width * bits + 7) // 8) for _ in range(height))


PALETTE = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes([0, 128]))
for _name, _depth, _kind, _bits, _extra in (
    ("grey", 8, 0, 8, b""),
    ("1-bit", 1, 0, 1, b""),
    ("16-bit grey", 16, 0, 16, b""),
    ("16-bit colour", 16, 2, 48, b""),
    ("palette with transparency", 4, 3, 4, PALETTE),
    ("grey with alpha", 8, 4, 16, b""),
    ("colour with alpha", 8, 6, 32, b""),
):

    @fault("4.2", f"a PNG in {_name}", code=0, holds=lambda: shape_of("out/a_flow.flo") == (48, 64, 2))
    def any_png(depth: int = _depth, kind: int = _kind, bits: int = _bits, extra: bytes = _extra) -> str:
        content = png(64, 48, depth=depth, kind=kind, rows=rows_of(64, 48, bits), extra=extra)
        for name in ("a.png", "b.png"):
            Path(name).write_bytes(content)
        return "pair a.png b.png --save flo -o out"


@fault("4.2", "two sizes", code=2, says="differ in size: 64 x 48 and 66 x 48")
def two_sizes() -> str:
    still("a.png")
    still("b.png", size=(66, 48))
    return "pair a.png b.png"


for _ending in (".png", ".jpg", ".webp", ".tif", ".bmp"):

    @fault("4.2", f"a cut {_ending[1:]}", code=3, says="b\\.")
    def cut_image(ending: str = _ending) -> str:
        still("a.png")
        still(f"b{ending}")
        truncate(f"b{ending}", 0.7)
        return f"pair a.png b{ending}"


for _name, _content in (("nothing", b""), ("text", b"some text\n" * 20), ("a video's name", b"\0\0\0\x18ftypmp42")):

    @fault("4.2", f"an image that holds {_name}", code=3, says="b\\.png")
    def no_image(content: bytes = _content) -> str:
        still("a.png")
        Path("b.png").write_bytes(content)
        return "pair a.png b.png"


@fault("4.2", "a PNG that decodes to 2.7 GB", code=3, says="b\\.png")
def bomb() -> str:
    still("a.png")
    rows = zlib.compressobj(9)
    line = bytes(30_000 * 3 + 1)
    packed = b"".join(rows.compress(line) for _ in range(300)) + rows.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    Path("b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return "pair a.png b.png"


@fault("4.2", "a PNG whose header states 2^31 pixels a side", code=3, says="b\\.png")
def absurd_header() -> str:
    still("a.png")
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
    Path("b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IEND", b""))
    return "pair a.png b.png"


BODY = np.zeros((48, 64, 2), "<f4").tobytes()
for _name, _content in (
    ("a wrong magic", struct.pack("<fii", 202020.25, 64, 48) + BODY),
    ("big-endian numbers", struct.pack(">fii", 202021.25, 64, 48) + BODY),
    ("a negative width", struct.pack("<fii", 202021.25, -64, 48) + BODY),
    ("no width", struct.pack("<fii", 202021.25, 0, 48)),
    ("too few bytes", struct.pack("<fii", 202021.25, 64, 48) + BODY[:-8]),
    ("too many bytes", struct.pack("<fii", 202021.25, 64, 48) + BODY + b"more"),
    ("2^31 pixels a side", struct.pack("<fii", 202021.25, 2**31 - 1, 2**31 - 1)),
    ("60,000 pixels a side", struct.pack("<fii", 202021.25, 60_000, 60_000) + BODY),
    ("nothing", b""),
    ("half a header", b"PIEH\0"),
):

    @fault("4.2", f"a .flo with {_name}", code=3, says="flow\\.flo")
    def bad_flo(content: bytes = _content) -> str:
        pair_of("p/one")
        Path("p/one/flow.flo").write_bytes(content)
        return "eval pairs p"


@fault("4.2", "a .flo with unknown vectors", code=0)
def unknown_flow() -> str:
    pair_of("p/one")
    flow = np.full((48, 64, 2), 1e10, "<f4")
    flow[:24] = 1
    flow[30] = np.nan
    Path("p/one/flow.flo").write_bytes(struct.pack("<fii", 202021.25, 64, 48) + flow.tobytes())
    return "eval pairs p"


@fault("4.2", "an .npz of Python objects", code=3, says="flow\\.npz", holds=lambda: not Path("EXECUTED").exists())
def object_array() -> str:
    pair_of("p/one")
    np.savez("p/one/flow.npz", flow=np.array([Evil()], dtype=object), valid=np.ones((48, 64)))
    return "eval pairs p"


@fault("4.2", "an .npz of another size than its frames", code=3, says="64 x 48")
def other_size() -> str:
    pair_of("p/one")
    np.savez("p/one/flow.npz", flow=np.zeros((20, 20, 2), np.float32), valid=np.ones((20, 20), np.uint8))
    return "eval pairs p"


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, ("touch EXECUTED",)


def pair_of(folder: str) -> None:
    """Writes the two frames of a pair."""
    Path(folder).mkdir(parents=True)
    for number in (1, 2):
        cv2.imwrite(f"{folder}/frame{number}.png", picture(shift=number))
