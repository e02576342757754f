"""What `flowcli inspect` shows: data first, then pictures of it.

In reading order: `inputs` (the frames), `observation` (RAFT at work on them), `pixels` (pixels), `reading` (what
happened at one), `maps` (what pictures show of the frame), `findings` (all of it), `record` (inspect.json), `pictures`,
`explorer`, and `run`, which calls them. README.md is for users: it goes into the folder beside inspect.json.
"""
