"""The parts that segments wrote, as one output."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from flowcli.flow.outputs._naming import module_of
from flowcli.media.pyav import join_videos
from flowcli.system.files import PartFile, reported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from flowcli.flow.naming import Part
    from flowcli.flow.outputs._naming import Output
    from flowcli.media.frames import Audio


def join_parts(
    output: Output, parts: Sequence[Part], *, partial: bool = False, audio: Audio | None = None
) -> Path | None:
    """Makes the output, which is one file, of its parts in order; `partial` keeps it from its final name.

    A sink file says with `join(parts, path)` how its parts become one; without it they are videos, which `audio` is
    copied into. Returns where the output is, or None where there is no part.
    """
    if not parts:
        return None
    module = module_of(output.sink)
    join: Callable[[Sequence[Part], Path], None] = getattr(module, "join", functools.partial(join_films, audio=audio))
    whole = PartFile(output.path)
    alone = len(parts) == 1 and not partial and audio is None
    try:
        with reported(output.path):
            if alone:
                parts[0].path.replace(whole.path)
            else:
                join(parts, whole.path)
        return whole.commit_partial() if partial else whole.commit()
    except BaseException:
        if alone and not parts[0].path.exists():
            # So that the run can be resumed.
            with contextlib.suppress(OSError):
                whole.path.replace(parts[0].path)
        whole.discard()
        raise


def join_films(parts: Sequence[Part], path: Path, *, audio: Audio | None) -> None:
    """Joins parts that are videos."""
    join_videos([(part.path, part.time) for part in parts], path, audio=audio)
