"""TIFF files of several pages, and other files of several images."""

from __future__ import annotations

import struct
from fractions import Fraction

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError
from flowcli.media.images import read_image
from flowcli.media.selection import parse_selection
from flowcli.media.sources import open_source

PAGES = [np.random.default_rng(number).integers(0, 256, (24, 32), np.uint8) for number in range(5)]


def tiff(pages: list[np.ndarray], *, order: str = "<", big: bool = False, thumbnails: bool = False) -> bytes:
    """An uncompressed grey TIFF or BigTIFF; `thumbnails` puts a smaller image, marked as such, behind each page."""
    count, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(f"{order}HHH", 43, 8, 0) if big else struct.pack(f"{order}H", 42))
    images = [(image, 0) for image in pages]
    if thumbnails:
        images = [one for image in pages for one in ((image, 0), (image[::2, ::2], 1))]
    place = len(head) + struct.calcsize(f"{order}{offset}")
    content = b""
    for number, (image, kind) in enumerate(images):
        data = np.ascontiguousarray(image, image.dtype.newbyteorder(order)).tobytes()
        data += bytes(len(data) % 2)
        tags = {
            254: kind, 256: image.shape[1], 257: image.shape[0], 258: 8 * image.itemsize, 259: 1, 262: 1,
            273: 0, 277: 1, 278: image.shape[0], 279: image.nbytes,
        }  # fmt: skip
        directory = struct.calcsize(f"{order}{count}") + len(tags) * struct.calcsize(order + entry)
        directory += struct.calcsize(f"{order}{offset}")
        tags[273] = place + directory
        following = place + directory + len(data) if number + 1 < len(images) else 0
        content += struct.pack(f"{order}{count}", len(tags))
        content += b"".join(struct.pack(order + entry, tag, 16 if big else 4, 1, value) for tag, value in tags.items())
        content += struct.pack(f"{order}{offset}", following) + data
        place += directory + len(data)
    return head + struct.pack(f"{order}{offset}", len(head) + struct.calcsize(f"{order}{offset}")) + content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("thumbnails", [False, True])
def test_the_pages_of_a_tiff_are_frames(tmp_path, order, big, thumbnails):
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff(PAGES, order=order, big=big, thumbnails=thumbnails))
    with open_source(path, rate=Fraction(10)) as source:
        frames = list(source.frames())
        assert [frame.time for frame in frames] == [Fraction(number, 10) for number in range(5)]
        assert all((frame.image == page[..., None]).all() for frame, page in zip(frames, PAGES, strict=True))
        assert (source.meta.name, source.meta.frame_count, source.meta.counted) == ("stack.tif", 5, True)
        assert [pair.first.index for pair in source.sample_pairs(count=2, skip=1)] == [1, 3]
    part = open_source(path, selection=parse_selection("#2", "#4", None))
    assert [(frame.image == PAGES[2 + frame.index][..., None]).all() for frame in part.frames()] == [True, True]


def test_compressed_pages_in_colour_are_frames(tmp_path):
    pages = [np.dstack([page, page // 2, 255 - page]) for page in PAGES]
    path = tmp_path / "stack.tiff"
    assert cv2.imwritemulti(str(path), pages)
    frames = list(open_source(path).frames())
    assert all((frame.image == page[..., ::-1]).all() for frame, page in zip(frames, pages, strict=True))


def test_a_page_of_another_size_is_an_error(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff([PAGES[0], PAGES[1][:20]]))
    with pytest.raises(SourceError) as failure:
        list(open_source(path).frames())
    assert str(failure.value) == f"{tmp_path / 'stack.tif#1'} is 32 x 20, but stack.tif#0 is 32 x 24"


def test_a_damaged_page_is_a_lost_frame(tmp_path):
    path = tmp_path / "stack.tif"
    data = bytearray(tiff(PAGES))
    second = data.index(PAGES[1].tobytes())
    data[second - 100 : second - 4] = bytes(96)
    path.write_bytes(data)
    source = open_source(path)
    assert len(list(source.frames())) < 5
    assert source.lost


@pytest.mark.parametrize("cut", [0, 3, 7, 9, 40, 200, 900])
def test_a_stack_that_is_cut_off_in_its_first_page_is_refused(tmp_path, cut):
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff(PAGES)[:cut])
    with pytest.raises(SourceError):
        open_source(path)


@pytest.mark.parametrize("pages", [2, 3, 4])
def test_a_stack_that_is_cut_off_later_has_lost_frames(tmp_path, pages):
    path = tmp_path / "stack.tif"
    data = tiff(PAGES)
    path.write_bytes(data[: data.index(PAGES[pages].tobytes()) - 10])
    source = open_source(path)
    assert len(list(source.frames())) == pages
    assert source.lost == 1
    assert source.notes == [f"the file is cut off: how many pages follow the first {pages} is unknown"]


def test_a_tiff_of_one_page_and_its_thumbnail_is_an_image(tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(tiff(PAGES[:1], thumbnails=True))
    assert (read_image(path) == PAGES[0][..., None]).all()


def test_a_tiff_of_a_thumbnail_alone_is_a_camera_s_raw_image(tmp_path):
    path = tmp_path / "image.dng"
    path.write_bytes(tiff([PAGES[0]]).replace(struct.pack("<HHII", 254, 4, 1, 0), struct.pack("<HHII", 254, 4, 1, 1)))
    with pytest.raises(SourceError, match="is a camera's raw image"):
        read_image(path)


def animation(ending: str, count: int) -> bytes:
    one = cv2.Animation()
    one.frames = [np.dstack([page] * 4) for page in PAGES[:count]]
    one.durations = np.array([40] * count)
    return cv2.imencodeanimation(ending, one)[1].tobytes()


@pytest.mark.parametrize("ending", [".webp", ".png", ".gif", ".avif"])
def test_a_file_of_several_images_is_no_image(tmp_path, ending):
    path = tmp_path / f"image{ending}"
    path.write_bytes(animation(ending, 3))
    with pytest.raises(SourceError) as failure:
        read_image(path)
    assert str(failure.value) == f"{path} holds several images"
    assert failure.value.hint == "`flowcli video` reads them as frames"


@pytest.mark.parametrize("ending", [".webp", ".png", ".gif", ".avif"])
def test_an_animation_of_one_frame_is_an_image(tmp_path, ending):
    path = tmp_path / f"image{ending}"
    path.write_bytes(animation(ending, 1))
    assert read_image(path).shape == (24, 32, 3)


def test_the_moving_images_of_an_animated_avif_are_read_not_its_still_one(tmp_path):
    path = tmp_path / "image.avif"
    path.write_bytes(animation(".avif", 4))
    assert len(list(open_source(path).frames())) == 4
