"""Reads the data of explorer.html, and makes RAFT's updates from it: an oracle in float64, of PyTorch's own functions.

PyTorch's float32 would not do: after 15 updates of the demo, two runs that add in another order are 0.001 px apart.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from flowcli.inspection.ablation import Switches

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def data_in(page: Path) -> dict[str, Any]:
    """The data of a page."""
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def unpacked(packed: dict[str, Any], *shape: int) -> NDArray[np.float32]:
    """A packed array, as page/storage.js decodes it."""
    kind = packed["kind"]
    width = {"float32": 4, "float16": 2, "fixed16": 2, "fixed24": 3}[kind]
    planes = np.frombuffer(zlib.decompress(b64decode(packed["bytes"])), np.uint8).reshape(width, -1)
    if kind.startswith("float"):
        return np.ascontiguousarray(planes.T).view(f"<f{width}").reshape(shape).astype(np.float32)
    codes = np.tensordot(256 ** np.arange(width), planes, axes=1).reshape(len(packed["low"]), -1).T.reshape(shape)
    return np.where(codes == 256**width - 1, np.nan, packed["low"] + codes * packed["step"]).astype(np.float32)


def updates_in(data: dict[str, Any], switches: Switches | None = None) -> list[NDArray[np.float64]]:
    """The flow after every update, (rows, columns, 2) in cells, from what the page has stored."""
    size, stored = (data["rows"], data["columns"]), data["live"]
    switches = switches or Switches()

    def tensor(packed: dict[str, Any]) -> Tensor:
        return torch.from_numpy(unpacked(packed, *size, -1)).double().permute(2, 0, 1)[None]

    def convolved(name: str, x: Tensor) -> Tensor:
        layer = stored["layers"][name]
        order = (*layer["kernel"], layer["inputs"], layer["outputs"])
        weight = torch.from_numpy(unpacked(layer["weights"], *order)).double().permute(3, 2, 0, 1)
        bias = torch.from_numpy(unpacked(layer["bias"], layer["outputs"])).double()
        padding = tuple(taps // 2 for taps in layer["kernel"])
        return F.conv2d(x, weight, bias, padding=padding)

    hidden, context = tensor(stored["hidden"]), tensor(stored["context"]) * ("context" not in switches.parts)
    levels = pyramid(tensor(data["first"]), tensor(data["second"]), data["levels"])
    flow, flows = torch.zeros(1, 2, *size, dtype=torch.float64), []
    for _ in range(data["updates"]):
        correlation = convolved("correlation", lookup(levels, flow, data["radius"], switches)).relu()
        merged = convolved("flow2", convolved("flow1", flow).relu()).relu()
        motion = torch.cat((convolved("merge", torch.cat((correlation, merged), dim=1)).relu(), flow), dim=1)
        motion = motion * ("motion" not in switches.parts)
        gates = convolved("gates", torch.cat((hidden, motion), dim=1)) + convolved("contextGates", context)
        update, reset = gates.sigmoid().chunk(2, dim=1)
        candidate = convolved("candidate", torch.cat((reset * hidden, motion), dim=1))
        candidate = (candidate + convolved("contextCandidate", context)).tanh()
        hidden = (1 - update) * hidden + update * candidate
        flow = flow + convolved("head2", convolved("head1", hidden).relu())
        flows.append(flow[0].permute(1, 2, 0).numpy())
    return flows


def pyramid(first: Tensor, second: Tensor, levels: int) -> list[Tensor]:
    """The correlation of every cell with the second frame, (cells, 1, rows_l, columns_l) by level."""
    volume = torch.einsum("bcij,bckl->ijbkl", first, second).flatten(0, 1) / first.shape[1] ** 0.5
    found = [volume]
    for _ in range(1, levels):
        found.append(F.avg_pool2d(found[-1], 2))
    return found


def lookup(levels: list[Tensor], flow: Tensor, radius: int, switches: Switches) -> Tensor:
    """The (2r + 1)² values around every cell's correspondence of every level, the x offset varying slowest."""
    _, _, rows, columns = flow.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    centers = (torch.stack((x, y)) + flow[0]).flatten(1).T[:, None, None]  # (cells, 1, 1, 2)
    steps = torch.arange(-radius, radius + 1)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)  # (x, y, 2)
    read = offsets.abs().amax(dim=-1) <= (radius if switches.radius is None else switches.radius)
    values = []
    for level, volume in enumerate(levels):
        size = torch.tensor([volume.shape[3], volume.shape[2]])
        points = 2 * (centers / 2**level + offsets) / (size - 1) - 1
        window = F.grid_sample(volume, points, align_corners=True)[:, 0]
        values.append(window * read * (f"level{level}" not in switches.parts))
    return torch.stack(values, dim=1).flatten(1).T.reshape(1, -1, rows, columns)
