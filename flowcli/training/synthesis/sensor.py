"""What a camera and an encoder do to rendered frames: exposure, noise of each frame's own, and JPEG compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from flowcli.system.opencv import cv2
from flowcli.training.synthesis.batched import Batched

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, UInt8
    from torch import Tensor

    from flowcli.training.synthesis.batched import Dice
    from flowcli.training.synthesis.settings import SceneSettings


@dataclass(frozen=True, eq=False)
class Sensor(Batched):
    """Each scene's exposure (a factor), noise and compression.

    `noise` is the standard deviation in grey levels; `coarse` noise is smooth over two pixels. `quality` is that of
    JPEG, 0 without compression.
    """

    exposure: Float[Tensor, " scenes"]
    noise: Float[Tensor, " scenes"]
    coarse: Bool[Tensor, " scenes"]
    quality: Int[Tensor, " scenes"]
    seed: Int[Tensor, " scenes"]


def draw_sensor(dice: Dice, settings: SceneSettings, noticed: Bool[Tensor, " scenes"]) -> Sensor:
    """Draws every scene's sensor; scenes in which noise is `noticed`, as nothing else changes, have it more often."""
    count = len(noticed)
    noisy = dice.chance(settings.noise, count) | (noticed & dice.chance(settings.noise and 0.7, count))
    compressed = dice.chance(settings.compressed, count) | (noticed & dice.chance(settings.compressed and 0.3, count))
    return Sensor(
        exposure=torch.where(dice.chance(settings.low_light, count), dice.log_uniform(0.1, 0.5, count), 1.0),
        noise=dice.log_uniform(0.4, 8, count) * noisy,
        coarse=dice.chance(0.3, count),
        quality=dice.whole(30, 97, count) * compressed,
        seed=dice.whole(0, 1 << 62, count),
    )


def recorded(
    sensor: Sensor, frames: list[Float[Tensor, "batch 3 height width"]]
) -> list[UInt8[Tensor, "batch 3 height width"]]:
    """Both frames as a camera records them, rounded to 8 bits; `sensor` is on the CPU."""
    exposure = sensor.exposure.to(frames[0])[:, None, None, None]
    frames = [frame * exposure for frame in frames]
    for index in sensor.noise.nonzero().flatten().tolist():
        generator = torch.Generator().manual_seed(int(sensor.seed[index]))
        for frame in frames:
            noise = draw_noise(frame.shape[1:], generator, coarse=bool(sensor.coarse[index]))
            frame[index].add_(noise.to(frame), alpha=float(sensor.noise[index]))
    stored = [frame.round().clamp(0, 255).to(torch.uint8) for frame in frames]
    for index in sensor.quality.nonzero().flatten().tolist():
        for frame in stored:
            frame[index] = compressed(frame[index], int(sensor.quality[index]))
    return stored


def draw_noise(size: torch.Size, generator: torch.Generator, *, coarse: bool) -> Float[Tensor, "3 height width"]:
    """Noise of standard deviation 1, the same on every device."""
    noise = torch.randn(size, generator=generator)
    if coarse:
        # The mean of 2x2 independent values has half their standard deviation.
        noise = 2 * functional.avg_pool2d(functional.pad(noise[None], (1, 0, 1, 0), mode="reflect"), 2, stride=1)[0]
    return noise


def compressed(image: UInt8[Tensor, "3 height width"], quality: int) -> UInt8[Tensor, "3 height width"]:
    """The image compressed and decompressed as JPEG."""
    pixels = np.ascontiguousarray(image.flip(0).permute(1, 2, 0).cpu().numpy())
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = torch.from_numpy(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    return decoded.permute(2, 0, 1).flip(0).to(image.device)
