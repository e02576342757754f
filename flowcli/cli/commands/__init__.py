"""The commands, one per file: each builds objects from its options, makes one call, and prints the result."""
