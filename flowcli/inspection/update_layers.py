"""What explorer.html needs to compute updates itself: the layers of the update block, and what they start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flowcli.inspection.packing import fixed, shortest
from raft_core.update import required

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from flowcli.inspection.observation import Observation
    from raft_core.raft import RAFT


MOST_BYTES = 11_600_000
"""What updates start from, their flow and the weights take so many bytes at most, to limit the page to 15 MB."""


def live_data(observation: Observation) -> dict[str, object]:
    """The initial hidden state and the context as (rows, columns, channels), and the layers by name."""
    bits = bits_of(observation)
    return {
        "hidden": fixed(observation.hidden.transpose(1, 2, 0), bits=bits),
        "context": fixed(observation.context.transpose(1, 2, 0), bits=bits),
        "layers": {name: layer_data(weight, bias) for name, (weight, bias) in layers(observation.model).items()},
    }


def bits_of(observation: Observation) -> int:
    """The bits in which features and states are stored: 24, or 16 if that is too much.

    After 15 updates of the demo, the page's flow is at most 0.04 px from PyTorch's with 16 bits, and 0.001 px with 24.
    """
    maps = (observation.first_features, observation.second_features, observation.hidden, observation.context)
    numbers, flows = sum(one.size for one in maps), len(observation.updates) * observation.updates[0].coarse_flow.nbytes
    weights = [number for weight, bias in layers(observation.model).values() for number in (weight, bias)]
    exact_in_half = all(torch.equal(weight.half().float(), weight.float()) for weight in weights)
    size = sum(weight.numel() for weight in weights) * (2 if exact_in_half else 4)
    return 24 if 3 * numbers + flows + size <= MOST_BYTES else 16


def layers(model: RAFT) -> dict[str, tuple[Tensor, Tensor]]:
    """Weight (outputs, inputs, kernel rows, kernel columns) and bias of every layer of a model with one GRU pass.

    Both gates are one layer, whose inputs are hidden state and motion features; the context has layers of its own,
    which hold the bias, as in `ConvGRU.prepare`.
    """
    block = model.update_block
    encoder, (gru,), head = block.motion_encoder, block.passes(), block.flow_head
    modules = {"correlation": encoder.correlation1, "flow1": encoder.flow1, "flow2": encoder.flow2}
    modules |= {"merge": encoder.merge, "head1": head.conv1, "head2": head.conv2}
    if model.mask_head is not None:
        modules |= {"mask1": model.mask_head.conv1, "mask2": model.mask_head.conv2}
    found = {name: (module.weight, required(module.bias)) for name, module in modules.items()}
    both = [gru.update_gate, gru.reset_gate]
    weights = {"gates": torch.cat([gate.weight for gate in both]), "candidate": gru.candidate.weight}
    biases = {"gates": torch.cat([required(g.bias) for g in both]), "candidate": required(gru.candidate.bias)}
    for name, weight in weights.items():
        hidden, context, motion = torch.split(weight, gru.split, dim=1)
        found[name] = (torch.cat((hidden, motion), dim=1), torch.zeros_like(biases[name]))
        found[f"context{name.capitalize()}"] = (context, biases[name])
    return found


def layer_data(
    weight: Float[Tensor, "outputs inputs kernel_rows kernel_columns"], bias: Float[Tensor, " outputs"]
) -> dict[str, object]:
    """A layer with its weights in the order (kernel row, kernel column, input, output)."""
    outputs, inputs, *kernel = weight.shape
    return {
        "inputs": inputs,
        "outputs": outputs,
        "kernel": kernel,
        "weights": shortest(weight.detach().float().permute(2, 3, 1, 0).cpu().numpy()),
        "bias": shortest(bias.detach().float().cpu().numpy()),
    }
