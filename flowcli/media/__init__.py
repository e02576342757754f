"""Frames in, encoded frames out: videos, image folders, pipes and the demo clip; pairs of frames; PyAV.

Doors: `sources.open_source`, `pairs.pair_up`, `pyav.VideoWriter`. Imports `system`.
"""
