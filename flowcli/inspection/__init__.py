"""Records and draws what RAFT computes on one pair of frames, for `flowcli inspect`.

In reading order: `inputs` (the frames), `observation` (the run of RAFT), `pixels` (the choice of pixels), `reading`
(the data of one pixel), `maps` (data over the whole frame), `findings` (all of it), `record` (inspect.json),
`pictures`, `explorer`, and `run`, which calls them. README.md is for users and is copied to every output folder.
Entry point: `run.inspect`. Imports `model` and below, and `raft_core`.
"""
