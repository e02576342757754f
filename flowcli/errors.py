"""Errors shown to users: each states what is wrong and what to do, and carries its exit code."""

from __future__ import annotations


class FlowcliError(Exception):
    """An expected failure, shown as one `error:` line and one `hint:` line."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles the hint as well, for errors from another process; Exception's own method loses it."""
        return _unpickled, (type(self), self.args, self.__dict__)


class UsageError(FlowcliError):
    """Wrong usage, a path that does not exist, or a refused overwrite."""

    exit_code = 2


class SourceError(FlowcliError):
    """An input that exists but cannot be used."""

    exit_code = 3


class PartialError(FlowcliError):
    """Work that is done only in part: clips of a batch failed, or frames were lost."""

    exit_code = 4


class WeightsError(FlowcliError):
    """Weights that are missing or cannot be used."""

    exit_code = 5


class DeviceError(FlowcliError):
    """A device or library that is not available, or too little memory."""

    exit_code = 6


class OutputError(FlowcliError):
    """An output that cannot be written."""

    exit_code = 7


def _unpickled(kind: type[FlowcliError], args: tuple[object, ...], attributes: dict[str, object]) -> FlowcliError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error
