"""The commands, one per file: each builds objects from its options, makes one call, and prints the result."""

import pkgutil

ORDER = (
    "video",
    "pair",
    "batch",
    "demo",
    "inspect",
    "track",
    "compare",
    "convert",
    "eval",
    "train",
    "weights",
    "doctor",
)
"""The commands in the order in which the help lists them; others follow."""


def names() -> list[str]:
    """The names of the commands, those of `ORDER` first: every module here whose name does not start with `_`."""
    found = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
