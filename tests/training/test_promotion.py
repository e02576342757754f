from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flowcli.cli.app import run as main
from flowcli.errors import UsageError
from flowcli.system.console import Console
from flowcli.training.promote import Promotion, hours, loss_on, promote, rates_of, samples, trained_on, updates_of
from flowcli.training.recipes import RECIPES, Stage, find_recipe
from raft_core import checkpoint
from raft_core.raft import RAFT
from tests import trees


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    torch.manual_seed(0)
    checkpoint.save(RAFT(), folder / "best.safetensors")
    facts = {"step": 500, "epe": {"mean": 1.0}, "recipe": dataclasses.asdict(RECIPES["cpu"])}
    (folder / "best.json").write_text(json.dumps(facts))
    (folder / "run.json").write_text(json.dumps({"textures": "/home/me/photos", "size": [288, 384], "seed": 1}))
    lines = [{"step": 1, "time": 1000}, {"step": 2, "time": 1360}, {"validation": {}}, {"step": 3, "time": 9000}]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    pair = tmp_path / "pairs" / "made_one"
    pair.mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
    cv2.imwrite(str(pair / "frame1.png"), image)
    cv2.imwrite(str(pair / "frame2.png"), np.roll(image, 3, axis=1))
    flow = np.full((128, 128, 2), (3, 4), np.float32)
    np.savez(pair / "flow.npz", flow=flow, valid=np.ones((128, 128), np.uint8))
    return pair.parent


def test_the_model_card_scores_the_weights_that_are_stored(run: Path, validation: Path, tmp_path: Path) -> None:
    stored = promote(Promotion(run, tmp_path / "weights", "mine", validation), Console(quiet=True))
    card = stored.with_suffix(".md").read_text()
    assert hashlib.sha256(stored.read_bytes()).hexdigest() in card
    assert stored.stat().st_size < 2_100_000
    (row,) = [line.split(" | ") for line in card.splitlines() if line.startswith("| made")]
    # The columns: stored weights, before rounding, DIS, Farneback, and zero flow, whose error is the flow's length.
    assert row[0] == "| made"
    assert row[-1] == "5.000 |"
    assert float(row[2]) == pytest.approx(float(row[3]), abs=0.05)
    assert f"{450 * 8 + 50 * 6:,} samples in 500 steps, 0.1 hours" in card
    assert "| coarse | 50 of 1200 |" in card
    assert "| fine |" not in card


def test_the_card_names_the_weights_whatever_they_are_called(run: Path, validation: Path, tmp_path: Path) -> None:
    stored = promote(Promotion(run, tmp_path / "weights", "best-of-two", validation), Console(quiet=True))
    (header,) = [line for line in stored.with_suffix(".md").read_text().splitlines() if line.startswith("| EPE")]
    assert header == "| EPE, px | pairs | best-of-two | before rounding to float16 | dis | farneback | zero |"


def test_weights_are_scored_on_the_data_set_that_they_were_validated_on(run: Path, tmp_path: Path) -> None:
    for frame in (10, 11):
        trees.picture(tmp_path / "kitti" / "training" / "image_2" / f"000000_{frame}.png", size=(16, 16))
    trees.kitti(tmp_path / "kitti" / "training" / "flow_occ" / "000000_10.png", np.zeros((16, 16, 2)), [])
    promotion = Promotion(run, tmp_path, "mine", Path(f"kitti={tmp_path / 'kitti'}"))
    card = promote(promotion, Console(quiet=True)).with_suffix(".md").read_text()
    assert "\n| kitti2015 | 1 |" in card


def test_the_card_states_the_highest_learning_rate_of_a_stage() -> None:
    stage = dataclasses.asdict(Stage("x", 9, 1, (64, 64), 1, (1.6e-5, 1.6e-9), peak=4e-4))
    assert rates_of(stage) == "1.6e-05 → 0.0004 → 1.6e-09"
    assert rates_of({"learning_rate": [1e-4, 1e-5]}) == "0.0001 → 1e-05"


def test_a_run_without_validated_weights_cannot_be_promoted(tmp_path: Path, validation: Path) -> None:
    with pytest.raises(UsageError, match=r"has no best\.safetensors"):
        promote(Promotion(tmp_path, tmp_path, "mine", validation), Console(quiet=True))


def test_samples_are_counted_through_the_stages() -> None:
    stages = [{"steps": 10, "batch": 4, "parts": 1}, {"steps": 20, "batch": 1, "parts": 2}]
    assert [samples(stages, steps) for steps in (0, 5, 10, 15, 30, 99)] == [0, 20, 40, 50, 80, 80]


def test_the_card_says_how_a_stages_updates_begin() -> None:
    assert updates_of({"iterations": 12}) == "12"
    as_used = {"iterations": 8, "run_in": 16, "starts": 0.4}
    assert updates_of(as_used) == "8, after 0 to 16 more, 40 % from earlier flow"


def test_a_long_pause_between_log_lines_does_not_count_as_training() -> None:
    assert hours([{"time": 1000}, {"time": 1360}, {"validation": {}}, {"time": 9000}]) == pytest.approx(0.1)


def test_the_model_card_names_the_initial_weights(run: Path, validation: Path, tmp_path: Path) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({"begun_with": "older", "sha256": "abc"}) + "\n")
    card = promote(Promotion(run, tmp_path, "mine", validation), Console(quiet=True)).with_suffix(".md").read_text()
    assert "trained by flowcli from the weights older, sha256 `abc`,\n" in card


def test_the_model_card_states_the_records_of_the_run_and_the_statements_of_the_user(
    run: Path, validation: Path, tmp_path: Path
) -> None:
    promotion = Promotion(run, tmp_path, "mine", validation)
    card = promote(promotion, Console(quiet=True)).with_suffix(".md").read_text()
    assert "raft-small (990,162 parameters, float16), trained by flowcli from scratch\n" in card
    assert "of the images in a folder called photos.\n" in card
    assert "- licence: not stated\n" in card
    line = f"train --run {run} --promote {tmp_path}/stated --validation {validation} --licence CC0 --origin".split()
    assert main([*line, "The photographs are mine."]) == 0
    card = (tmp_path / "stated.md").read_text()
    assert "- licence: CC0\n" in card and "\nThe photographs are mine.\n" in card


def test_the_model_card_names_the_training_datasets() -> None:
    recipe = dataclasses.asdict(find_recipe("sintel"))
    assert trained_on(recipe, {"textures": None}) == "pairs of sintel, kitti, hd1k, things"


def test_the_model_card_describes_the_loss_of_each_stage() -> None:
    everything = dataclasses.asdict(Stage("one", 1, 1, (128, 128), 1, (0, 0)))
    assert loss_on(everything) == "all pixels"
    some = everything | {"visible_only": True, "max_flow": 48.0, "power": 0.5}
    assert loss_on(some) == "visible pixels slower than 48 px, to the power 0.5"
    new = everything | {"matching": 0.3, "frozen": ["context_encoder"], "renew_context": True}
    assert loss_on(everything | {"slow": ["context_encoder"]}) == "all pixels, context_encoder slow"
    assert (
        loss_on(new)
        == "all pixels, and 0.3 of the matching loss, context_encoder frozen, context encoder reinitialised"
    )


def test_a_stage_of_an_earlier_version_is_described_without_newer_settings() -> None:
    stage = dataclasses.asdict(Stage("one", 1, 1, (128, 128), 1, (0, 0)))
    assert loss_on({key: stage[key] for key in ("visible_only", "max_flow", "power")}) == "all pixels"
