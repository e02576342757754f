"""The layers of design.md, section 2: imports point down, never up, and never round in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From top to bottom. A folder stands for all its files. A file belongs in the lowest row that its imports allow.
ROWS = (
    ("people", "__main__ cli commands console"),
    (
        "the order of things",
        "api assembly batch batches chunks engines outcomes overview rollcall task work converting pipeline rehearsal "
        "run writing segments job inspection glimpse runs run_folder comparison promotion demonstration evaluation "
        "journal submission training checkup tracks sides versus",
    ),
    ("devices", "estimator device methods plan recovery resolving"),
    (
        "files",
        "sources sinks formats datasets pyav seeking weights partfile pool renderers lock fingerprint catalogue "
        "conversion discovery listing exporting fetching gallery track_files download mixture",
    ),
    (
        "values",
        "__init__ augmentation baselines clock colour curve cuts drawing encoding errormap errors fan field frames "
        "geometry interruption json_text legends motion opencv orientation pairing parallel photometry prefetch "
        "published quality recipes report request scaling scores selection shifts sniffing stream_facts synthesis "
        "unreachable tracking outputs streams augmentors board recipe_file renewal children",
    ),
)
ROW_OF = {name: number for number, (_, names) in enumerate(ROWS) for name in names.split()}
RAFT_CORE = (
    "__init__ config grid convolution encoder correlation update upsample raft warm_start consistency images loss "
    "metrics names checkpoint errors"
)


def modules(package: str) -> dict[str, Path]:
    """Every module below a package by its dotted name."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = {**modules("flowcli"), **modules("raft_core")}


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import that can run, in functions too; those that only a type checker reads are passed over."""
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


IMPORTS = {name: imports_of(name, path.read_text(), known=set(MODULES)) for name, path in MODULES.items()}


def member(module: str) -> str:
    """The file or folder of flowcli that a module belongs to."""
    return module.split(".")[1] if "." in module else "__init__"


def row_of(module: str) -> int:
    """The number of the row a module of flowcli is in, from the top."""
    name = member(module)
    assert name in ROW_OF, f"{module} has no row: put {name!r} into the lowest of ROWS in {__file__} that fits"
    return ROW_OF[name]


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("flowcli")))
def test_imports_point_down(module: str) -> None:
    row = row_of(module)
    for imported in IMPORTS[module]:
        if imported.startswith("flowcli"):
            assert row_of(imported) >= row, (
                f"{module}, in the row of {ROWS[row][0]}, imports {imported}, which is above it, among "
                f"{ROWS[row_of(imported)][0]}: move what is needed down, or hand it over as an argument"
            )


def test_every_name_in_the_rows_is_there() -> None:
    assert ROW_OF.keys() <= {member(name) for name in MODULES if name.startswith("flowcli")}
    assert sum(len(names.split()) for _, names in ROWS) == len(ROW_OF)


def test_raft_core_never_imports_flowcli_and_holds_the_files_of_the_design() -> None:
    core = {name: path for name, path in MODULES.items() if name.startswith("raft_core")}
    assert {path.stem for path in core.values()} == set(RAFT_CORE.split()), (
        "name the file in design.md, section 2, and here"
    )
    for name in core:
        assert not any(imported.startswith("flowcli") for imported in IMPORTS[name]), f"{name} imports flowcli"


def test_no_imports_go_round_in_a_circle() -> None:
    try:
        list(TopologicalSorter(IMPORTS).static_order())
    except CycleError as error:
        pytest.fail(f"these modules import each other in a circle: {' → '.join(error.args[1])}")


@pytest.mark.parametrize(("package", "only"), [("av", "flowcli/pyav/"), ("safetensors", "raft_core/checkpoint.py")])
def test_one_place_only_imports_a_library(package: str, only: str) -> None:
    users = set()
    for path in MODULES.values():
        for statement in statements(ast.parse(path.read_text())):
            names = (
                [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [a.name for a in statement.names]
            )
            if any(name.split(".")[0] == package for name in names):
                users.add(str(path.relative_to(ROOT)))
    assert users
    assert all(user.startswith(only) for user in users), users


def test_raft_core_names_no_device_and_prints_nothing() -> None:
    for name, path in MODULES.items():
        if not name.startswith("raft_core"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "torch.device"}, f"{name} calls {called}"
                assert not called.endswith((".cuda", ".mps")), f"{name} calls {called}"


def test_the_reader_of_imports_sees_what_runs_and_only_that() -> None:
    source = """
from typing import TYPE_CHECKING
import flowcli.a, numpy
if TYPE_CHECKING:
    from flowcli import types
else:
    from flowcli import b
def function():
    from flowcli.c import thing
    try:
        import flowcli.d as other
    except ImportError:
        from flowcli import e
"""
    known = {f"flowcli.{name}" for name in ("a", "b", "c", "d", "e", "types")} | {"flowcli"}
    assert imports_of("flowcli.x", source, known=known) == {f"flowcli.{name}" for name in "abcde"}
