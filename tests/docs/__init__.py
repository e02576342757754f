"""Makes the parts of docs/ that come from the program: the command reference and the pictures."""
