"""The formats of flow files: round trips, agreement with other programs, and refusal of other bytes."""

from __future__ import annotations

import io
import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcli.errors import SourceError, UsageError
from flowcli.flow.colour import with_nan
from flowcli.flow.formats import exr, flo, kitti, npz, pfm
from flowcli.flow.kinds import FlowFile
from flowcli.flow.outputs import kind_of, output_names
from flowcli.media.encoding import Encoding

FLOW = (20 * np.random.default_rng(0).normal(size=(5, 7, 2))).astype(np.float32)
FLOW[0, 0] = -0.0, 1e-30
UNKNOWN = FLOW.copy()
UNKNOWN[1, 1] = np.nan
UNKNOWN[2, 3] = 1e10
FORMATS = [name for name in output_names() if isinstance(kind_of(name), FlowFile) and "planes" not in name]
# The steps of lossy formats, in px; an STMap stores places in such small frames as here.
STEP = {"kitti": 1 / 64, "stmap": 1e-5}


def _path(folder, name):
    return folder / f"a.{'png' if name == 'kitti' else name}"


@pytest.mark.parametrize("name", FORMATS)
def test_flow_is_read_as_it_was_written(tmp_path, name):
    for size in ((5, 7), (1, 1), (1, 9), (33, 2)):
        flow = np.resize(FLOW, (*size, 2))
        kind_of(name).write(_path(tmp_path, name), flow)
        read = kind_of(name).read(_path(tmp_path, name))
        assert (read.dtype, read.shape) == (np.float32, flow.shape)
        if name in STEP:
            assert np.abs(read - flow).max() <= STEP[name] / 2
        else:
            assert read.tobytes() == flow.tobytes()
        assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_unknown_flow_stays_unknown_and_the_rest_is_kept(tmp_path, name):
    kind_of(name).write(_path(tmp_path, name), UNKNOWN)
    read = kind_of(name).read(_path(tmp_path, name))
    known = np.abs(read).max(axis=2) <= 1e9
    assert np.argwhere(~known).tolist() == [[1, 1], [2, 3]]
    np.testing.assert_allclose(read[known], UNKNOWN[known], rtol=0, atol=STEP.get(name, 0) / 2)


def test_a_missing_file_is_a_usage_error_and_a_folder_a_source_error(tmp_path):
    for name in FORMATS:
        with pytest.raises(UsageError, match=r"none does not exist$"):
            kind_of(name).read(tmp_path / "none")
        with pytest.raises(SourceError, match=r"cannot be read: Is a directory$"):
            kind_of(name).read(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_other_bytes_are_refused(tmp_path_factory, name, content):
    path = tmp_path_factory.getbasetemp() / f"fuzz.{name}"
    path.write_bytes(content)
    with pytest.raises(SourceError):
        kind_of(name).read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_refused(tmp_path, name):
    path = _path(tmp_path, name)
    kind_of(name).write(path, FLOW)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError):
            kind_of(name).read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_as_flow_or_refused(tmp_path, name):
    path = tmp_path / f"damaged.{name}"
    kind_of(name).write(path, FLOW)
    whole = path.read_bytes()

    @settings(deadline=None)
    @given(place=st.integers(0, 10_000), value=st.integers(0, 255))
    def check(place, value):
        data = bytearray(whole)
        data[place % len(data)] = value
        path.write_bytes(data)
        try:
            assert kind_of(name).read(path).ndim == 3
        except SourceError as failure:
            assert failure.hint

    check()


# flo


def test_flo_files_are_exchanged_with_opencv(tmp_path):
    flo.write(tmp_path / "a.flo", UNKNOWN)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), UNKNOWN, equal_nan=True)
    cv2.writeOpticalFlow(str(tmp_path / "b.flo"), FLOW)
    assert np.array_equal(flo.read(tmp_path / "b.flo"), FLOW)


@pytest.mark.parametrize(
    ("width", "height", "body"),
    [(7, 5, 279), (7, 5, 281), (0, 5, 0), (-7, -5, 280), (2**31 - 1, 2**31 - 1, 100), (70000, 1, 560000), (7, 5, 0)],
)
def test_a_header_that_does_not_agree_with_the_size_of_the_file_is_refused(tmp_path, width, height, body):
    path = tmp_path / "a.flo"
    path.write_bytes(np.float32(202021.25).tobytes() + np.array([width, height], "<i4").tobytes() + bytes(body))
    with pytest.raises(SourceError) as failure:
        flo.read(path)
    expected = 12 + 8 * width * height
    assert str(failure.value) == f"{path} says {width} x {height}, which takes {expected} bytes, but has {12 + body}"


# pfm


def test_pfm_files_are_exchanged_with_opencv(tmp_path):
    pfm.write(tmp_path / "a.pfm", UNKNOWN)
    read = cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert np.array_equal(read[..., :2], with_nan(UNKNOWN), equal_nan=True)
    assert not read[..., 2].any()
    cv2.imwrite(str(tmp_path / "b.pfm"), np.dstack([np.ones((5, 7)), FLOW[..., ::-1]]).astype(np.float32))
    assert np.array_equal(pfm.read(tmp_path / "b.pfm"), FLOW)


@pytest.mark.parametrize(("scale", "order"), [("1", ">"), ("+1.0", ">"), ("1e0", ">"), ("-1.", "<"), ("-.5", "<")])
def test_the_sign_of_a_pfms_scale_is_its_byte_order(tmp_path, scale, order):
    pixels = np.zeros((5, 7, 3), f"{order}f4")
    pixels[..., :2] = FLOW[::-1]
    (tmp_path / "a.pfm").write_bytes(f"PF\n7 5\n{scale}\n".encode() + pixels.tobytes())
    assert np.array_equal(pfm.read(tmp_path / "a.pfm"), FLOW)


def test_a_pfm_of_one_channel_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.pfm"), FLOW[..., 0])
    with pytest.raises(SourceError, match=r"is not a \.pfm file of three channels$"):
        pfm.read(tmp_path / "a.pfm")


# kitti


def _by_the_devkit(path):
    """Flow and validity by the readme of KITTI's development kit."""
    blue, green, red = cv2.split(cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR).astype(np.float64))
    return np.dstack([(red - 2**15) / 64, (green - 2**15) / 64]), blue > 0


def test_the_devkit_reads_our_png(tmp_path):
    kitti.write(tmp_path / "a.png", UNKNOWN)
    flow, valid = _by_the_devkit(tmp_path / "a.png")
    assert np.argwhere(~valid).tolist() == [[1, 1], [2, 3]]
    assert np.abs(flow - FLOW)[valid].max() <= 1 / 128
    assert np.array_equal(flow[valid].astype(np.float32), kitti.read(tmp_path / "a.png")[valid])


def test_kitti_clamps_values_out_of_range_and_marks_them_as_not_valid(tmp_path):
    flow = np.array([[[511.984375, -512], [512, 3], [-512.1, 3], [5, 9000]]], np.float32)
    kitti.write(tmp_path / "a.png", flow)
    stored, valid = _by_the_devkit(tmp_path / "a.png")
    assert valid.tolist() == [[True, False, False, False]]
    assert stored[0].tolist() == [[511.984375, -512], [511.984375, 3], [-512, 3], [5, 511.984375]]


def test_kitti_rounds_to_the_nearest_value(tmp_path):
    kitti.write(tmp_path / "a.png", np.array([[[1.7 / 64, -1.7 / 64]]], np.float32))
    assert kitti.read(tmp_path / "a.png").tolist() == [[[2 / 64, -2 / 64]]]


def test_an_8_bit_png_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((5, 7, 3), np.uint8))
    with pytest.raises(SourceError, match=r"is not a 16-bit PNG in KITTI's flow format$"):
        kitti.read(tmp_path / "a.png")


# exr


def test_exr_keeps_every_bit(tmp_path):
    flow = np.random.default_rng(0).integers(0, 2**32, (40, 30, 2), np.uint32).view(np.float32)
    flow = np.where(np.abs(flow) <= 1e9, flow, np.float32(-0.0))
    exr.write(tmp_path / "a.exr", flow)
    assert exr.read(tmp_path / "a.exr").tobytes() == flow.tobytes()


def test_exr_has_the_layout_of_its_standard(tmp_path):
    exr.write(tmp_path / "a.exr", FLOW)
    data = (tmp_path / "a.exr").read_bytes()
    assert data[:4] == b"v/1\x01"
    channels = data[data.index(b"channels\0chlist\0") :]
    floats = b"\x02\0\0\0" + bytes(4) + b"\x01\0\0\0" * 2
    assert channels[20:75] == b"B\0" + floats + b"G\0" + floats + b"R\0" + floats + b"\0"


# npz


def test_numpy_reads_all_arrays_of_an_estimate(tmp_path, make_estimate):
    occluded = np.zeros((5, 7), bool)
    occluded[0, 3] = True
    npz.save(tmp_path / "a.npz", make_estimate(UNKNOWN, backward=-FLOW, occluded=occluded), Encoding())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["backward", "flow", "occluded", "valid"]
        assert np.array_equal(arrays["flow"], with_nan(UNKNOWN), equal_nan=True)
        assert np.argwhere(~arrays["valid"]).tolist() == [[1, 1], [2, 3]]
        assert np.array_equal(arrays["backward"], -FLOW)
        assert np.array_equal(arrays["occluded"], occluded)
        assert [arrays[name].dtype for name in arrays] == [np.float32, bool, np.float32, bool]


def test_half_precision_is_float16(tmp_path, make_estimate):
    npz.save(tmp_path / "a.npz", make_estimate(UNKNOWN), Encoding(half=True))
    with np.load(tmp_path / "a.npz") as arrays:
        assert sorted(arrays) == ["flow", "valid"]
        assert arrays["flow"].dtype == np.float16
        known = arrays["valid"]
    np.testing.assert_allclose(npz.read(tmp_path / "a.npz")[known], UNKNOWN[known], rtol=2**-11, atol=2**-24)


def test_a_mask_of_another_program_is_applied(tmp_path):
    valid = np.ones((5, 7), np.float32)
    valid[3, 3] = 0
    np.savez_compressed(tmp_path / "a.npz", flow=FLOW.astype(np.float64), valid=valid)
    assert np.argwhere(np.isnan(npz.read(tmp_path / "a.npz")[..., 0])).tolist() == [[3, 3]]


@pytest.mark.parametrize(
    "flow", [np.zeros((5, 7, 3), np.float32), np.zeros((5, 7, 2), int), np.array([{}, None], object)], ids=str
)
def test_other_arrays_are_refused_without_unpickling(tmp_path, flow):
    np.savez(tmp_path / "a.npz", flow=flow)
    with pytest.raises(SourceError, match=r"a\.npz cannot be used: flow is "):
        npz.read(tmp_path / "a.npz")


def test_a_header_that_claims_gigabytes_is_refused_at_once(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (60000, 60000, 2)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("flow.npy", header.getvalue())
    with pytest.raises(SourceError, match=r"flow is float32 \(60000, 60000, 2\)$"):
        npz.read(tmp_path / "a.npz")
