"""Finds the videos and image folders below a folder."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowcli.errors import SourceError, UsageError
from flowcli.flow.outputs import names_of
from flowcli.media.images import in_natural_order
from flowcli.media.kinds import is_image, is_video, passed_over
from flowcli.media.sources import check_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from flowcli.pipeline.request import Request


@dataclass(frozen=True)
class Clip:
    """A video, an image folder, or two images to compute.

    `path` is as found, and `second` that of the second image of a pair. `key` is unique and relative to the folder of
    the batch, `name` names its outputs, and `options` are the fields of a Request that differ from those of the batch.
    """

    path: Path
    key: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    second: Path | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The path, or those of both images."""
        return (self.path,) if self.second is None else (self.path, self.second)

    @property
    def folder(self) -> Path:
        """The folder of the clip, relative to that of the batch."""
        return Path(self.key).parent

    def own_request(self, request: Request, folder: Path) -> Request:
        """The request for this clip of a batch that writes below `folder`; an earlier run of it is resumed."""
        own = replace(request, **self.options)
        return replace(own, inputs=self.inputs, output=folder / self.folder, name=self.name, resume=True)


def discover(
    root: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = (), outputs: Path | None = None
) -> list[Clip]:
    """Every video and every folder of two or more images below `root`, sorted by path.

    Hidden names, everything below `outputs` and outputs of flowcli are skipped. Links to files are followed, links to
    folders are not, and no file occurs twice. `include` and `exclude` are globs on a clip's path relative to `root`.
    Raises UsageError if `root` is not a folder or is `outputs`, SourceError if no clip remains.
    """
    check_name(root)
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", hint="give the folder that holds the clips, or a list of them")
    if outputs and outputs.resolve() == root.resolve():
        raise UsageError(f"{root} is the folder of the clips", hint="choose another -o: outputs would be clips too")
    clips = chosen(named(root, walk(root, outputs=outputs)), root, include=include, exclude=exclude)
    # Of a file and the links to it, the file is kept.
    clips.sort(key=lambda clip: (clip.path.is_symlink(), clip.key))
    once = {os.path.realpath(clip.path): clip for clip in reversed(clips)}
    return sorted(once.values(), key=lambda clip: clip.key)


def chosen(clips: Iterable[Clip], place: Path, *, include: Collection[str], exclude: Collection[str]) -> list[Clip]:
    """The clips in a folder or list that match the globs; raises SourceError if there are none."""
    fitting = [clip for clip in clips if wanted(Path(clip.key).with_name(clip.path.name), include, exclude)]
    if not fitting:
        raise SourceError(
            f"no clip found in {place}",
            hint="clips are the videos and image folders in it that --include and --exclude select; "
            "for one image folder, use flowcli video",
        )
    return fitting


def named(root: Path, paths: Iterable[Path]) -> Iterator[Clip]:
    """The clips at paths below `root`, with names that are unique within each folder."""
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    for together in folders.values():
        for path, name in zip(together, names_of(together), strict=True):
            yield Clip(path, path.relative_to(root).as_posix(), name)


def walk(root: Path, *, outputs: Path | None) -> Iterator[Path]:
    """The paths of the clips below a folder, without the folder itself."""
    for folder, files in folders_below(root, outputs=outputs):
        yield from filter(is_video, files)
        if is_clip(folder, files, root=root):
            yield folder


def left_out(root: Path, *, outputs: Path | None) -> str | None:
    """A note on the files below a folder whose kind `discover` passes over; None where there are none."""
    others: list[Path] = []
    for folder, files in folders_below(root, outputs=outputs):
        images = is_clip(folder, files, root=root)
        others += [path for path in files if not is_video(path) and not (images and is_image(path))]
    return passed_over(others)


def folders_below(root: Path, *, outputs: Path | None) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder from `root` on, with its files that are neither hidden nor outputs of flowcli."""
    passed = outputs.resolve() if outputs else None
    for place, folders, files in os.walk(root):
        here = Path(place)
        made = outputs_in(here, files)
        folders[:] = sorted(name for name in visible(folders) if name not in made and (here / name).resolve() != passed)
        names = sorted(name for name in visible(files) if name not in made)
        yield here, [here / name for name in names if is_file_or_broken_link(here / name)]


def is_clip(folder: Path, files: Iterable[Path], *, root: Path) -> bool:
    """Whether a folder other than `root` is a clip of two or more images."""
    return folder != root and len(in_natural_order(files)) > 1


def visible(names: Iterable[str]) -> Iterator[str]:
    """The names that are not hidden."""
    return (name for name in names if not name.startswith("."))


def outputs_in(folder: Path, files: Iterable[str]) -> set[str]:
    """The names in a folder that reports among its files list as outputs."""
    made: set[str] = set()
    for name in files:
        if name.endswith("_flow.json"):
            # Files of other programs can have this name too.
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                made.update(Path(path).name for path in json.loads((folder / name).read_bytes())["outputs"])
    return made


def is_file_or_broken_link(path: Path) -> bool:
    """Whether a path is a file or a broken link; opening a named pipe would block the batch."""
    return path.is_file() or not path.exists()


def wanted(place: Path, include: Collection[str], exclude: Collection[str]) -> bool:
    """Whether the globs select a path; a glob without a slash is matched against its last part only."""

    def matches(glob: str) -> bool:
        name = place.as_posix() if "/" in glob else place.name
        # The brackets of a folder such as `take [1]` may be meant literally.
        return fnmatch(name, glob) or fnmatch(name, glob.replace("[", "[[]"))

    return (not include or any(map(matches, include))) and not any(map(matches, exclude))
