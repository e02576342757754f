"""Console, files, threads and signals, used by every other room.

Entry point: each file by itself. Of flowcli, it imports only `flowcli.errors`.
"""
