"""Computes one input: from the request to the written files.

Entry points: `video.estimate_video`, `pair.estimate_pair`, `track.track`. Imports `model` and below.
"""
