"""Computes many clips: finds them, distributes them to workers, and records the outcome of each.

Entry point: `run.run_batch`. Imports `pipeline` and below.
"""
