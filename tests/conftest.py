"""What every test's processes start with."""

from __future__ import annotations

import os
import signal

# On the tests' small pictures, more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# In the background the one, under nohup the other would be ignored, in every child process too.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
