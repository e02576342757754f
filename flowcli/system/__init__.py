"""Console, files, threads and signals: what every room stands on.

Imports only `flowcli.errors` and `flowcli.version`.
"""
