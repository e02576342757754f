"""Scores against truth, and two flows side by side; the datasets that hold truth.

Doors: `benchmark.compare`, `compare.compare_sides`, `datasets.samples`. Imports `pipeline` and below.
"""
