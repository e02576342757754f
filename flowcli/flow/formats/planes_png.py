"""Flow as two grey PNGs per pair, x and y, up to --bound px: as `planes`, without the loss of JPEG."""

from __future__ import annotations

from flowcli.flow.formats.planes import read, write
from flowcli.flow.kinds import FlowFile
from flowcli.flow.naming import Naming

KIND = FlowFile(read, write, Naming("flow", ".png", tag="_x", siblings=("_y",)), options=("bound",))
