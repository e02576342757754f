"""Console, files, threads and signals, used by every other package; of flowcli, it imports only `flowcli.errors`."""
