"""The version of flowcli."""

__version__ = "0.1.0"
