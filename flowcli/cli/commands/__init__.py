"""The commands, one per file: options become objects, one call, one line of summary."""
