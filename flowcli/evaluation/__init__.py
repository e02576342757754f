"""Scores against ground truth, comparison of two flows, and readers of datasets with ground truth.

Entry points: `benchmark.run_benchmark`, `compare.compare_sides`, `datasets.samples`. Imports `pipeline` and below.
"""
