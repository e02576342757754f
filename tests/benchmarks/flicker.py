"""How steady flow is: its mean change along itself from pair to pair, in px, by refinement and quality.

Measured on the demo's fan, and on the clips in ../shared/clips where they are. Pixels count whose flow differs by less
than 3 px from that of the pixel they move to, so that edges and occlusion do not.
"""

from __future__ import annotations

import statistics
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import torch

from flowcli.media.pairs import pair_up
from flowcli.media.sources import open_source
from flowcli.model.estimator import estimator_for
from flowcli.model.quality import Effort
from flowcli.model.weights import DEFAULT, find, load
from raft_core.grid import warp_by
from tests.benchmarks.models import fan

CLIPS = Path("../shared/clips")
FRAMES = 9
SAME = 3.0
WAYS = {
    "12 updates": Effort(iterations="12", refine="none"),
    "auto": Effort(refine="none"),
    "fast": Effort(quality="fast"),
    "balanced": Effort(),
    "best": Effort(quality="best"),
}


def run() -> None:
    """Prints a line for every clip."""
    clips = {"fan": list(fan(FRAMES, height=436))}
    for path in sorted(CLIPS.glob("*")):
        if path.is_dir() or path.suffix == ".mp4":
            with open_source(path) as source:
                clips[path.name] = list(islice(source.frames(), FRAMES))
    print(f"{'clip':28}" + "".join(f"{way:>12}" for way in WAYS))
    model = load(find(DEFAULT))
    for name, frames in clips.items():
        changes = []
        for effort in WAYS.values():
            estimates = estimator_for(model, device="cpu", effort=effort).estimate(pair_up(iter(frames)))
            flows = [estimate.forward for estimate in estimates if estimate.forward is not None]
            changes.append(statistics.fmean(change(*pair) for pair in pairwise(flows)))
        print(f"{name:28}" + "".join(f"{value:12.4f}" for value in changes), flush=True)


def change(flow: torch.Tensor, after: torch.Tensor) -> float:
    """The mean distance in px between a pixel's flow and that of the pixel it moves to, in the next pair."""
    warped = warp_by(after[None], flow[None])
    apart = (warped.image[0] - flow).norm(dim=0)[warped.inside[0]].numpy()
    return float(np.mean(apart[apart < SAME]))
