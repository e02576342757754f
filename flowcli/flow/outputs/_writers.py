"""The writers of outputs: a video, a file per pair, or a file of records."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from flowcli.flow.drawing import swatch
from flowcli.flow.estimate import Stamp, as_array
from flowcli.flow.kinds import ArrayFile, FlowFile, Picture, Records
from flowcli.system.files import PartFile, partial_name, reported
from flowcli.system.opencv import write_png

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path
    from typing import Any

    from flowcli.flow.drawing import Style
    from flowcli.flow.estimate import Estimate
    from flowcli.flow.formats.stack import StackFile
    from flowcli.flow.outputs import OutputWriter
    from flowcli.flow.outputs._naming import Output
    from flowcli.media.encoding import Encoding
    from flowcli.media.pyav import GifWriter, VideoWriter, WebpWriter

    Save = Callable[[Path, Estimate], None]


def open_writer(
    output: Output, *, style: Style, encoding: Encoding, rate: Fraction, tick: Fraction, pixel_aspect: Fraction
) -> OutputWriter:
    """The writer of a planned output; its arguments are those of `open_writers`."""
    kind = output.kind
    if isinstance(kind, Records):
        return RecordFile(output.path, kind)
    if isinstance(kind, ArrayFile):
        file = kind.open(output.path, half=encoding.half, quantised=encoding.quantised)
        return Array(file, backward=output.backward)
    if isinstance(kind, FlowFile):
        return Files(output, _saving(kind, encoding, backward=output.backward))
    if output.numbered or output.path.suffix.lower() == ".png":
        return Files(output, lambda path, estimate: write_png(path, kind.draw(estimate, style.of(estimate))))
    from flowcli.media.pyav import GifWriter, VideoWriter, WebpWriter  # noqa: PLC0415 - files of pairs do without PyAV

    writer: VideoWriter | GifWriter | WebpWriter
    if output.naming.video == ".gif":
        writer = GifWriter(output.path, rate=rate, colours=swatch(style.scale))
    elif output.naming.video == ".webp":
        writer = WebpWriter(output.path)
    else:
        writer = VideoWriter(output.path, rate=rate, tick=tick, encoding=encoding, pixel_aspect=pixel_aspect, part=True)
    return Video(writer, kind, style)


def _saving(kind: FlowFile, encoding: Encoding, *, backward: bool) -> Save:
    """The function that writes the file of a pair."""
    if save := kind.save:
        return lambda path, estimate: save(path, estimate, encoding)
    write = kind.writer(bound=encoding.bound, half=encoding.half, y=encoding.y)
    return lambda path, estimate: write(path, as_array(estimate.backward if backward else estimate.forward))


class Video:
    """A video of pictures, each shown from the time of its pair's first frame."""

    def __init__(self, writer: VideoWriter | GifWriter | WebpWriter, kind: Picture, style: Style) -> None:
        self._writer = writer
        self._kind = kind
        self._style = style

    def write(self, estimate: Estimate, /) -> None:
        """Draws and encodes one picture."""
        self._writer.write(self._kind.draw(estimate, self._style.of(estimate)), time=estimate.pair.own.time)

    def close(self) -> None:
        """Completes the video."""
        self._writer.close()

    def abort(self) -> None:
        """Removes the video."""
        self._writer.abort()

    def finish_partial(self) -> Path | None:
        """Completes the video as a partial one."""
        return self._writer.finish_partial()


class Files:
    """A file per pair, each complete once it has its name."""

    def __init__(self, output: Output, save: Save) -> None:
        self._output = output
        self._save = save
        self._written = False
        # Fails before anything is computed if the folder cannot be written.
        PartFile(output.file_of("0")).discard()

    def write(self, estimate: Estimate, /) -> None:
        """Writes the file of one pair."""
        path = self._output.file_of(self._output.stem_of(Stamp.of(estimate)))
        with reported(path):
            self._save(path, estimate)
        self._written = True

    def close(self) -> None:
        """Nothing to complete."""

    def abort(self) -> None:
        """Keeps complete files, but removes an empty folder."""
        if self._output.numbered:
            with contextlib.suppress(OSError):
                self._output.path.rmdir()

    def finish_partial(self) -> Path | None:
        """The path of the complete files, None without any."""
        return self._output.path if self._written else None


class Array:
    """The array of the flow of one direction of every pair."""

    def __init__(self, file: StackFile, *, backward: bool) -> None:
        self._file = file
        self._backward = backward

    def write(self, estimate: Estimate, /) -> None:
        """Adds the flow of one pair."""
        first, second = estimate.pair.first, estimate.pair.second
        self._file.add(
            as_array(estimate.backward if self._backward else estimate.forward),
            frames=(first.index, second.index),
            times=(float(first.time), float(second.time)),
        )

    def close(self) -> None:
        """Completes the file."""
        self._file.close()

    def abort(self) -> None:
        """Removes the file."""
        self._file.abort()

    def finish_partial(self) -> Path | None:
        """Completes the file as a partial one."""
        return self._file.finish_partial()


class RecordFile:
    """One file with the measurements of every pair."""

    def __init__(self, path: Path, kind: Records) -> None:
        self._path = path
        self._kind = kind
        self._records: list[dict[str, Any]] = []
        self._highest: Any = None
        PartFile(path).discard()

    def write(self, estimate: Estimate, /) -> None:
        """Measures one pair; a repeated flow is no measurement."""
        if estimate.repeated:
            return
        record = self._kind.measure(estimate)
        if (highlight := self._kind.highlight) is not None:
            rank = highlight.rank(record)
            if self._highest is None or rank > self._highest:
                self._highest = rank
                record |= highlight.show(estimate)
        self._records.append(record)

    def close(self) -> None:
        """Writes the file, unless there are no records."""
        self._complete(self._path)

    def abort(self) -> None:
        """Nothing to remove: the file is written at the end."""

    def finish_partial(self) -> Path | None:
        """Writes the file as a partial one."""
        return self._complete(partial_name(self._path))

    def _complete(self, path: Path) -> Path | None:
        if not self._records:
            return None
        with reported(path):
            self._kind.compose(self._records, path)
        return path
