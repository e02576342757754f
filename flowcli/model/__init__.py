"""RAFT on a device: the estimator, what it remembers, what it takes, and its weights.

Doors: `estimator.FlowEstimator`, `weights.find` and `weights.load`. Imports `flow` and below, and `raft_core`.
"""
