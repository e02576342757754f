"""Where the program begins: `flowcli`, or `python -m flowcli`."""

import signal

# Until flowcli listens to signals itself, Ctrl-C ends it without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import flowcli.system.clock  # noqa: F401 - first, as it notes when the process began
from flowcli.cli.app import main

if __name__ == "__main__":
    main()
