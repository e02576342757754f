"""One input, from what was requested to the files that are written.

Doors: `video.estimate_video`, `pair.estimate_pair`, `track.track`. Imports `model` and below.
"""
