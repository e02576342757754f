"""Training pairs changed anew each time they are seen: generated ones by the batch, datasets' as RAFT published it."""
