"""The learned refiner: a small network that corrects flow, and lets pixels at edges take the flow of others near them.

The second frame is pulled back along the flow. Two answers of Lucas and Kanade (IJCAI 1981) say how what is left would
move away; the network, at a quarter of the resolution, weighs and corrects them. Then every pixel takes a convex
combination of nine flows 4 px apart, as RAFT's upsampling does (Teed and Deng, ECCV 2020).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from flowcli.errors import WeightsError
from flowcli.model.weights import embedded
from flowcli.system.files import write_whole
from raft_core import checkpoint
from raft_core.errors import CheckpointError
from raft_core.grid import is_inside, pixel_grid, sample

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    Plane = Float[Tensor, "batch 1 height width"]
    Flow = Float[Tensor, "batch 2 height width"]
    Half = Float[Tensor, "batch channels rows columns"]

NAME = "refiner"
"""The name of its configuration, in files."""
CELL = 4
"""The network's cells, in px: a quarter of the resolution."""
PIXELS = CELL * CELL
HALVES = PIXELS // 4
"""The pixels of half the resolution in a cell."""
NEIGHBOURS = 9
FARTHEST = 1.5
"""The longest answer of Lucas and Kanade that is offered, in px."""
PIXELS_AT_ONCE = 1 << 21
"""The size of the bands of a frame that are refined one after another, for less memory."""
MARGIN = 64
"""How many rows on either side a band depends on."""
FAINT = 1e-4
"""Keeps answers finite where the image is flat; for grey values from 0 to 1."""


class Refiner(nn.Module):
    """Refines flow: 53k parameters, no state."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        inputs = 2 * PIXELS + 8 * HALVES + 5
        self.enter = nn.Conv2d(inputs, channels, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=d, dilation=d) for d in (1, 2, 1))
        self.leave = nn.Conv2d(channels, 4 * HALVES + NEIGHBOURS * PIXELS, 1)
        self._begin_almost_neutral()

    def _begin_almost_neutral(self) -> None:
        """At first the answers count for an eighth, and every pixel keeps nearly all of its own flow."""
        nn.init.zeros_(self.leave.weight)
        bias = torch.zeros(len(self.leave.weight))
        bias[: 2 * HALVES] = -2
        own = 4 * HALVES + NEIGHBOURS // 2 * PIXELS
        bias[own : own + PIXELS] = 4
        self.leave.bias = nn.Parameter(bias)

    def forward(self, first: Plane, second: Plane, flow: Flow, *, before: Flow) -> Flow:
        """The refined flow, in px, of frames in grey values from 0 to 255; `before` is RAFT's own flow."""
        height, width = flow.shape[-2:]
        padding = (0, -width % CELL, 0, -height % CELL)
        first, second, flow, before = (F.pad(each, padding, mode="replicate") for each in (first, second, flow, before))
        # In half precision the answers would be noise.
        with torch.autocast(flow.device.type, enabled=False):
            points = pixel_grid(*flow.shape[-2:], like=flow) + flow
            warped = sample(second, points, outside="border") / 255
            inside = is_inside(points, height=flow.shape[-2], width=flow.shape[-1])[:, None].to(flow)
            planes = (first / 255, warped, flow, before, inside)
            rows = max(MARGIN, PIXELS_AT_ONCE // flow.shape[-1] // CELL * CELL)
            refined = [self.band(*planes, top=top, rows=rows) for top in range(0, flow.shape[-2], rows)]
        return torch.cat(refined, dim=-2)[..., :height, :width]

    def band(self, *planes: Float[Tensor, "batch channels height width"], top: int, rows: int) -> Flow:
        """So many `rows` of `refine` from `top` on, computed from these and those that they depend on."""
        margin = min(top, MARGIN)
        refined = self.refine(*(plane[..., top - margin : top + rows + MARGIN, :] for plane in planes))
        return refined[..., margin : margin + rows, :]

    def refine(self, first: Plane, warped: Plane, flow: Flow, before: Flow, inside: Plane) -> Flow:
        """The refined flow of grey values from 0 to 1 whose sides are multiples of a cell.

        `warped` is the second frame, pulled back along `flow`, and `inside` 1 where it shows the frame.
        """
        answers, inputs = offered(first, warped, flow, before, inside)
        hidden = torch.relu(self.enter(inputs))
        for layer in self.layers:
            hidden = torch.relu(hidden + layer(hidden))
        said: Tensor = self.leave(hidden)
        gates, correction, logits = torch.split(said, [2 * HALVES, 2 * HALVES, NEIGHBOURS * PIXELS], dim=1)
        batch, _, rows, columns = hidden.shape
        weighed = gates.sigmoid().view(batch, 2, 1, HALVES, rows, columns) * answers
        moved = weighed.sum(dim=1) + correction.view(batch, 2, HALVES, rows, columns) / 4
        # The 4 x 4 pixels of a cell are channels, of which a pixel of half the resolution has 2 x 2.
        fine = F.pixel_unshuffle(flow, CELL).view(batch, 2, 2, 2, 2, 2, rows, columns)
        fine = (fine + moved.view(batch, 2, 2, 1, 2, 1, rows, columns)).view(batch, 2 * PIXELS, rows, columns)
        weights = logits.view(batch, NEIGHBOURS, PIXELS, rows, columns).softmax(dim=1)
        return F.pixel_shuffle(combined(fine, weights), CELL)


def offered(
    first: Plane, warped: Plane, flow: Flow, before: Flow, inside: Plane
) -> tuple[Float[Tensor, "batch 2 2 4 rows columns"], Float[Tensor, "batch inputs rows columns"]]:
    """The answers (window, component, pixel of a cell at half the resolution), and all that the network sees."""
    answers, certainties = lucas_kanade(first, warped)
    coarse, coarse_before = halved(halved(flow)), halved(halved(before))
    inputs = (
        2 * F.pixel_unshuffle(first, CELL) - 1,
        4 * F.pixel_unshuffle(warped - first, CELL),
        F.pixel_unshuffle(torch.cat((answers, certainties), dim=1), 2),
        ((coarse - coarse_before) / 2).clamp(-3, 3),
        ((coarse - box(coarse, spacing=2)) / 4).clamp(-4, 4),
        halved(halved(inside)),
    )
    batch, _, rows, columns = inputs[0].shape
    by_cell = inputs[2][:, : 4 * HALVES].view(batch, 2, 2, HALVES, rows, columns)
    return by_cell, torch.cat(inputs, dim=1)


def lucas_kanade(first: Plane, warped: Plane) -> tuple[Half, Half]:
    """What `first` still moves by in `warped`, in px at half the resolution, by windows of 6 and of 18 px.

    Of each window the answer (2 channels), and how certain it is (2 channels): the logarithms of the harmonic mean of
    both eigenvalues, and of their sum. Differences of brightness that are smooth do not count.
    """
    padded = F.pad(first + warped, (1, 1, 1, 1), mode="replicate")
    x = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    y = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    difference = warped - first
    difference = difference - F.interpolate(box(box(halved(difference)), spacing=3), scale_factor=2)
    products = halved(torch.cat((x * x, x * y, y * y, x * difference, y * difference), dim=1))
    answers, certainties = [], []
    for spacing in (1, 3):
        products = box(products, spacing=spacing)
        # The gradients are four times those of the mean of both frames.
        xx, xy, yy, xt, yt = products.chunk(5, dim=1)
        xx, yy = xx + 16 * FAINT, yy + 16 * FAINT
        determinant, trace = xx * yy - xy * xy, xx + yy
        answer = torch.cat((xy * yt - yy * xt, xy * xt - xx * yt), dim=1) * (4 / determinant)
        answers.append(answer.clamp(-FARTHEST, FARTHEST))
        certainties.append((torch.cat((determinant / trace, trace), dim=1) + 1e-6).log() / 8)
    return torch.cat(answers, dim=1), torch.cat(certainties, dim=1)


def combined(
    planes: Float[Tensor, "batch planes rows columns"], weights: Float[Tensor, "batch 9 pixels rows columns"]
) -> Float[Tensor, "batch planes rows columns"]:
    """The convex combination of the 3 x 3 cells around each, for each pixel of a cell; the border is repeated."""
    batch, _, pixels, rows, columns = weights.shape
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate").view(batch, -1, pixels, rows + 2, columns + 2)
    total = planes.new_zeros(()).expand(padded[..., :rows, :columns].shape)
    for neighbour in range(NEIGHBOURS):
        y, x = divmod(neighbour, 3)
        total = torch.addcmul(total, padded[..., y : y + rows, x : x + columns], weights[:, None, neighbour])
    return total.reshape(planes.shape)


def halved(planes: Float[Tensor, "batch planes height width"]) -> Half:
    """The means of 2 x 2 pixels."""
    rows = planes[..., ::2, :] + planes[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def box(planes: Half, *, spacing: int = 1) -> Half:
    """The mean of 3 x 3 values `spacing` apart around each; the border is repeated."""
    padded = F.pad(planes, (spacing,) * 4, mode="replicate")
    rows = padded[..., : -2 * spacing, :] + padded[..., spacing:-spacing, :] + padded[..., 2 * spacing :, :]
    return (rows[..., : -2 * spacing] + rows[..., spacing:-spacing] + rows[..., 2 * spacing :]) / 9


def save(refiner: Refiner, path: Path) -> None:
    """Writes a refiner's weights to a safetensors file, which appears complete or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in refiner.state_dict().items()}
    write_whole(path, checkpoint.encode(tensors, path.suffix, metadata={"config": NAME}))


def read(path: Path) -> Refiner:
    """The refiner of a file that `save` wrote, in evaluation mode on the CPU; raises WeightsError for other files."""
    if not path.exists():
        raise WeightsError(f"{path} does not exist", hint="check the path")
    # Without drawing initial weights, which would move the state of the caller's random numbers.
    with torch.device("meta"):
        refiner = Refiner()
    try:
        tensors: Any = checkpoint.read_content(path)[0]
        refiner.load_state_dict(tensors, assign=True)
    except (OSError, CheckpointError, RuntimeError) as error:
        hint = "train one with flowcli train --recipe refiner, or use --refine learned"
        raise WeightsError(f"{path} holds no weights of a refiner", hint=hint) from error
    return refiner.eval().requires_grad_(requires_grad=False)


@cache
def refiner_on(device: torch.device, path: str | None = None, *, sha256: str | None = None) -> Refiner:
    """The refiner of a file on a device, by default the one that is part of flowcli; raises WeightsError without it.

    Each is read once: `sha256` tells apart what was in a file at different times.
    """
    if path is not None:
        return read(Path(path)).to(device)
    for folder in embedded():
        file = folder / NAME / f"{NAME}.safetensors"
        if file.is_file():
            return read(file).to(device)
    raise WeightsError("the weights of the learned refiner are missing", hint="reinstall flowcli")
