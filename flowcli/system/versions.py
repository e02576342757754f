"""The versions of installed libraries, each looked up once: Python parses a whole file for it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

version_of = cache(version)
