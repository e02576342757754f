"""Joins the parts that segments wrote into one output."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from flowcli.flow.kinds import ArrayFile, FlowFile
from flowcli.media.pyav.joining import INDEXED, join_videos
from flowcli.system.files import PartFile, reported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowcli.flow.naming import Part
    from flowcli.flow.outputs._naming import Output
    from flowcli.media.frames import Audio


def join_parts(
    output: Output, parts: Sequence[Part], *, partial: bool = False, audio: Audio | None = None
) -> Path | None:
    """Joins the parts, in order, into a single-file output; a `partial` one does not get its final name.

    Videos are joined with `audio` copied into them, other files by the `join` of their kind. A file alone is moved, but
    that of a video with an index is written anew, with the index in front. Returns the path, None without parts.
    """
    if not parts:
        return None
    own = None if isinstance(output.kind, FlowFile) else output.kind.join
    whole = output.kind.open.part(output.path) if isinstance(output.kind, ArrayFile) else PartFile(output.path)
    indexed = own is None and output.path.suffix.lower() in INDEXED
    alone = len(parts) == 1 and not partial and audio is None and not indexed
    try:
        with reported(output.path):
            if alone:
                parts[0].path.replace(whole.path)
            elif own:
                own(parts, whole.path)
            else:
                join_videos([(part.path, part.time) for part in parts], whole.path, audio=audio)
        return whole.commit_partial() if partial else whole.commit()
    except BaseException:
        if alone and not parts[0].path.exists():
            # Keeps the part, so that the run can be resumed.
            with contextlib.suppress(OSError):
                whole.path.replace(parts[0].path)
        whole.discard()
        raise
