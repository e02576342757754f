"""Makes weights: recipes, generated scenes, augmentation, the training loop and its run folder.

Entry point: `run.run_training`. Imports `evaluation` and below.
"""
