"""The textures of generated scenes: photographs and cut-outs from a folder, or patterns generated in code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from flowcli.errors import SourceError, UsageError
from flowcli.system.opencv import cv2, decode
from flowcli.training.synthesis.patterns import generate_cutouts, generate_textures

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float, Int, UInt8
    from numpy.typing import NDArray
    from torch import Tensor

TEXTURE_SIDE = 320
CUTOUT_SIDE = 192
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_GENERATED_SHARE = 0.12
_DETAIL_CELLS = 8


_PHOTOGRAPHS = "put jpg, png or webp photographs there"


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder of textures, sorted.

    Raises UsageError where it is not a folder, and SourceError where it has none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a folder of photographs")
    paths = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not paths:
        raise SourceError(f"{folder} has no images", hint=_PHOTOGRAPHS)
    return paths


@dataclass(frozen=True, eq=False)
class TextureBank:
    """Square RGB textures and RGBA cut-outs on one device, 8 bits per channel.

    The first `photographs` of `textures` are photographs, the rest generated patterns; `procedural` counts some of its
    patterns as photographs. `detail`, on the CPU, is the mean grey-level gradient in each cell of each texture.
    """

    textures: UInt8[Tensor, "textures 3 side side"]
    cutouts: UInt8[Tensor, "cutouts 4 small small"]
    photographs: int
    detail: Float[Tensor, "textures cells cells"]

    @property
    def device(self) -> torch.device:
        """The device of the textures, on which scenes are rendered."""
        return self.textures.device

    @classmethod
    def from_folder(cls, folder: Path, *, device: torch.device | str) -> TextureBank:
        """A bank of all images below `folder`, those with transparent parts as cut-outs, and some generated patterns.

        Raises UsageError where it is not a folder, and SourceError where it has no opaque images.
        """
        textures: list[NDArray[np.uint8]] = []
        cutouts: list[NDArray[np.uint8]] = []
        with ThreadPoolExecutor() as threads:
            for is_cutout, squares in threads.map(_squares, image_files(folder)):
                (cutouts if is_cutout else textures).extend(squares)
        if not textures:
            raise SourceError(f"{folder} has no opaque images", hint=_PHOTOGRAPHS)
        patterns = generate_textures(max(8, round(len(textures) * _GENERATED_SHARE)), TEXTURE_SIDE, seed=0)
        stacked = np.concatenate([np.stack(textures), patterns])
        empty = np.zeros((0, CUTOUT_SIDE, CUTOUT_SIDE, 4), np.uint8)
        return cls._of(stacked, np.stack(cutouts) if cutouts else empty, len(textures), device)

    @classmethod
    def procedural(cls, *, seed: int, device: torch.device | str) -> TextureBank:
        """A bank of textures and cut-outs generated in code."""
        textures = generate_textures(48, 256, seed=seed)
        return cls._of(textures, generate_cutouts(textures[:12], 128, seed=seed), 36, device)

    @classmethod
    def _of(
        cls, textures: NDArray[np.uint8], cutouts: NDArray[np.uint8], photographs: int, device: torch.device | str
    ) -> TextureBank:
        as_tensor = torch.from_numpy(textures).permute(0, 3, 1, 2).contiguous()
        return cls(
            textures=as_tensor.to(device),
            cutouts=torch.from_numpy(cutouts).permute(0, 3, 1, 2).contiguous().to(device),
            photographs=photographs,
            detail=torch.cat([_detail(as_tensor[i : i + 64]) for i in range(0, len(textures), 64)]),
        )


def gather(
    source: UInt8[Tensor, "textures channels side side"], index: Int[Tensor, " batch"], levels: Int[Tensor, " batch"]
) -> Float[Tensor, "batch channels reduced reduced"]:
    """The indexed textures, averaged over 2^level pixels against aliasing; `levels` is on the CPU.

    If all levels are equal, the result has the reduced size; otherwise it is enlarged again to the full size.
    """
    chosen = source[index.to(source.device)].float()
    present = sorted(set(levels.tolist()))
    if len(present) == 1:
        return functional.avg_pool2d(chosen, 1 << present[0]) if present[0] else chosen
    for level in present:
        if level:
            which = (levels == level).nonzero().flatten().to(source.device)
            small = functional.avg_pool2d(chosen[which], 1 << level)
            chosen[which] = functional.interpolate(small, chosen.shape[-2:], mode="bilinear")
    return chosen


def _squares(path: Path) -> tuple[bool, list[NDArray[np.uint8]]]:
    """Whether a file is a cut-out, and its square images; none if it cannot be read, is too small or not of 8 bits."""
    try:
        decoded = decode(path, path.read_bytes(), cv2.IMREAD_UNCHANGED)
    except (SourceError, OSError):
        return False, []
    if decoded.dtype != np.uint8 or min(decoded.shape[:2]) < 16:
        return False, []
    image = np.asarray(decoded, np.uint8)
    if image.ndim == 3 and image.shape[2] == 4 and image[..., 3].min() < 128:
        return True, [_square_cutout(image)]
    return False, _square_tiles(image)


def _square_tiles(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The middle square of an image, or the two end squares if its sides differ by more than 1.4 times, as RGB."""
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=-1)
    colour = image[..., 2::-1]
    height, width = colour.shape[:2]
    short, long = min(height, width), max(height, width)
    offsets = [0, long - short] if long > 1.4 * short else [(long - short) // 2]
    tiles = [colour[o : o + short] if height > width else colour[:, o : o + short] for o in offsets]
    return [_resized(tile, TEXTURE_SIDE) for tile in tiles]


def _square_cutout(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The cut-out centred in a transparent square, with colours extended beyond its edge against dark fringes."""
    rgba = image[..., [2, 1, 0, 3]]
    height, width = rgba.shape[:2]
    side = max(height, width) + 4
    padded = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    padded[top : top + height, left : left + width] = rgba
    alpha = padded[..., 3:].astype(np.float32) / 255
    spread = cv2.GaussianBlur(np.dstack([padded[..., :3] * alpha, alpha]), (0, 0), side / 40)
    beyond = spread[..., :3] / np.maximum(spread[..., 3:], 1e-3)
    padded[..., :3] = np.where(alpha > 0.5, padded[..., :3], beyond.clip(0, 255)).astype(np.uint8)
    return _resized(padded, CUTOUT_SIDE)


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    shrinks = image.shape[0] > side
    resized = cv2.resize(
        np.ascontiguousarray(image), (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    return np.asarray(resized, np.uint8)


def _detail(textures: UInt8[Tensor, "textures 3 side side"]) -> Float[Tensor, "textures cells cells"]:
    grey = textures.float().mean(1, keepdim=True)
    steps = functional.pad(grey.diff(dim=3).abs(), (0, 1)) + functional.pad(grey.diff(dim=2).abs(), (0, 0, 0, 1))
    return functional.adaptive_avg_pool2d(steps, _DETAIL_CELLS)[:, 0]
