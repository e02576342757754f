"""Where the program begins: `flowcli`, or `python -m flowcli`."""

import signal

# Until flowcli listens to signals itself, Ctrl-C ends it without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from flowcli.cli.app import main

if __name__ == "__main__":
    main()
