"""TensorBoard logs of a training run; needs the extra `tensorboard`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TensorBoardLog:
    """Writes the numbers of log records to a folder for `tensorboard --logdir`; raises UsageError without the extra."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise UsageError("--tensorboard needs a package that is missing", hint="pip install tensorboard") from error
        self._writer = SummaryWriter(str(folder))

    def show(self, record: Mapping[str, object]) -> None:
        """Adds the float values of a log record at its step."""
        step = record.get("step")
        groups = record.get("validation")
        numbers = (
            {f"validation/{name}": value for name, value in groups.items()} if isinstance(groups, dict) else record
        )
        for name, value in numbers.items():
            if isinstance(value, float):
                self._writer.add_scalar(name, value, step)
        self._writer.flush()
