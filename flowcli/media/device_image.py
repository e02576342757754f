"""Images that are on a device, such as a GPU, and stay there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from numpy.typing import DTypeLike, NDArray
    from torch import Tensor


class DeviceImage:
    """The image of a `Frame` as a tensor (3, height, width) uint8 RGB; NumPy copies it where it reads it.

    It takes the place of an array (height, width, 3) in `Frame.image`.
    """

    def __init__(self, tensor: UInt8[Tensor, "3 height width"]) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """The height, the width and 3, as of an array."""
        return self.tensor.shape[1], self.tensor.shape[2], 3

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.tensor.permute(1, 2, 0).cpu().numpy(), dtype)

    def reduced(self, rows: int, columns: int) -> Float[NDArray[np.float32], "rows columns 3"]:
        """The image averaged to a small size, which alone is copied from the device."""
        from torch.nn.functional import adaptive_avg_pool2d  # noqa: PLC0415 - `media` reads files without torch

        return adaptive_avg_pool2d(self.tensor.float(), (rows, columns)).permute(1, 2, 0).cpu().numpy()
