"""What an input holds, as a hash."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from flowcli.media.images import in_natural_order
from flowcli.media.sources import pattern
from flowcli.system.fingerprint import fingerprint, fingerprint_of_all

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Content:
    """What inputs hold when they are first asked for it; `paths` are a video, a folder or pattern, or two images."""

    paths: tuple[Path, ...]

    @cached_property
    def hashes(self) -> list[str]:
        """A hash of each input."""
        return [content for _, content in self._seen]

    def changed(self) -> bool:
        """Whether an input has changed since."""
        return [state_of(path) for path in self.paths] != [state for state, _ in self._seen]

    @cached_property
    def _seen(self) -> list[tuple[str, str]]:
        return [(state_of(path), content_of(path)) for path in self.paths]


def content_of(path: Path) -> str:
    """A hash by which a changed input is recognised: of a file's bytes, or of its images' names, sizes and times.

    Other files in a folder of images do not count. Of a pipe, the name is hashed. Empty if the input cannot be read.
    """
    with suppress(OSError):
        return fingerprint_of_all(files) if (files := images_of(path)) is not None else fingerprint(path)
    return ""


def state_of(path: Path) -> str:
    """A hash of an input's names, sizes and times, which is quick, and tells changes on this machine alone."""
    with suppress(OSError):
        if (files := images_of(path)) is None:
            files = [path] if path.is_file() else []  # a named pipe changes as it is read
        return fingerprint_of_all(files)
    return ""


def images_of(path: Path) -> list[Path] | None:
    """The images of a folder or pattern, which may be none; None for any other input."""
    if path.is_dir():
        return in_natural_order(path.iterdir())
    return in_natural_order(pattern.matches(path)) if pattern.accepts(path) else None
