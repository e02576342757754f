"""Sources of frames, pairs of frames, and writers of video, GIF, WebP and OpenEXR.

Entry points: `sources.open_source`, `pairs.pairs_of`, `pyav.VideoWriter`. Of flowcli, it imports only `system` and
`errors`.
"""
