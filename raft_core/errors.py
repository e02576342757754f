"""The errors of raft_core."""

from __future__ import annotations


class CheckpointError(Exception):
    """A file that holds no RAFT weights this package can read; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """A checkpoint file that does not exist."""
