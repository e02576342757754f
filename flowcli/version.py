"""The version of flowcli, stated here alone."""

__version__ = "0.1.0"
