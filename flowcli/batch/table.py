"""Tables of rows as files: CSV, JSON lines, and Parquet, where pyarrow is installed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, dataclass, fields
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from flowcli.errors import UsageError
from flowcli.system.files import PartFile, reported

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class TableOptions:
    """The `formats` in which a batch writes its table of motion, and whether to write one of `each_pair` too."""

    formats: tuple[str, ...] = ()
    each_pair: bool = False

    @classmethod
    def of(cls, text: str | None, *, each_pair: bool, measured: bool) -> TableOptions:
        """The options of `--table` and `--table-pairs`: CSV by default, where motion is `measured` or pairs are wanted.

        Raises UsageError for an unknown format, and for Parquet without pyarrow.
        """
        if text is None:
            return cls(("csv",) if measured or each_pair else (), each_pair)
        formats = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        for name in formats:
            if name not in WRITERS:
                raise UsageError(f"--table {name} is not known", hint=f"use {', '.join(WRITERS)}")
        if not formats:
            raise UsageError("--table names no format", hint=f"use {', '.join(WRITERS)}")
        if "parquet" in formats and find_spec("pyarrow") is None:
            raise UsageError("--table parquet needs pyarrow", hint="pip install 'flowcli-raft[parquet]'")
        return cls(formats, each_pair)


def write_table(path: Path, rows: Iterable[DataclassInstance], kind: type[DataclassInstance]) -> None:
    """Writes rows, which are dataclasses of one `kind`, in the format that the path ends with; None is left empty.

    Raises OutputError, and leaves `path` as it was, where that fails.
    """
    part = PartFile(path)
    try:
        with reported(path):
            WRITERS[path.suffix.lstrip(".")](part.path, rows, kind)
        part.commit()
    except BaseException:
        part.discard()
        raise


def write_csv(path: Path, rows: Iterable[DataclassInstance], kind: type[DataclassInstance]) -> None:
    """Writes a header and a line for every row."""
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(field.name for field in fields(kind))
        table.writerows(map(astuple, rows))


def write_jsonl(path: Path, rows: Iterable[DataclassInstance], kind: type[DataclassInstance]) -> None:
    """Writes an object for every row."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)


def write_parquet(path: Path, rows: Iterable[DataclassInstance], kind: type[DataclassInstance]) -> None:
    """Writes columns of the types that the dataclass states."""
    import pyarrow as arrow  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    types: dict[type, Any] = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    hints = get_type_hints(kind)
    schema = arrow.schema([(name, types[(get_args(hint) or (hint,))[0]]) for name, hint in hints.items()])
    with parquet.ParquetWriter(path, schema) as file:
        rows = iter(rows)
        while some := [readable(asdict(row)) for row in islice(rows, _ROWS_AT_ONCE)]:
            file.write_table(arrow.Table.from_pylist(some, schema))


def readable(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the bytes of file names that are not UTF-8 replaced by U+FFFD."""
    known = {name: value.encode(errors="surrogateescape") for name, value in row.items() if isinstance(value, str)}
    return row | {name: value.decode(errors="replace") for name, value in known.items()}


Write = Callable[[Path, Iterable["DataclassInstance"], type["DataclassInstance"]], None]
WRITERS: dict[str, Write] = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}
"""The function that writes each format; its name is the ending of its files."""
