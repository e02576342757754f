"""The encoders of PyAV's FFmpeg."""

from __future__ import annotations

import av


def encoders() -> frozenset[str]:
    """The names of all encoders, as FFmpeg spells them."""
    found = set()
    for name in av.codecs_available:
        try:
            found.add(av.codec.Codec(name, "w").name)
        except av.codec.codec.UnknownCodecError:
            continue  # it only decodes
    return frozenset(found)
