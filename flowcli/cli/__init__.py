"""The command line: commands, options and exit codes.

Entry point: `app.main`. Imports everything below, each command only when it runs.
"""
