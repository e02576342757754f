"""Images of cameras and film, streams of files that have several, and what is no file."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path
from shlex import quote
from typing import Any

import cv2
import numpy as np
import pytest

from flowcli.errors import SourceError, UsageError
from flowcli.media.decoding import Decoding
from flowcli.media.images import EXTENSIONS, read_image, read_images
from flowcli.media.jpeg import end_of_jpeg
from flowcli.media.sources import open_source
from tests.media.heif import heif

RAMP = np.linspace(0, 1, 64, dtype=np.float32) * np.ones((48, 1), np.float32)
IMAGE = np.rint(255 * np.dstack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 0.5)])).astype(np.uint8)
JPEG = cv2.imencode(".jpg", IMAGE)[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
RESTARTS = cv2.imencode(".jpg", IMAGE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()


def encoded(codec: str, pix_fmt: str, samples: np.ndarray, **options: str) -> bytes:
    """An image file of one frame, by FFmpeg's encoder of that name."""
    import av

    return encoded_frame(codec, av.VideoFrame.from_ndarray(np.ascontiguousarray(samples), format=pix_fmt), **options)


def encoded_frame(codec: str, frame: Any, **options: str) -> bytes:
    import av

    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, frame.format.name
    encoder.time_base, encoder.options = Fraction(1), options
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def srgb(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE, RESTARTS], ids=["baseline", "progressive", "restarts"])
@pytest.mark.parametrize("behind", [b"", b"\xff\xda" * 99, b"\xff\xd8\xff\xe0\0\x10JFIF", bytes(99), b"SEFT\xff\xd9"])
def test_data_behind_a_jpeg_does_not_matter_and_missing_data_does(tmp_path, jpeg, behind):
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg + behind)
    assert end_of_jpeg(jpeg + behind) == len(jpeg)
    assert np.abs(read_image(path).astype(int) - IMAGE[..., ::-1]).mean() < 20
    for left in (len(jpeg) // 2, len(jpeg) - 2, len(jpeg) - 1):
        path.write_bytes(jpeg[:left])
        with pytest.raises(SourceError, match="is cut off"):
            read_image(path)


def test_markers_within_a_segment_of_a_jpeg_are_data(tmp_path):
    comment = b"\xff\xd9\xff\xda\xff\xd8"
    data = JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + JPEG[2:]
    assert end_of_jpeg(data) == len(data)


@pytest.mark.parametrize("name", ["clip.mjpeg", "clip.mjpg", "clip.bin"])
def test_raw_motion_jpeg_is_a_video(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"".join(cv2.imencode(".jpg", IMAGE // (1 + number))[1].tobytes() for number in range(5)))
    source = open_source(path)
    assert [frame.time for frame in source.frames()] == [Fraction(number, 25) for number in range(5)]
    assert source.notes == ["the stream has no timestamps: 25 frames per second are assumed (--fps)"]
    assert len(list(open_source(path, rate=Fraction(90)).frames())) == 5


@pytest.mark.parametrize("data", [JPEG, JPEG + bytes(2000), JPEG + b"....ftypmp42" + bytes(99)])
def test_one_photo_is_no_video(tmp_path, data):
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="is an image, not a video"):
        open_source(path)


@pytest.mark.parametrize("half", [False, True])
def test_exr_is_linear_light_and_shown_as_srgb(tmp_path, half):
    light = np.dstack([RAMP, RAMP / 2, RAMP / 4])
    path = tmp_path / "shot.exr"
    path.write_bytes(encoded("exr", "gbrpf32le", light, format="half" if half else "float"))
    assert np.abs(read_image(path) - srgb(light)).max() <= 1.5
    first, _, levels = read_images(path, path)
    assert levels is None
    assert (first == read_image(path)).all()


def test_exr_beyond_1_is_stretched(tmp_path):
    path = tmp_path / "shot.exr"
    path.write_bytes(encoded("exr", "grayf32le", RAMP * 20))
    image, _, levels = read_images(path, path)
    assert levels is not None
    assert levels.high == pytest.approx(20, rel=0.02)
    assert np.abs(image[..., 0] - srgb(np.clip(RAMP * 20 / levels.high, 0, 1))).max() <= 1.5


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("dpx", "rgb24"), ("dpx", "gbrp10be"), ("dpx", "rgb48be"), ("targa", "bgr24")]
)
def test_film_frames_are_read(tmp_path, codec, pix_fmt):
    stored = IMAGE[..., ::-1] if pix_fmt == "bgr24" else IMAGE
    samples = {"gbrp10be": np.rint(stored.astype(float) * 1023 / 255), "rgb48be": stored.astype(np.uint16) * 257}.get(pix_fmt, stored)  # fmt: skip # noqa: E501
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(2):
        kind = np.uint16 if "be" in pix_fmt else np.uint8
        (folder / f"{number}.{'tga' if codec == 'targa' else codec}").write_bytes(
            encoded(codec, pix_fmt, samples.astype(kind))
        )
    with open_source(folder) as source:
        assert np.abs(next(iter(source.frames())).image.astype(int) - IMAGE).max() <= 1
    assert source.meta.levels is None


@pytest.mark.parametrize("ending", [".jp2", ".j2k"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "rgb24"])
def test_jpeg_2000_of_any_colours_is_read_unless_it_is_cut_off(tmp_path, ending, pix_fmt):
    import av

    frame = av.VideoFrame.from_ndarray(IMAGE, format="rgb24").reformat(format=pix_fmt)
    samples = (
        frame.to_ndarray() if pix_fmt == "rgb24" else np.stack([np.asarray(plane) for plane in frame.to_ndarray()])
    )
    data = encoded("jpeg2000", pix_fmt, samples, format=ending[1:], pred="1")
    path = tmp_path / f"shot{ending}"
    path.write_bytes(data)
    assert np.abs(read_image(path).astype(int) - IMAGE).max() <= 6
    with pytest.raises(SourceError, match="is an image, not a video"):
        open_source(path)
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(SourceError):
        read_image(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int16, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_tiff_of_any_depth_is_read(tmp_path, dtype, colour):
    if colour and dtype in {np.float64, np.int32}:
        pytest.skip("OpenCV does not write it")
    values = -100 + 500 * RAMP if np.dtype(dtype).kind != "u" else 100 + 500 * RAMP
    values = np.rint(np.dstack([values] * 3) if colour else values).astype(dtype)
    path = tmp_path / "scan.tif"
    assert cv2.imwrite(str(path), values)
    image, _, levels = read_images(path, path)
    assert levels is not None
    assert (levels.low, levels.high) == (pytest.approx(values.min(), abs=9), pytest.approx(values.max(), abs=9))
    assert np.abs(image - 255 * RAMP[..., None]).max() <= 6


BLOCKS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8).repeat(16, 0).repeat(16, 1)


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 2), (2, 3)])
def test_heic_of_one_image_or_of_tiles_is_read_upright(tmp_path, rows, columns, turned):
    tiles = [np.split(row, columns, axis=1) for row in np.split(BLOCKS, rows)]
    path = tmp_path / "photo.heic"
    path.write_bytes(heif(tiles, turned=turned))
    wanted = np.rot90(BLOCKS, turned)
    image = read_image(path)
    assert image.shape == wanted.shape
    assert np.abs(image.astype(int) - wanted).mean() < 1


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_cut_heic_is_refused(tmp_path, part):
    data = heif([np.split(BLOCKS, 2, axis=1)])
    path = tmp_path / "photo.heic"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(SourceError):
        read_image(path)


def test_pfm_and_hdr_are_images(tmp_path):
    for ending in (".pfm", ".hdr"):
        path = tmp_path / f"light{ending}"
        assert cv2.imwrite(str(path), np.dstack([RAMP] * 3))
        wanted = srgb(RAMP) if ending == ".hdr" else 255 * RAMP
        assert np.abs(read_image(path)[..., 0] - wanted).max() <= 4


@pytest.mark.parametrize("ending", [".jfif", ".avif", ".jpe", ".pam", ".JFIF"])
def test_other_endings_of_images_make_a_folder_of_frames(tmp_path, ending):
    assert ending.lower() in EXTENSIONS
    data = cv2.imencode(".jpg" if ending.lower() in {".jfif", ".jpe"} else ending, IMAGE)[1].tobytes()
    for number in range(3):
        (tmp_path / f"{number}{ending}").write_bytes(data)
    assert len(list(open_source(tmp_path).frames())) == 3


def two_streams(path: Path, *, default: int | None = None) -> Path:
    """A video of two streams of 64 x 48 and 32 x 24, one of which may be marked as default."""
    import av

    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for number, scale in enumerate((1, 2)):
            stream: Any = container.add_stream("ffv1", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 64 // scale, 48 // scale, "yuv420p"
            if default is not None:
                stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
            streams.append(stream)
        for _ in range(3):
            for scale, stream in enumerate(streams, 1):
                image = np.ascontiguousarray(IMAGE[::scale, ::scale])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("default", "chosen"), [(None, 0), (0, 0), (1, 1)])
def test_of_several_video_streams_the_default_one_is_read_and_the_choice_is_noted(tmp_path, default, chosen):
    source = open_source(two_streams(tmp_path / "clip.mkv", default=default))
    assert source.meta.width == (64, 32)[chosen]
    assert len(list(source.frames())) == 3
    note = f"the file has 2 video streams (64 x 48, 32 x 24): number {chosen} is read (--video-stream)"
    assert source.notes == [note]


def test_a_video_stream_can_be_chosen(tmp_path):
    path = two_streams(tmp_path / "clip.mkv", default=0)
    source = open_source(path, decoding=Decoding(video_stream=1))
    assert [frame.image.shape for frame in source.frames()] == [(24, 32, 3)] * 3
    assert source.notes == []
    with pytest.raises(UsageError) as failure:
        open_source(path, decoding=Decoding(video_stream=2))
    assert str(failure.value) == f"{path} has no video stream 2"
    assert failure.value.hint == "--video-stream can be 0 to 1"


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        (b"\x54\xbb", np.s_[8:, :]),
        (b"\x54\xaa", np.s_[:-8, :]),
        (b"\x54\xcc", np.s_[:, 8:]),
        (b"\x54\xdd", np.s_[:, :-8]),
    ],
    ids=["top", "bottom", "left", "right"],
)
def test_matroska_is_cropped_as_it_asks_for(make_video, element, shown):
    path = make_video("clip.mkv", frames=3, codec="ffv1")
    whole = [frame.image for frame in open_source(path).frames()]
    # The unit of the displayed size, which is four bytes like a cropping of 8.
    data = path.read_bytes()
    assert data.count(b"\x54\xb2\x81\x04") == 1
    path.write_bytes(data.replace(b"\x54\xb2\x81\x04", element + b"\x81\x08"))
    source = open_source(path)
    frames = list(source.frames())
    assert (source.meta.height, source.meta.width) == frames[0].image.shape[:2] == whole[0][shown].shape[:2]
    assert all((frame.image == image[shown]).all() for frame, image in zip(frames, whole, strict=True))
    assert len(source.notes) == 1
    assert source.notes[0].startswith("frames are cropped as the file asks for: ")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("rtsp://camera/1", "rtsp://camera/1"),
        ("https://example.org/a/clip.mp4?x=1", "https://example.org/a/clip.mp4?x=1"),
        ("HTTP://example.org", "HTTP://example.org"),
        ("udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234"),
    ],
)
@pytest.mark.parametrize("opened", [open_source, read_image])
def test_an_address_is_refused_with_the_pipe_that_works(opened, given, named):
    with pytest.raises(UsageError) as failure:
        opened(Path(given))
    assert str(failure.value) == f"{named} is an address, and flowcli reads files and pipes"
    assert f"ffmpeg -i {quote(named)} -c copy -an -f matroska - | flowcli video -" in failure.value.hint


@pytest.mark.parametrize("given", ["0", "12"])
def test_the_number_of_a_webcam_is_refused_with_the_pipe_that_works(place, given):
    with pytest.raises(UsageError) as failure:
        open_source(Path(given))
    assert str(failure.value) == f"{given} is not a file; webcams are read through a pipe"
    assert failure.value.hint.endswith("-c:v ffv1 -f matroska - | flowcli video -")


@pytest.mark.skipif(os.name == "nt", reason="no file of Windows has such a name")
@pytest.mark.parametrize("name", ["0", "rtsp:", "12"])
def test_a_folder_that_is_named_like_an_address_or_webcam_is_read(place, name):
    folder = Path(name) / "shots"
    folder.mkdir(parents=True)
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), IMAGE)
    assert len(list(open_source(folder).frames())) == 2
