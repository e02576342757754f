"""RAFT (Teed and Deng, ECCV 2020) in PyTorch: the published model, its parts, its training loss and its checkpoints."""
