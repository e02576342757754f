"""Every codec keeps colours, sizes and times; options that do not fit it are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import product

import av
import cv2
import numpy as np
import pytest

from flowcli.errors import OutputError, UsageError
from flowcli.media.encoding import CODECS, Encoding
from flowcli.media.pyav import VideoReader, VideoWriter, join_videos

TIMES = [Fraction(pts, 12800) for pts in (0, 512, 1024, 1600, 9999)]


def _image(width, height, number=0):
    image = np.full((height, width, 3), (210, 30, 40), np.uint8)
    image[: height // 4 * 2, : width // 4 * 2] = (30, 200 - 40 * number % 200, 90)
    return image


def _write(path, encoding, *, size=(64, 48), times=TIMES, first=0):
    writer = VideoWriter(path, rate=Fraction(25), tick=Fraction(1, 12800), encoding=encoding)
    for number, time in enumerate(times):
        writer.write(_image(*size, first + number), time=time)
    writer.close()


def _frames(path):
    with VideoReader(path) as reader:
        return list(reader.frames())


def _codec_of(path):
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
    if context.name == "hevc" and path.suffix in {".mp4", ".mov"}:
        assert context.codec_tag == "hvc1"  # or Apple's players show nothing
    return {"libdav1d": "av1", "hevc": "h265", "libvpx-vp9": "vp9"}.get(context.name, context.name)


def _close(time):
    """Matroska and WebM round times to milliseconds."""
    return pytest.approx(float(time), abs=0.0005)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_keeps_colours_and_pads_odd_sizes_only_where_it_must(tmp_path, codec):
    path = tmp_path / f"a{CODECS[codec].containers[0]}"
    for pixels, size in product(CODECS[codec].pixel_formats, ((64, 48), (63, 47))):
        _write(path, Encoding(codec, pixel_format=pixels), size=size)
        frames = _frames(path)
        assert len(frames) == len(TIMES)
        width, height = size[0] + size[0] % 2 * ("42" in pixels), size[1] + size[1] % 2 * ("420" in pixels)
        assert frames[0].image.shape == (height, width, 3), pixels
        for number, frame in enumerate(frames):
            difference = np.abs(frame.image[:47, :63].astype(int) - _image(*size, number)[:47, :63])
            # Away from the patch's outline, which subsampled chroma blurs.
            assert difference[30:, 40:].max() <= 5, (pixels, size)
            assert difference[4:16, 4:24].max() <= 12, (pixels, size)


def test_ffv1_is_lossless(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (31, 45, 3), np.uint8)
    writer = VideoWriter(tmp_path / "a.mkv", rate=Fraction(25), tick=Fraction(1, 25), encoding=Encoding("ffv1"))
    writer.write(noise, time=Fraction(0))
    writer.close()
    assert np.array_equal(_frames(tmp_path / "a.mkv")[0].image, noise)


@pytest.mark.parametrize("codec", CODECS)
def test_every_container_keeps_times_and_the_codec(tmp_path, codec):
    for extension in CODECS[codec].containers:
        path = tmp_path / f"a{extension}"
        _write(path, Encoding(codec))
        exact = extension in {".mp4", ".mov"}
        assert [frame.time for frame in _frames(path)] == (TIMES if exact else [*map(_close, TIMES)]), extension
        assert _codec_of(path) == codec, extension


@pytest.mark.parametrize("codec", CODECS)
def test_parts_are_joined_without_loss_in_every_container(tmp_path, codec):
    times = [Fraction(number, 25) for number in range(12)]
    for extension in CODECS[codec].containers:
        _write(tmp_path / f"a{extension}", Encoding(codec), times=times[:7])
        _write(tmp_path / f"b{extension}", Encoding(codec), times=times[7:], first=7)
        parts = [(tmp_path / f"a{extension}", times[0]), (tmp_path / f"b{extension}", times[7])]
        join_videos(parts, tmp_path / f"joined{extension}")
        assert _codec_of(tmp_path / f"joined{extension}") == codec, extension
        joined = _frames(tmp_path / f"joined{extension}")
        assert [frame.time for frame in joined] == times, extension
        separate = [frame for path, _ in parts for frame in _frames(path)]
        assert all(np.array_equal(a.image, b.image) for a, b in zip(joined, separate, strict=True)), extension


def test_a_lower_crf_is_more_accurate_and_a_preset_changes_the_file(tmp_path):
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 1.5)
    sizes, errors = [], []
    for crf, preset in ((5, None), (40, None), (40, "slow")):
        path = tmp_path / f"{crf}{preset}.mp4"
        writer = VideoWriter(path, rate=Fraction(25), tick=Fraction(1, 25), encoding=Encoding(crf=crf, preset=preset))
        for number in range(4):
            writer.write(np.roll(noise, number, axis=1), time=Fraction(number, 25))
        writer.close()
        sizes.append(path.stat().st_size)
        errors.append(np.abs(_frames(path)[0].image.astype(int) - noise).mean())
    assert sizes[0] > 2 * sizes[1] and errors[0] < errors[1] / 2
    assert sizes[1] != sizes[2]


@pytest.mark.parametrize("codec", ["h265", "av1"])
def test_pictures_too_small_for_a_codec_are_refused(tmp_path, codec):
    with pytest.raises(OutputError) as failure:
        _write(tmp_path / "a.mp4", Encoding(codec), size=(1, 1))
    assert str(failure.value) == f"{codec} cannot encode pictures of 2 x 2"


def test_pictures_of_one_pixel_make_a_video(tmp_path):
    for codec in ("h264", "vp9", "ffv1", "prores"):
        path = tmp_path / f"a{CODECS[codec].containers[0]}"
        _write(path, Encoding(codec), size=(1, 1))
        assert len(_frames(path)) == len(TIMES), codec


@pytest.mark.slow
def test_the_same_pictures_make_the_same_video_while_other_videos_are_decoded(tmp_path):
    noise = np.random.default_rng(0)
    pictures = [cv2.GaussianBlur(noise.integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 2) for _ in range(8)]

    def make(path):
        writer = VideoWriter(path, rate=Fraction(25), tick=Fraction(1, 12800))
        for number, picture in enumerate(pictures):
            writer.write(picture, time=Fraction(number, 25))
        writer.close()
        _frames(path)
        return path.read_bytes()

    with ThreadPoolExecutor(4) as threads:
        made = set(threads.map(make, (tmp_path / f"{number}.mp4" for number in range(2000))))
    assert len(made) == 1


def test_encoders_print_nothing(tmp_path, capfd, caplog):
    for codec in CODECS:
        extension = CODECS[codec].containers[0]
        _write(tmp_path / f"a{extension}", Encoding(codec))
        join_videos([(tmp_path / f"a{extension}", Fraction(0))], tmp_path / f"b{extension}")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"codec": "h266"}, "--codec h266 is not known", "use h264, h265, vp9, av1, ffv1, prores"),
        ({"crf": 52}, "--crf 52 is not between 0 and 51", "the default is 20"),
        ({"codec": "ffv1", "crf": 3}, "--crf is not for ffv1", "leave it out, or use --codec h264, h265, vp9, av1"),
        ({"codec": "prores", "preset": "slow"}, "--preset slow is not for prores", "leave it out"),
        ({"codec": "vp9", "preset": "slow"}, "--preset slow is not for vp9", "use realtime, good, best"),
        ({"codec": "av1", "pixel_format": "yuv444p"}, "--pix-fmt yuv444p is not for av1", "use yuv420p, yuv420p10le"),
    ],
)
def test_options_that_do_not_fit_the_codec_are_refused_with_a_hint(options, message, hint):
    with pytest.raises(UsageError) as failure:
        Encoding(**options)
    assert (str(failure.value), failure.value.hint) == (message, hint)
