"""Flow as a value, as a file and as a picture.

Entry points: `estimate.Estimate`, `formats` (read, write), `outputs` (what `--save` writes), `convert`.
Imports `media` and below.
"""
