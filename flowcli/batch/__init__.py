"""Many clips: which there are, who computes them, and what became of each.

Door: `run.run_batch`. Imports `pipeline` and below.
"""
