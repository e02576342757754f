"""The names and folders of outputs, planned before anything is computed."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flowcli.errors import OutputError, UsageError
from flowcli.flow.formats import FORMATS
from flowcli.flow.kinds import ArrayFile, FlowFile
from flowcli.media.sources import name_of
from flowcli.system.files import reported
from flowcli.system.outputs import output_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from flowcli.flow.estimate import Stamp
    from flowcli.flow.kinds import Kind
    from flowcli.flow.naming import Naming

_FILE_EXTENSIONS = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".avi",
        ".webm",
        ".gif",
        ".webp",
        ".png",
        ".jpg",
        ".jpeg",
        ".bmp",
        ".tif",
        ".tiff",
        ".flo",
        ".npz",
        ".npy",
        ".h5",
        ".zarr",
        ".pfm",
        ".exr",
        ".json",
    ]
)

MP4 = ".mp4"
BACKWARD = "_backward"
OVERWRITING = "-y overwrites it, -o writes elsewhere"
"""The hint of an output that exists."""


NAMES = ("index", "frame", "source")
"""What files of single flows are called after: see `Output.stem_of`."""


@dataclass(frozen=True)
class Output:
    """One planned output: a file, or a folder of files, each called after its pair's first frame.

    `name` is its value of `--save`. With `backward` it shows flow from second to first frames, and its files' names
    contain `_backward`. `names` is one of NAMES, and `images` are the names of all images of the input.
    """

    name: str
    path: Path
    kind: Kind
    numbered: bool
    backward: bool = False
    names: str = "index"
    images: tuple[str, ...] = ()

    @property
    def naming(self) -> Naming:
        """The file names of its kind."""
        return self.kind.naming

    @property
    def folder(self) -> bool:
        """Whether it is a folder of files, one for each pair or of one array."""
        return self.numbered or (isinstance(self.kind, ArrayFile) and self.kind.folder)

    def stem_of(self, pair: Stamp) -> str:
        """The name of a pair's files without their endings.

        It is the number of the pair's first frame (of the second one, where the first is a reference), among the
        selected ones or in the source, or the name of its image, which not every source has. Raises UsageError where
        the number in the source is unknown.
        """
        stem = pair.stem(self.names)
        if stem is None:
            raise UsageError(
                f"--names {self.names}: the frames before --start cannot be counted",
                hint="give --start as a frame, such as '#120', or use --names index",
            )
        return stem

    def file_of(self, stem: str) -> Path:
        """The file with this stem, where there is one for each pair; else the only one."""
        return self.files_of(stem)[0] if self.numbered else self.path

    def existing(self) -> list[Path]:
        """The files that this output would replace."""
        if not self.numbered:
            return [path for path in self.naming.files_of(self.path) if os.path.lexists(path)]
        numbered = {path for ending in self._endings for path in self.path.glob(f"{'[0-9]' * 6}{ending}")}
        named = {path for stem in self.images for path in self.files_of(stem) if os.path.lexists(path)}
        return sorted(numbered | named)

    def files_of(self, stem: str) -> list[Path]:
        """All files of the pair that has this stem, where there is one for each pair."""
        return [self.path / f"{stem}{ending}" for ending in self._endings]

    @property
    def _endings(self) -> list[str]:
        """The endings of a pair's files, the main one first."""
        tags = (self.naming.tag, *self.naming.siblings)
        return [f"{BACKWARD * self.backward}{tag}{self.naming.extension}" for tag in tags]


def check_names(names: str) -> None:
    """Raises UsageError where `names` is not one of NAMES."""
    if names not in NAMES:
        raise UsageError(f"--names {names} is not known", hint=f"use {', '.join(NAMES)}")


def kind_of(name: str, *, video: bool = True) -> Kind:
    """The kind of output of a value of `--save`; a pair's file is of the format of that name, if there is one."""
    package = "formats" if name in FORMATS and (FORMATS[name].saved or not video) else "outputs"
    kind: Kind = importlib.import_module(f"flowcli.flow.{package}.{name}").KIND
    return kind


def names_of(inputs: Sequence[Path]) -> list[str]:
    """NAME of each input: its stem, or its full name where two stems are equal."""
    stems = [name_of(path) for path in inputs]
    count = Counter(stems)
    # "a.mp4" may be both a full name and the stem of "a.mp4.mkv".
    whole = {_full_name(path) for path in inputs}
    return [
        stem if count[stem] == 1 and stem not in whole - {_full_name(path)} else _full_name(path)
        for stem, path in zip(stems, inputs, strict=True)
    ]


def plan_outputs(
    outputs: Sequence[str],
    source: Path,
    *,
    video: bool,
    output: Path | None = None,
    name: str | None = None,
    direction: str = "forward",
    containers: Sequence[str] = (MP4,),
    names: str = "index",
) -> list[Output]:
    """The outputs of a run on `source` under their final names, for values of `--save`; writes nothing.

    `output` is `-o`: the file itself when exactly one is written and its extension fits, else a folder. `name` replaces
    the source's own NAME. `containers` are the extensions that a video may have, the default first. `names`
    is one of NAMES. Raises UsageError where it is not, where an output needs a video, or `-o` does not fit.
    """
    check_names(names)
    chosen = [(value, kind_of(value, video=video)) for value in outputs]
    kinds = [(value, kind, backward) for value, kind in chosen for backward in _directions(kind, direction)]
    for value, kind, _ in kinds:
        if not video and not kind.naming.pairs:
            raise UsageError(f"--save {value} needs a video", hint="use --save png for a pair of images")
    endings = [_endings(kind.naming, video=video, containers=containers) for _, kind, _ in kinds]
    file = _as_file(output, [(value, known) for (value, _, _), known in zip(kinds, endings, strict=True)], video=video)
    if file is not None:
        ((value, kind, backward),) = kinds
        return [Output(value, file, kind, numbered=False, backward=backward)]
    base = output_folder(source, output) / (name or names_of([source])[0])
    return [
        Output(
            value,
            _place(base, kind.naming, ending, backward),
            kind,
            numbered=not ending,
            backward=backward,
            names=names,
        )
        for (value, kind, backward), (ending, *_) in zip(kinds, endings, strict=True)
    ]


def report_path(outputs: Sequence[Output], source: Path, *, name: str | None = None) -> Path:
    """The path of the report, `NAME_flow.json` beside the outputs."""
    return outputs[0].path.parent / f"{name or names_of([source])[0]}_flow.json"


def journal_folder(report: Path) -> Path:
    """The folder of an unfinished run's segments, `.NAME_flow.run` beside the report."""
    return report.with_name(f".{report.stem}.run")


def check_outputs(outputs: Sequence[Output], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Raises UsageError for an output that must not be replaced, OutputError for a folder that cannot be written."""
    for output in outputs:
        with reported(output.path):
            for path in output.naming.files_of(output.path):
                _refuse_input(path, inputs)
            if not output.folder and output.path.is_dir():
                raise UsageError(f"{output.path} is a folder", hint="move it away, or choose another -o")
            if output.folder and output.path.exists() and not output.path.is_dir():
                raise UsageError(f"{output.path} is a file, but a folder is needed", hint="choose another -o")
            existing = output.existing()
            if existing and not overwrite:
                raise UsageError(f"{existing[0]} exists already", hint=OVERWRITING)
            _check_folder(output.path if output.numbered else output.path.parent)


def missing_folders(outputs: Sequence[Output]) -> list[Path]:
    """The folders of outputs that do not exist yet, innermost first."""
    needed = {output.path.absolute() if output.numbered else output.path.absolute().parent for output in outputs}
    missing = {place for folder in needed for place in _upwards(folder) if not place.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def remove_stale(output: Output, stems: Collection[str]) -> None:
    """Removes files of an earlier run that do not have these `stems`, so that no folder mixes two runs."""
    for path in set(output.existing()) - {path for stem in stems for path in output.files_of(stem)}:
        with reported(path):
            path.unlink()


def missing_files(outputs: Iterable[Output], pairs: Sequence[Stamp]) -> list[Path]:
    """The files that outputs with one for each pair lack."""
    numbered = [output for output in outputs if output.numbered]
    files = (file for output in numbered for pair in pairs for file in output.files_of(output.stem_of(pair)))
    return [file for file in files if not file.exists()]


def _full_name(path: Path) -> str:
    return path.name or path.resolve().name


def _directions(kind: Kind, direction: str) -> tuple[bool, ...]:
    """Whether each output of a kind is of backward flow; only files of a single flow come in both directions."""
    if direction == "both" and (isinstance(kind, ArrayFile) or (isinstance(kind, FlowFile) and kind.save is None)):
        return (False, True)
    return (direction == "backward",)


def _endings(naming: Naming, *, video: bool, containers: Sequence[str]) -> Sequence[str]:
    """The extensions that an output's file may have, the default first; an empty one means a folder."""
    if not video:
        return [naming.extension]
    return containers if naming.video == MP4 else [naming.video or ""]


def _place(base: Path, naming: Naming, ending: str, backward: bool) -> Path:
    details = f"{BACKWARD * backward}{naming.tag}{ending}" if ending else ""
    return base.with_name(f"{base.name}_{naming.stem}{details}")


def _as_file(output: Path | None, endings: Sequence[tuple[str, Sequence[str]]], *, video: bool) -> Path | None:
    """`-o` if it is the one file to write, None if it is a folder; raises UsageError if it is neither."""
    if output is None:
        return None
    extension = output.suffix.lower()
    fits = len(endings) == 1 and extension and extension in endings[0][1]
    # An array in the format of Zarr is a folder itself.
    if output.is_dir() and not (fits and extension == ".zarr"):
        return None
    if fits:
        return output
    if extension in _FILE_EXTENSIONS:
        wanted = ", ".join(f"{value} ({' or '.join(known) or 'a folder'})" for value, known in endings)
        hint = _advice(extension, endings, video=video)
        raise UsageError(f"-o {output} does not fit what is saved: {wanted}", hint=hint)
    if output.exists():
        raise UsageError(f"-o {output} is a file, but a folder is needed", hint="give a folder to -o")
    return None


def _advice(extension: str, endings: Sequence[tuple[str, Sequence[str]]], *, video: bool) -> str:
    """What to do where `-o` has an extension that does not fit."""
    value = extension[1:]
    if value in FORMATS and extension in _endings(kind_of(value, video=video).naming, video=video, containers=()):
        return f"add --save {value}, or give a folder to -o"
    fitting = ", ".join(endings[0][1]) if len(endings) == 1 else ""
    return f"use {fitting}, or give a folder to -o" if fitting else "give a folder to -o"


def _refuse_input(output: Path, inputs: Sequence[Path]) -> None:
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise UsageError(f"{output} is the input itself", hint="choose another -o")


def _check_folder(folder: Path) -> None:
    nearest = next(place for place in _upwards(folder.absolute()) if place.exists())
    if not nearest.is_dir():
        raise UsageError(f"{folder} cannot be a folder: {nearest} is a file", hint="choose another folder with -o")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{folder} cannot be written: permission denied", hint="choose another folder with -o")


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents
