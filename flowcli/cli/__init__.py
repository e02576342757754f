"""The command line: commands, options and exit codes.

Door: `app.main`. Imports everything below, each command only when it runs.
"""
