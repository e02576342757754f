"""Scores against ground truth, comparison of two flows, and readers of datasets with ground truth.

Doors: `benchmark.run_benchmark`, `compare.compare_sides`, `datasets.samples`. Imports `pipeline` and below.
"""
