"""Augmentation of training pairs: of generated pairs by the batch, of datasets' pairs as in princeton-vl/RAFT."""
