"""Reinitialises a context encoder: without normalisation, high learning rates may set its outputs to zero for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from raft_core.encoder import FeatureEncoder
from raft_core.update import ConvGRU, required

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from raft_core.config import RaftConfig
    from raft_core.raft import RAFT

SPREAD = 0.5
"""The standard deviation of every new context channel before its ReLU; its mean is 0, so about half the cells pass."""


@torch.no_grad()
def renew_context(model: RAFT, images: Float[Tensor, "batch 3 height width"], *, seed: int = 0) -> None:
    """Replaces the context encoder by a copy of the feature encoder, and the GRU's weights for the context by zero.

    Instance normalisation is folded into the copy's convolutions, whose outputs have mean 0 and variance 1 over
    `images` (RGB in [-1, 1], sides multiples of 8). Context channels are random projections of the copied features with
    mean 0 and standard deviation `SPREAD`; the initial hidden state is constant, its former mean over the images. So
    the flow is at first that without a context. Raises ValueError for a model whose context encoder is normalised.
    """
    config, encoder = model.config, model.context_encoder
    if config.context_norm != "none":
        raise ValueError(f"the context encoder of {config.name} is normalised")
    hidden = torch.atanh(model.read_context(images).hidden.mean(dim=(0, 2, 3)).clamp(-0.999999, 0.999999))
    features = copy_trunk(model.feature_encoder, encoder, config, images)
    projection = torch.randn(
        config.context_channels, features.shape[1], generator=torch.Generator().manual_seed(seed)
    ).to(features)
    projected = torch.einsum("oc,bcij->boij", projection, features)
    scale = SPREAD / projected.std(dim=(0, 2, 3))
    encoder.head.weight.zero_()
    encoder.head.weight[config.hidden_channels :] = (projection * scale[:, None])[..., None, None]
    required(encoder.head.bias).copy_(torch.cat((hidden, -scale * projected.mean(dim=(0, 2, 3)))))
    for gru in model.update_block.gru.values():
        assert isinstance(gru, ConvGRU)  # noqa: S101  (for the type checker)
        for gate in (gru.update_gate, gru.reset_gate, gru.candidate):
            torch.split(gate.weight, gru.split, dim=1)[1].zero_()


def copy_trunk(
    source: FeatureEncoder, target: FeatureEncoder, config: RaftConfig, images: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch channels rows columns"]:
    """Copies all but the head, with normalisation by fixed statistics of `images`; returns the head's inputs."""
    twin = FeatureEncoder(config, outputs=1, norm="batch")
    seen: list[Tensor] = []
    twin.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for name, weight in source.state_dict().items():
        if not name.startswith("head."):
            twin.get_parameter(name).copy_(weight)
    twin.to(images.device)
    norms = {name: part for name, part in twin.named_modules() if isinstance(part, nn.BatchNorm2d)}
    for norm in norms.values():
        norm.momentum = 1.0  # the running statistics become those of the next pass alone
    twin(images)
    twin.eval()
    twin(images)
    for name, norm in norms.items():
        convolution = name.replace("norm", "conv")
        part = twin.get_submodule(convolution)
        assert isinstance(part, nn.Conv2d)  # noqa: S101  (for the type checker)
        target.get_submodule(convolution).load_state_dict(fuse_conv_bn_eval(part, norm).state_dict())
    return seen[-1]
