"""One thread for every process that the tests start: on their small pictures, more threads only wait for each other."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
