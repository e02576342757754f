"""The five steps of RAFT over the whole frame, in sentences, and how its training loss weighs the updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flowcli.inspection.canvas import vector
from flowcli.inspection.loss import LOSS_DECAY, mean_error
from flowcli.inspection.maps import upsampling_difference
from flowcli.inspection.story import at_edge
from raft_core.upsample import FACTOR

if TYPE_CHECKING:
    from flowcli.inspection.findings import Findings

SILENT = 0.99
"""A context channel is silent if it is 0 in at least this share of the cells."""


def frame_story(findings: Findings) -> dict[str, str]:
    """The sentences by the names of the steps, and `loss`."""
    return {
        "encode": encode(findings),
        "correlate": correlate(findings),
        "look_up": look_up(findings),
        "update": update(findings),
        "upsample": upsample(findings),
        "loss": loss(findings),
    }


def encode(findings: Findings) -> str:
    """What the encoders make of the frames."""
    observation = findings.observation
    grid, config = observation.grid, observation.config
    silent = silent_channels(findings)
    return (
        f"The feature encoder turns each frame of {grid.width} x {grid.height} px into {grid.columns} x {grid.rows} "
        f"cells of {config.feature_channels} features. The context encoder sees only the first: "
        f"{config.hidden_channels} channels start the hidden state (tanh, either sign), {config.context_channels} are "
        f"the context (ReLU, never negative), which stays the same; {silent} of them are 0 almost everywhere."
    )


def silent_channels(findings: Findings) -> int:
    """The number of context channels that are 0 almost everywhere."""
    return int(((findings.observation.context == 0).mean(axis=(1, 2)) >= SILENT).sum())


def correlate(findings: Findings) -> str:
    """The size of the correlation volume and of its pyramid."""
    observation = findings.observation
    grid, config = observation.grid, observation.config
    cells = grid.rows * grid.columns
    coarsest = config.correlation_levels - 1
    memory = f"{4 * cells**2 / 2**20:.0f} MiB in float32"
    kept = f"of which only those that are read were computed (all: {memory})" if observation.on_demand else memory
    return (
        f"Every cell of the first frame meets every cell of the second: {cells} x {cells} scalar products, "
        f"{kept}. Averages over the second frame give levels 1 to {coarsest}, the "
        f"last with {grid.columns >> coarsest} x {grid.rows >> coarsest} cells of {FACTOR << coarsest} px."
    )


def look_up(findings: Findings) -> str:
    """What a lookup reads, and how many cells' flow ends beyond level 0's first window."""
    observation = findings.observation
    config, visible = observation.config, observation.grid.visible
    radius, levels = config.lookup_radius, config.correlation_levels
    way = observation.updates[-1].coarse_flow - (observation.updates[0].coarse_flow - observation.updates[0].delta)
    beyond = (np.abs(way[:, *visible]).max(axis=0) > radius + 0.5).mean()
    return (
        f"An update reads {levels} x {2 * radius + 1} x {2 * radius + 1} = {config.correlation_channels} values per "
        f"cell around where its flow leads, up to {FACTOR * radius} px away at level 0 and "
        f"{FACTOR * radius << (levels - 1)} px at level {levels - 1}. The flow of {100 * beyond:.0f} % of the cells "
        "ends outside the first window of level 0."
    )


def update(findings: Findings) -> str:
    """How long the updates are, and when half of their sum is reached."""
    lengths = findings.mean_updates
    share = np.cumsum(lengths) / max(float(lengths.sum()), 1e-12)
    half = int(np.argmax(share >= 0.5)) + 1
    sentence = (
        f"The mean length of an update goes from {lengths[0]:.2f} px to {lengths[-1]:.2f} px; half of their sum is "
        f"reached with update {half} of {len(lengths)}."
    )
    errors = findings.errors
    if errors is not None:
        sentence += f" The mean error goes from {errors[0]:.2f} px after update 1 to {errors[-1]:.2f} px."
    return sentence


def upsample(findings: Findings) -> str:
    """What learned upsampling changes, or that it is bilinear."""
    observation = findings.observation
    difference = upsampling_difference(observation)
    if difference is None:
        return f"{observation.config.name} upsamples bilinearly: nothing is learned here."
    sentence = (
        f"Every pixel's flow is a convex combination of 3 x 3 cells with weights predicted from the hidden state. It "
        f"differs from bilinear upsampling by {difference.mean():.2f} px on average, {difference.max():.1f} px at most."
    )
    truth = findings.subject.ground_truth
    if truth is not None:
        bilinear, convex = (mean_error(flow, truth) for flow in (observation.bilinear_flow, observation.flow))
        sentence += f" The mean error is {convex:.2f} px, with bilinear upsampling {bilinear:.2f} px."
    reading = findings.edge
    if reading is not None:
        sentence += (
            f" They differ most at pixel ({reading.pixel.x}, {reading.pixel.y}): {vector(reading.flow[-1], 1)} px "
            f"instead of {vector(reading.bilinear, 1)} px{at_edge(reading, learned=True)}."
        )
    return sentence


def loss(findings: Findings) -> str:
    """How the training loss weighs the updates, and why they shrink."""
    count, shares = findings.iterations, findings.loss_shares
    return (
        f"RAFT's training loss is the sum of the errors after all updates, update i of N weighted by "
        f"{LOSS_DECAY}^(N - i): of {count} updates, the first has {100 * shares[0]:.1f} % of the weight, "
        f"the last {100 * shares[-1]:.1f} %. "
        "Early updates may be coarse but pay for every update they delay, so the first ones are long; near the match "
        "the lookup's strongest response is in its middle, a longer step would raise all later errors, and the updates "
        "shrink. Here, their mean length goes from "
        f"{findings.mean_updates[0]:.2f} px to {findings.mean_updates[-1]:.2f} px."
    )
