"""Imports point down through the rows of rooms in `tests/layers.py`, and are not circular."""

from __future__ import annotations

import ast

import pytest

from tests.layers import MODULES, ROOT, ROW_OF, ROWS, circle, imports_of, room_of, statements, upward


def test_every_import_points_down() -> None:
    assert upward() == [], "move what is imported down, or pass it as an argument"
    assert circle() == []


def test_every_room_is_in_a_row() -> None:
    assert {room_of(module) for module in MODULES} == set(ROW_OF)
    assert sum(map(len, ROWS)) == len(ROW_OF)


@pytest.mark.parametrize(
    ("package", "only"), [("av", "flowcli/media/pyav/"), ("safetensors", "raft_core/checkpoint.py")]
)
def test_a_library_is_imported_in_one_place(package: str, only: str) -> None:
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


def test_imports_that_only_type_checkers_read_are_left_out() -> None:
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
