"""Precision and recall of the forward-backward check for occluded pixels, on generated pairs."""

from __future__ import annotations

from fractions import Fraction

import torch

from flowcli.media.frames import Frame, FramePair
from flowcli.model.estimator import FlowEstimator
from flowcli.model.settings import Settings
from flowcli.model.weights import find, load
from flowcli.training.synthesis import SceneSettings, TextureBank, render

PAIRS, HEIGHT, WIDTH = 24, 288, 384


def run() -> None:
    """Prints precision and recall over all pixels of the pairs, with the default thresholds."""
    estimator = FlowEstimator(
        load(find("raft-small")), device=torch.device("cpu"), settings=Settings(direction="both", iterations=12)
    )
    plain = SceneSettings(fog=0, shadows=0, defocus=0, motion_blur=0, noise=0, compressed=0, low_light=0)
    bank = TextureBank.procedural(seed=7, device=torch.device("cpu"))
    scenes = render(bank, count=PAIRS, height=HEIGHT, width=WIDTH, seed=7, settings=plain)
    hits = found = hidden = 0
    for number in range(PAIRS):
        first, second = (images[number].permute(1, 2, 0).numpy() for images in (scenes.first, scenes.second))
        pair = FramePair(Frame(0, Fraction(0), first), Frame(1, Fraction(1), second), continues=False)
        (estimate,) = estimator.estimate([pair])
        mask = estimate.occlusion
        if mask is None:
            raise ValueError("the estimate has no occlusion mask")
        occluded = ~scenes.visible[number].numpy()
        hits += int((mask & occluded).sum())
        found += int(mask.sum())
        hidden += int(occluded.sum())
    print(f"{PAIRS} generated pairs, {hidden / (PAIRS * HEIGHT * WIDTH):.1%} of the pixels occluded")
    print(f"precision {hits / found:.3f}, recall {hits / hidden:.3f}")
