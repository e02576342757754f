"""Optical flow of videos with RAFT, and a look at what RAFT saw."""

__version__ = "0.1.0"
