"""The published names of RAFT's tensors, independent of the tables in checkpoint.py."""

from __future__ import annotations

from torch import Tensor

from raft_core.config import LARGE, RaftConfig
from raft_core.raft import RAFT

GATES = {"update_gate": "convz", "reset_gate": "convr", "candidate": "convq"}
ENCODERS = {"feature_encoder": "fnet", "context_encoder": "cnet"}
MASK = {"princeton": ("update_block.mask.0", "update_block.mask.2"), "torchvision": ("convrelu.0", "conv")}
MOTION = {"correlation": "convc", "flow": "convf"}
MOTION_IN_TORCHVISION = {"correlation": "convcorr", "flow": "convflow"}


def published_state(model: RAFT, origin: str) -> dict[str, Tensor]:
    """The model's weights under the names of `princeton` or `torchvision`."""
    state = {published_name(name, origin, model.config): tensor for name, tensor in model.state_dict().items()}
    assert len(state) == len(model.state_dict())
    if origin == "princeton" and model.config == LARGE:
        # The shortcut's norm is registered twice there.
        repeated = {name: tensor for name, tensor in state.items() if ".downsample.1." in name}
        state |= {name.replace("downsample.1", "norm3"): tensor for name, tensor in repeated.items()}
    return state


def published_name(name: str, origin: str, config: RaftConfig) -> str:  # noqa: PLR0911 - a table
    """The name in `origin` of the tensor `name`."""
    is_torchvision = origin == "torchvision"
    match name.split("."):
        case [encoder, "stem", kind, leaf]:
            stem = f"convnormrelu.{int(kind == 'norm')}" if is_torchvision else f"{kind}1"
            return f"{encoder if is_torchvision else ENCODERS[encoder]}.{stem}.{leaf}"
        case [encoder, "head", leaf] if encoder in ENCODERS:
            return f"{encoder}.conv.{leaf}" if is_torchvision else f"{ENCODERS[encoder]}.conv2.{leaf}"
        case [encoder, "stages", stage, block, "shortcut", kind, leaf]:
            prefix = encoder if is_torchvision else ENCODERS[encoder]
            return f"{prefix}.layer{stage}.{block}.downsample.{int(kind == 'norm')}.{leaf}"
        case [encoder, "stages", stage, block, layer, leaf]:
            if is_torchvision:
                inner = f"convnormrelu{layer[-1]}.{int(layer.startswith('norm'))}"
                return f"{encoder}.layer{stage}.{block}.{inner}.{leaf}"
            return f"{ENCODERS[encoder]}.layer{stage}.{block}.{layer}.{leaf}"
        case [_, "motion_encoder", "merge", leaf]:
            return (
                f"update_block.motion_encoder.conv.0.{leaf}" if is_torchvision else f"update_block.encoder.conv.{leaf}"
            )
        case [_, "motion_encoder", layer, leaf]:
            kind, number = layer[:-1], layer[-1]
            if is_torchvision:
                return f"update_block.motion_encoder.{MOTION_IN_TORCHVISION[kind]}{number}.0.{leaf}"
            return f"update_block.encoder.{MOTION[kind]}{number}.{leaf}"
        case [_, "gru", gru_pass, gate, leaf]:
            number = gru_pass[-1]
            if is_torchvision:
                return f"update_block.recurrent_block.convgru{number}.{GATES[gate]}.{leaf}"
            return f"update_block.gru.{GATES[gate]}{number if len(config.gru_kernels) > 1 else ''}.{leaf}"
        case [_, "flow_head", layer, leaf]:
            return f"update_block.flow_head.{layer}.{leaf}"
        case ["mask_head", layer, leaf]:
            inner = MASK[origin][int(layer[-1]) - 1]
            return f"mask_predictor.{inner}.{leaf}" if is_torchvision else f"{inner}.{leaf}"
    raise AssertionError(f"{name} has no published name")
