"""The embedded weights."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch

from flowcli.evaluation import datasets
from flowcli.model.weights import find, load
from flowcli.training.validation import validate
from raft_core.raft import RAFT
from tests.peers import add_mask_predictor, torchvision_raft
from tests.published_names import published_state

ROOT = Path(__file__).parents[2]
VALIDATION = ROOT.parent / "shared" / "pairs"


@pytest.fixture(params=["raft-small", "raft-small-convex"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stored(name: str) -> RAFT:
    return load(find(name))


def test_embedded_weights_are_named_after_their_model(name: str, stored: RAFT) -> None:
    assert stored.config.name == name


def test_the_model_card_is_about_the_stored_weights(name: str) -> None:
    assert find(name).sha256 in (ROOT / "weights" / f"{name}.md").read_text()


def test_rounding_to_float16_changed_errors_by_less_than_a_fiftieth_of_a_pixel(name: str) -> None:
    card = (ROOT / "weights" / f"{name}.md").read_text()
    rows = re.findall(r"^\| [\w-]+ \| \d+ \| ([\d.]+) \| ([\d.]+) \|", card, re.MULTILINE)
    assert len(rows) >= 6
    for rounded, original in rows:
        assert abs(float(rounded) - float(original)) < 0.02


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not VALIDATION.is_dir(), reason="needs the validation pairs beside the checkout")
def test_any_weights_that_round_to_the_stored_ones_have_the_same_scores(stored: RAFT) -> None:
    original = copy.deepcopy(stored)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in original.parameters():
            # Half the distance between adjacent float16 numbers, which have 11 significant bits.
            half_step = torch.exp2(weight.abs().clamp(min=2**-14).log2().floor() - 11)
            exact = weight + half_step * (torch.rand(weight.shape, generator=generator) * 2 - 1)
            weight.copy_(torch.where(exact.half() == weight, exact, weight))
    rounded, exact = (
        validate(model, datasets.items("pairs", VALIDATION), device=torch.device("cpu")) for model in (stored, original)
    )
    assert rounded != exact
    assert rounded == pytest.approx(exact, abs=0.02)


@pytest.mark.peer
def test_the_stored_weights_load_strictly_into_torchvision_and_give_its_flow(stored: RAFT) -> None:
    theirs = torchvision_raft().raft_small(weights=None).eval()
    if stored.mask_head is not None:
        add_mask_predictor(theirs)
    theirs.load_state_dict(published_state(stored, "torchvision"), strict=True)
    first = torch.rand(1, 3, 184, 248, generator=torch.Generator().manual_seed(0)) * 2 - 1
    second = first.roll((2, 5), dims=(2, 3))
    with torch.no_grad():
        expected = theirs(first, second, num_flow_updates=12)[-1]
        found = stored.estimate(first, second, iterations=12).upsampled()
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
