from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcli.errors import SourceError, UsageError
from flowcli.sinks import flo

FLOW = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)
MAGIC = np.float32(202021.25).tobytes()


def _header(width, height):
    return MAGIC + np.array([width, height], "<i4").tobytes()


def test_opencv_reads_what_we_write(tmp_path):
    flo.write(tmp_path / "a.flo", FLOW)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), FLOW)
    assert [file.name for file in tmp_path.iterdir()] == ["a.flo"]


def test_we_read_what_opencv_writes(tmp_path):
    cv2.writeOpticalFlow(str(tmp_path / "a.flo"), FLOW)
    assert np.array_equal(flo.read(tmp_path / "a.flo"), FLOW)


def test_unknown_flow_is_kept(tmp_path):
    flow = FLOW.copy()
    flow[0, 0] = np.nan
    flow[1, 1] = 1e10
    flo.write(tmp_path / "a.flo", flow)
    assert np.array_equal(flo.read(tmp_path / "a.flo"), flow, equal_nan=True)


@pytest.mark.parametrize(
    ("width", "height", "body"),
    [(7, 5, 279), (7, 5, 281), (0, 5, 0), (-7, -5, 280), (2**31 - 1, 2**31 - 1, 100), (70000, 1, 560000), (7, 5, 0)],
)
def test_a_header_is_believed_only_with_the_right_size(tmp_path, width, height, body):
    path = tmp_path / "a.flo"
    path.write_bytes(_header(width, height) + bytes(body))
    with pytest.raises(SourceError) as failure:
        flo.read(path)
    expected = 12 + 8 * width * height
    assert str(failure.value) == f"{path} says {width} x {height}, which takes {expected} bytes, but has {12 + body}"


@given(content=st.binary(max_size=200))
def test_other_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.flo"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"is not a \.flo file$"):
        flo.read(path)


def test_a_missing_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError):
        flo.read(tmp_path / "none.flo")
