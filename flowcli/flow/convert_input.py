"""The flow that `flowcli convert` reads: one file, a folder of files at any depth, or an array of many pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import SourceError, UsageError
from flowcli.flow.arrays import ENDINGS, is_stack, read_stack
from flowcli.flow.formats import ARRAYS, FORMATS, contents, format_of, reader, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowcli.flow.formats import Flow
    from flowcli.flow.formats.stack import Stack
    from flowcli.flow.request import ConvertRequest

BACKWARD = "_backward"


@dataclass(frozen=True)
class Item:
    """The flow of one pair: a file, or the pair of this `number` in the array at `path`.

    `folder` is where its outputs belong, relative to the output, and `stem` what they are called.
    """

    path: Path
    folder: Path
    stem: str
    number: int | None = None

    @property
    def backward(self) -> bool:
        """Whether its name says that its flow is that from second to first frames."""
        return self.stem.endswith(BACKWARD)

    def __str__(self) -> str:
        return str(self.path) if self.number is None else f"pair {self.number} of {self.path}"


@dataclass
class FlowInput:
    """All flow to convert, of one `kind`; notes what reading it chose and what it left out, over all files."""

    request: ConvertRequest
    kind: str
    items: list[Item]
    chosen: dict[str, None] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)
    _open: dict[Path, Stack] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether the input is one file with the flow of one pair."""
        return not self.request.source.is_dir() and self.items[0].number is None

    def read(self, item: Item) -> Flow:
        """The flow of one pair; raises SourceError where it cannot be read."""
        if item.number is not None:
            return self._stack(item.path)[item.number]
        channels = self.request.channels
        flow = reader(self.kind, bound=self.request.bound, channels=channels)(item.path)
        found = contents(self.kind, item.path, channels=channels)
        self.chosen |= dict.fromkeys(found.read)
        self.left |= dict.fromkeys(found.left)
        return flow

    def ends(self, item: Item) -> dict[str, Any]:
        """The `frames` and `times` of a pair of an array; none of a file, which does not know them."""
        if item.number is None:
            return {}
        stack = self._stack(item.path)
        return {"frames": stack.frames(item.number), "times": stack.times(item.number)}

    def _stack(self, path: Path) -> Stack:
        if path not in self._open:
            self._open = {path: read_stack(path)}
        return self._open[path]

    def groups(self) -> dict[Path, list[Item]]:
        """The items of each folder, of one direction: what belongs in one array or one video."""
        found: dict[Path, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.folder, []).append(item)
        return {folder: [item for item in items if not item.backward] or items for folder, items in found.items()}

    def __str__(self) -> str:
        parts = [(self.chosen, "read"), (self.left, "left out")]
        return "".join(f"; {listed(list(names))} {done}" for names, done in parts if names)


def find_input(request: ConvertRequest) -> FlowInput:
    """The flow to convert, sorted; `--from` chooses a format where a folder holds several.

    Raises UsageError or SourceError where there is none.
    """
    given, source = request.given, request.source
    if given is not None and given not in {*FORMATS, *ARRAYS}:
        raise UsageError(f"--from {given} is not known", hint=f"use {', '.join([*FORMATS, *ARRAYS])}")
    if not source.exists():
        raise UsageError(f"{source} does not exist", hint="check the path")
    if not source.is_dir() or is_array(source):
        kind = given or kind_of(source)
        if kind is None:
            hint = "pictures of flow cannot be converted back" if source.suffix == ".png" else known_formats()
            raise SourceError(f"{source} is not a known flow file", hint=hint)
        return FlowInput(request, kind, items_of(source, kind, Path(), alone=True))
    found = found_in(source, source.iterdir(), given) or found_in(source, source.rglob("*"), given)
    if len(found) > 1:
        raise UsageError(f"{source} holds {' and '.join(found)}", hint=f"choose one: --from {next(iter(found))}")
    if not found:
        raise SourceError(f"{source} holds no {given or 'flow'} files", hint=known_formats())
    ((kind, paths),) = found.items()
    folders = [path.parent.relative_to(source) for path in paths]
    return FlowInput(
        request,
        kind,
        [item for path, folder in zip(paths, folders, strict=True) for item in items_of(path, kind, folder)],
    )


def found_in(source: Path, paths: Iterator[Path], given: str | None) -> dict[str, list[Path]]:
    """The files of each format, or of the `given` one, among paths below a folder, sorted; none that are hidden."""
    found: dict[str, list[Path]] = {}
    for path in sorted(paths):
        below = path.relative_to(source)
        hidden = any(part.startswith(".") for part in below.parts)
        if hidden or any(parent.suffix == ".zarr" for parent in below.parents):
            continue
        if (path.is_file() or is_array(path)) and (kind := kind_of(path, given)) and kind == (given or kind):
            found.setdefault(kind, []).append(path)
    return found


def kind_of(path: Path, given: str | None = None) -> str | None:
    """The format of a file by its name: `given` where several formats have its ending. None if it is no flow file."""
    if given in FORMATS and path.name.lower().endswith(FORMATS[given].ending) and path.suffix.lower() != ".png":
        return given
    array = ENDINGS.get(path.suffix.lower())
    return array if array in ARRAYS else format_of(path)


def is_array(path: Path) -> bool:
    """Whether a path is a folder that is one array."""
    return path.is_dir() and path.suffix.lower() == ARRAYS["zarr"].ending


def items_of(path: Path, kind: str, folder: Path, *, alone: bool = False) -> list[Item]:
    """The flow in one file; that of an array belongs in a folder named after it, unless it is converted `alone`."""
    if kind not in ARRAYS and not is_stack(path):
        return [Item(path, folder, stem_of(path, kind))]
    stack = read_stack(path)
    frames = [stack.frames(number) or (number, number) for number in range(len(stack))]
    firsts, seconds = ([pair[side] for pair in frames] for side in (0, 1))
    # Flow from a reference is called after the second frame.
    numbers = firsts if len(set(firsts)) == len(firsts) else seconds
    place = Path() if alone else folder / path.stem
    return [Item(path, place, f"{name:06d}", number) for number, name in enumerate(numbers)]


def known_formats() -> str:
    """A hint that lists all formats."""
    every = {**FORMATS, **ARRAYS}
    return "flow is read from " + ", ".join(f"{name} ({each.ending})" for name, each in every.items())


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
