"""Every claim of the sentences about random pixels, against the tensors of the record."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from flowcli.cli.app import run
from flowcli.inspection.grid import Cell
from flowcli.inspection.reading import likeness_at
from tests.inspection.claims import pairs_of

PIXELS, SIZE = 20, (160, 224)


@pytest.fixture
def record(tmp_path, monkeypatch) -> dict:
    """An inspection of a square that moves by 28 px over a ground that moves by 2, at random pixels."""
    monkeypatch.setattr("flowcli.inspection.run.draw_all", lambda _: iter(()))
    chance = np.random.default_rng(0)
    ground, square = (cv2.GaussianBlur(chance.integers(0, 256, (*size, 3)).astype(np.uint8), (0, 0), 2) * 1.5
                      for size in ((SIZE[0], SIZE[1] + 2), (72, 72)))  # fmt: skip
    for name, left, cut in (("a.png", 60, 2), ("b.png", 88, 0)):
        picture = ground[:, cut : cut + SIZE[1]].copy()
        picture[44:116, left : left + 72] = square
        cv2.imwrite(str(tmp_path / name), np.clip(picture, 0, 255).astype(np.uint8))
    at = [f"--at={x},{y}" for y, x in chance.integers((0, 0), SIZE, (PIXELS, 2)).tolist()]
    pair = [str(tmp_path / name) for name in ("a.png", "b.png")]
    assert run(["inspect", *pair, "--iters", "4", *at, "--at", "60,80", "--at", "131,80"]) == 0
    return json.loads((tmp_path / "a_inspect/inspect.json").read_text())


def test_every_claim_about_random_pixels_follows_from_the_tensors(record: dict) -> None:
    said, true = zip(
        *(pair for one in record["pixels"] for pair in pairs_of(one, record["model"]["radius"])), strict=True
    )
    assert said == true
    text = " ".join(said)
    # Every kind of claim is made at least once.
    for kind in ("outside level 0's window", "respond", "overshot", "following", "a rival", "agree", " px, "):
        assert kind in text, kind


def test_likeness_is_the_mean_cosine_with_the_cells_around() -> None:
    features = np.random.default_rng(0).normal(size=(5, 4, 6)).astype(np.float32)
    around = [(0, 1), (1, 0), (1, 1)]
    cosines = [
        F.cosine_similarity(*(torch.from_numpy(features[:, y, x]) for y, x in ((0, 0), at)), dim=0) for at in around
    ]
    assert likeness_at(features, Cell(0, 0)) == pytest.approx(float(sum(cosines)) / 3, abs=1e-6)
