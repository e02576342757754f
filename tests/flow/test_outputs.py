from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import OutputError
from flowcli.flow.colour import ColourScale, colour_flow
from flowcli.flow.drawing import Style
from flowcli.flow.kinds import Kind
from flowcli.flow.outputs import Output, kind_of, open_writers, output_names, plan_outputs, png, remove_stale
from flowcli.media.pyav import VideoReader
from tests.outputs import WRITABLE

STYLE = Style(ColourScale(4.0))
RIGHT = np.full((48, 64, 2), (3, 0), np.float32)
VISIBLE = np.zeros((48, 64), bool)


def _open(names, folder, *, video=True, style=STYLE, direction="forward", rate=Fraction(25), tick=Fraction(1, 1000)):
    source = Path("clip.mp4" if video else "a.png")
    outputs = plan_outputs(names, source, video=video, output=folder, direction=direction)
    return open_writers(outputs, style=style, rate=rate, tick=tick)


def _run(names, folder, estimates, **options):
    for writer in _open(names, folder, **options):
        for estimate in estimates:
            writer.write(estimate)
        writer.close()
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_output_declares_its_kind():
    assert all(isinstance(kind_of(name), Kind) for name in output_names())


@pytest.mark.parametrize("name", WRITABLE)
def test_every_writer_writes_the_planned_output_and_nothing_else(tmp_path, make_estimate, name):
    outputs = plan_outputs([name], Path("clip.mp4"), video=True, output=tmp_path)
    _run([name], tmp_path, [make_estimate(RIGHT, occluded=VISIBLE, index=index) for index in (0, 1)])
    assert list(tmp_path.iterdir()) == [outputs[0].path]
    assert not list(tmp_path.rglob("*.part.*"))


def test_a_video_of_flow_has_the_times_of_the_frames(tmp_path, make_estimate):
    times = [Fraction(0), Fraction(40, 1000), Fraction(500, 1000)]
    estimates = [make_estimate(RIGHT, index=i, time=time) for i, time in enumerate(times)]
    assert _run(["video"], tmp_path, estimates) == ["clip_flow.mp4"]
    with VideoReader(tmp_path / "clip_flow.mp4") as reader:
        frames = list(reader.frames())
    assert [frame.time for frame in frames] == times
    expected = colour_flow(RIGHT, scale=STYLE.scale)
    assert np.abs(frames[0].image.astype(int) - expected).max() <= 4


def test_files_are_numbered_by_first_frames(tmp_path, make_estimate):
    estimates = [make_estimate(index=index) for index in (0, 2, 7)]
    names = _run(["png", "flo"], tmp_path, estimates)
    assert names == [f"clip_flow/{number:06d}.{kind}" for number in (0, 2, 7) for kind in ("flo", "png")]


def test_a_pair_gives_one_file_each(tmp_path, make_estimate):
    names = _run(["png", "flo", "overlay", "warp"], tmp_path, [make_estimate(RIGHT)], video=False)
    assert names == ["a_flow.flo", "a_flow.png", "a_overlay.png", "a_warp.png"]
    written = cv2.cvtColor(cv2.imread(str(tmp_path / "a_flow.png")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(written, colour_flow(RIGHT, scale=STYLE.scale))
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a_flow.flo")), RIGHT)


def test_both_directions_are_written_each_from_its_own_flow(tmp_path, make_estimate):
    estimate = make_estimate(RIGHT, backward=-2 * RIGHT)
    names = _run(["flo", "pfm", "npz", "png"], tmp_path, [estimate], video=False, direction="both")
    flows = ["a_flow.flo", "a_flow.pfm", "a_flow_backward.flo", "a_flow_backward.pfm"]
    assert names == sorted([*flows, "a_flow.npz", "a_flow.png"])
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a_flow.flo")), RIGHT)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "a_flow_backward.flo")), -2 * RIGHT)
    with np.load(tmp_path / "a_flow.npz") as arrays:
        assert np.array_equal(arrays["backward"], -2 * RIGHT)


def test_still_frames_are_white(tmp_path, make_estimate):
    _run(["png"], tmp_path, [make_estimate()], video=False, style=Style(ColourScale.covering([])))
    assert cv2.imread(str(tmp_path / "a_flow.png")).min() == 255


def test_files_of_an_earlier_longer_run_are_removed_and_those_of_other_kinds_are_not(tmp_path, make_estimate):
    _run(["png", "flo"], tmp_path, [make_estimate(index=index) for index in range(3)])
    (output,) = plan_outputs(["png"], Path("clip.mp4"), video=True, output=tmp_path)
    remove_stale(output, ["000000", "000001"])
    names = [path.name for path in sorted((tmp_path / "clip_flow").iterdir())]
    assert names == ["000000.flo", "000000.png", "000001.flo", "000001.png", "000002.flo"]


def test_an_aborted_run_leaves_no_part_and_no_video(tmp_path, make_estimate):
    writers = _open(["video", "png"], tmp_path)
    for writer in writers:
        writer.write(make_estimate())
        writer.abort()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["000000.png"]


def test_a_run_that_is_aborted_at_once_leaves_nothing(tmp_path):
    for writer in _open(WRITABLE, tmp_path):
        writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_outputs_of_an_interrupted_run_are_named_partial(tmp_path, make_estimate):
    writers = _open(["video", "overlay", "png"], tmp_path)
    kept = []
    for writer in writers:
        writer.write(make_estimate())
        kept.append(writer.finish_partial())
    assert kept == [tmp_path / "clip_flow.partial.mp4", tmp_path / "clip_overlay.partial.mp4", tmp_path / "clip_flow"]
    assert not (tmp_path / "clip_flow.mp4").exists()


def test_opening_fails_where_a_folder_cannot_be_created_and_removes_the_other_outputs(tmp_path):
    (tmp_path / "clip_flow").write_text("a file")
    with pytest.raises(OutputError) as failure:
        _open(["overlay", "png"], tmp_path)
    assert failure.value.exit_code == 7
    assert [path.name for path in tmp_path.iterdir()] == ["clip_flow"]


def test_a_failed_write_is_an_output_error_and_leaves_no_part(tmp_path, make_estimate, monkeypatch):
    (writer,) = _open(["flo"], tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError) as failure:
        writer.write(make_estimate())
    path = tmp_path / "clip_flow" / "000000.flo"
    assert str(failure.value) == f"{path} cannot be written: the disk is full"
    assert list((tmp_path / "clip_flow").iterdir()) == []


def test_the_legend_changes_only_its_own_corner(tmp_path, make_estimate):
    estimate = make_estimate(np.tile(RIGHT, (4, 4, 1)))
    plain = png.draw(estimate, STYLE)
    with_legend = png.draw(estimate, Style(STYLE.scale, legend=True))
    changed = np.argwhere((plain != with_legend).any(axis=2))
    assert len(changed)
    assert changed.min(axis=0).tolist() > [96, 128]


def test_outputs_compare_by_value():
    first, second = (plan_outputs(["flo"], Path("a.mp4"), video=True)[0] for _ in range(2))
    assert isinstance(first, Output)
    assert first == second
