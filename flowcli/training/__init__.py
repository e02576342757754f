"""How weights are made: recipes, generated scenes, augmentation, the training loop and its run folder.

Door: `run.run_training`. Imports `evaluation` and below.
"""
