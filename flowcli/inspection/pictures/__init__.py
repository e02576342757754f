"""The pictures of an inspection: every module here draws one kind, with `draw(findings) -> Iterator[PictureFile]`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowcli.inspection.findings import Findings
    from flowcli.inspection.picture import PictureFile


def draw_all(findings: Findings) -> Iterator[PictureFile]:
    """Every picture of every kind, drawn as the iterator advances."""
    for _, name, _ in pkgutil.iter_modules(__path__):
        yield from importlib.import_module(f"{__name__}.{name}").draw(findings)
