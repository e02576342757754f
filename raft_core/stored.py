"""What training scripts store beside weights, read without executing anything of it."""

from __future__ import annotations

import struct
from argparse import Namespace
from typing import Any

# How the scalars of NumPy are stored: the letter and size of their type, to the letter of `struct`.
_NUMBERS = dict(zip("b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8".split(), "?bBhHiIqQefd", strict=True))  # noqa: SIM905


class Inert:
    """Stands for an object of another library: takes what its pickle holds and does nothing with it."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None:
        """Ignores the state."""


class Table:
    """Stands for a class of dictionaries: makes a plain one, the only kind that PyTorch fills."""

    def __new__(cls, *_: object, **__: object) -> dict[object, object]:  # type: ignore[misc]
        """Ignores the arguments."""
        return {}


class ScalarType:
    """Stands for `numpy.dtype`: its name, such as `f8`, and its byte order."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name, self.order = str(name), "<"

    def __setstate__(self, state: object) -> None:
        """Takes the byte order from the state of a `numpy.dtype`."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] == ">":
            self.order = ">"


def scalar(kind: object, data: object = b"") -> object:
    """Stands for the function that makes NumPy's scalars: a Python number, or `Inert` for other types."""
    letter = _NUMBERS.get(kind.name) if isinstance(kind, ScalarType) else None
    if letter is None or not isinstance(kind, ScalarType) or not isinstance(data, bytes):
        return Inert()
    if len(data) != struct.calcsize(f"<{letter}"):
        return Inert()
    return struct.unpack(f"{kind.order}{letter}", data)[0]


def reconstruct(*_: object) -> Inert:
    """Stands for the function that makes NumPy's arrays."""
    return Inert()


_NUMPY_TYPES = (
    *("Bool", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Long", "ULong"),
    *("LongLong", "ULongLong", "Float16", "Float32", "Float64", "Object", "Str", "Bytes"),
)
_OBJECTS = (
    *("pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
    *("datetime.datetime", "datetime.timedelta", "types.SimpleNamespace", "numpy.ndarray"),
)
_TABLES = (
    *("collections.defaultdict", "lightning.fabric.utilities.data.AttributeDict"),
    *("lightning_fabric.utilities.data.AttributeDict", "pytorch_lightning.utilities.parsing.AttributeDict"),
)


def accepted() -> list[Any]:
    """The classes and functions, beside PyTorch's own, that a checkpoint may name, for `torch.serialization`.

    `argparse.Namespace` and Python's own types are plain values; all others are replaced by the stand-ins above.
    """
    multiarrays = ("numpy._core.multiarray", "numpy.core.multiarray")
    return [
        Namespace,
        dict,
        list,
        int,
        float,
        *((scalar, f"{module}.scalar") for module in multiarrays),
        *((reconstruct, f"{module}._reconstruct") for module in multiarrays),
        (ScalarType, "numpy.dtype"),
        *((ScalarType, f"numpy.dtypes.{name}DType") for name in _NUMPY_TYPES),
        *((Inert, name) for name in _OBJECTS),
        *((Table, name) for name in _TABLES),
    ]
