"""Two grey PNGs per pair: as planes, without JPEG's loss."""

from __future__ import annotations

from flowcli.flow.formats.planes import read, write
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming

KIND = FlowFile(read, write, Naming("flow", ".png", tag="_x", siblings=("_y",)), options=("bound",))
