"""Console, files, threads and signals, used by every other room; of flowcli, it imports only `flowcli.errors`."""
