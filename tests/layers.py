"""The rooms of flowcli and what each may import. `python -m tests.layers` prints them from top to bottom."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]

# From top to bottom: a room imports only from the rows below its own, and from itself.
ROWS = (
    ("__main__",),
    ("cli",),
    ("training",),
    ("evaluation", "batch", "api", "__init__"),
    ("pipeline", "inspection"),
    ("model",),
    ("flow",),
    ("media",),
    ("system",),
    ("errors", "version", "raft_core"),
)
ROW_OF = {room: number for number, row in enumerate(ROWS) for room in row}


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import that can run, in functions too; those under TYPE_CHECKING are left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for other in child.orelse:
                yield from statements(ast.Module([other], []))
            continue
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        yield from statements(child)


def imports_of(module: str, source: str, *, known: set[str]) -> set[str]:
    """The modules among `known` that `source` imports, by name."""
    found = set()
    for statement in statements(ast.parse(source)):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            assert statement.level == 0, (
                f"{module} imports relatively: write `from {module.split('.', maxsplit=1)[0]}... import`"
            )
            names = [f"{statement.module}.{alias.name}" for alias in statement.names]
        for name in names:
            # `from a.b import c` imports a.b.c where that is a module, else the name c of a.b.
            closest = next((part for part in (name, name.rpartition(".")[0]) if part in known), None)
            if closest:
                found.add(closest)
    return found - {module}


def room_of(module: str) -> str:
    """The room that a module belongs to, or its own name where it is a file beside the rooms."""
    package, *rest = module.split(".")
    return package if package != "flowcli" else rest[0] if rest else "__init__"


MODULES = {**modules("flowcli"), **modules("raft_core")}
IMPORTS = {name: imports_of(name, path.read_text(), known=set(MODULES)) for name, path in MODULES.items()}


def upward() -> list[str]:
    """Every import that does not point down, as a sentence."""
    found = []
    for module, imported in IMPORTS.items():
        room = room_of(module)
        for other in sorted(imported):
            target = room_of(other)
            if target != room and ROW_OF[target] <= ROW_OF[room]:
                found.append(f"{module} imports {other}: {room} is not above {target}")
    return found


def circle() -> list[str]:
    """Modules that import each other in a circle; empty where there is none."""
    try:
        list(TopologicalSorter(IMPORTS).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def main() -> None:
    """Prints the rooms from top to bottom, and what each imports."""
    edges = {(room_of(module), room_of(other)) for module, imported in IMPORTS.items() for other in imported}
    edges = {(room, other) for room, other in edges if room != other}
    files, lines = Counter(), Counter()
    for module, path in MODULES.items():
        files[room_of(module)] += 1
        lines[room_of(module)] += len(path.read_text().splitlines())
    for number, row in enumerate(ROWS):
        for room in row:
            below = sorted((other for start, other in edges if start == room), key=ROW_OF.__getitem__)
            size = f"{files[room]:3} files {lines[room]:6,} lines"
            print(f"{len(ROWS) - number:2}  {room:11} {size}   imports {', '.join(below) or 'nothing'}")
    entries = [path for path in (ROOT / "flowcli").iterdir() if path.name != "__pycache__"]
    print(f"{len(entries)} entries in flowcli/, {sum(lines.values()):,} lines")
    print(
        f"{len(ROWS)} rows, {len(edges)} imports between rooms, {len(upward())} upward, {int(bool(circle()))} circles"
    )


if __name__ == "__main__":
    main()
