"""`python -m flowcli` is `flowcli`."""

from flowcli.cli import main

main()
