"""RAFT on a device: the estimator, its memory and memory plan, and its weights.

Entry points: `estimator.FlowEstimator`, `weights.find` and `weights.load`. Imports `flow` and below, and `raft_core`.
"""
