from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.training.curve import draw_curve
from flowcli.training.run_folder import RunFolder


def dark(image: np.ndarray, columns: slice) -> float:
    """The mean row of the near-black pixels, which are those of the mean's curve."""
    return float((image[60:360, columns].max(axis=2) < 70).nonzero()[0].mean())


def test_the_curve_of_the_mean_falls_as_the_error_does() -> None:
    image = draw_curve([(0, {"mean": 4.0}), (100, {"mean": 2.0}), (200, {"mean": 1.1})])
    rows = [dark(image, columns) for columns in (slice(60, 100), slice(280, 340), slice(500, 560))]
    assert rows == sorted(rows)
    assert rows[2] - rows[0] > 100


def test_a_single_validation_and_unknown_errors_can_be_drawn() -> None:
    assert draw_curve([(0, {"mean": 4.0, "chairs": 0.0})]).shape == (420, 760, 3)
    assert draw_curve([(0, {"mean": math.nan}), (50, {"mean": 2.0})]).min() < 70
    with pytest.raises(ValueError, match="nothing has been validated yet"):
        draw_curve([])


def test_the_later_of_two_validations_at_a_step_is_drawn(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step, mean in ((10, 4.0), (20, 3.0)):
        folder.log({"step": step, "validation": {"mean": mean}})
    folder.log({"step": 25, "loss": 1.0})
    folder.draw_curve()
    expected = cv2.imread(str(tmp_path / "validation.png"))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    killed = [*lines[:1], json.dumps({"step": 20, "validation": {"mean": 9.0}}), *lines[1:]]
    (tmp_path / "log.jsonl").write_text("\n".join(killed) + "\n")
    folder.draw_curve()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "validation.png")), expected)
