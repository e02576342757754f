"""Reads the data of explorer.html, and runs RAFT's updates on it in PyTorch."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from flowcli.inspection.ablation import Switches, switched_off
from raft_core.raft import RAFT, Context

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from raft_core.config import RaftConfig


def data_in(page: Path) -> dict[str, Any]:
    """The data of a page."""
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def unpacked(packed: dict[str, Any], *shape: int) -> NDArray[np.float32]:
    """A packed array, as page/storage.js decodes it."""
    kind = {"float32": "<f4", "float16": "<f2", "fixed16": "<u2"}[packed["kind"]]
    planes = np.frombuffer(zlib.decompress(b64decode(packed["bytes"])), np.uint8)
    whole = np.ascontiguousarray(planes.reshape(np.dtype(kind).itemsize, -1).T).view(kind)
    values = whole.reshape(shape).astype(np.float64)
    if packed["kind"] == "fixed16":
        values = np.where(values == 65535, np.nan, packed["low"] + values * packed["step"])
    return values.astype(np.float32)


def model_in(data: dict[str, Any], config: RaftConfig) -> RAFT:
    """RAFT with the page's rounded weights; its encoders, which the page does not have, are untrained."""
    model, layers = RAFT(config), {}
    for name, layer in data["live"]["layers"].items():
        order = (*layer["kernel"], layer["inputs"], layer["outputs"])
        weight = torch.from_numpy(unpacked(layer["weights"], *order)).permute(3, 2, 0, 1)
        layers[name] = weight, torch.from_numpy(unpacked(layer["bias"], layer["outputs"]))
    block = model.update_block
    encoder, (gru,), head, mask = block.motion_encoder, block.passes(), block.flow_head, model.mask_head
    assert mask is not None
    modules = {"correlation": encoder.correlation1, "flow1": encoder.flow1, "flow2": encoder.flow2}
    modules |= {"merge": encoder.merge, "head1": head.conv1, "head2": head.conv2}
    modules |= {"mask1": mask.conv1, "mask2": mask.conv2}
    joined = {"gates": (gru.update_gate, gru.reset_gate), "candidate": (gru.candidate,)}
    with torch.no_grad():
        for name, module in modules.items():
            module.weight.copy_(layers[name][0])
            module.bias.copy_(layers[name][1])
        for name, parts in joined.items():
            (weight, _), (context, bias) = layers[name], layers[f"context{name.capitalize()}"]
            hidden, motion = weight[:, : config.hidden_channels], weight[:, config.hidden_channels :]
            whole = torch.cat((hidden, context, motion), dim=1)
            for part, one, other in zip(parts, whole.chunk(len(parts)), bias.chunk(len(parts)), strict=True):
                part.weight.copy_(one)
                part.bias.copy_(other)
    return model


def updates_in(data: dict[str, Any], config: RaftConfig, switches: Switches | None = None) -> list[NDArray[np.float32]]:
    """The flow after every update, (rows, columns, 2) in cells, from what the page has stored."""
    model, size = model_in(data, config), (data["rows"], data["columns"])

    def tensor(packed: dict[str, Any]) -> torch.Tensor:
        return torch.from_numpy(unpacked(packed, *size, -1)).permute(2, 0, 1)[None].contiguous()

    first, second = tensor(data["first"]), tensor(data["second"])
    context = tensor(data["live"]["context"])
    if switches is not None and "context" in switches.parts:
        context = torch.zeros_like(context)
    with torch.inference_mode(), switched_off(model, switches) if switches is not None else nullcontext():
        start = Context(tensor(data["live"]["hidden"]), context)
        made = model.updates(model.correlate(first, second), start)
        flows = [update.flow[0] for _, update in zip(range(data["updates"]), made, strict=False)]
    return [flow.permute(1, 2, 0).numpy() for flow in flows]
