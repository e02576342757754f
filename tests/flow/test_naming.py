from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowcli.errors import OutputError, UsageError
from flowcli.flow.outputs import check_outputs, choose, descriptions, names_of, output_names, plan_outputs, report_path

ALL = ("video", "png", "flo", "overlay", "side", "warp")


def _names(outputs, source, **options):
    return [str(output.path) for output in plan_outputs(outputs, Path(source), **options)]


def test_outputs_of_a_video_have_their_documented_names():
    assert _names(ALL, "in/clip.mp4", video=True) == [
        "in/clip_flow.mp4",
        "in/clip_flow",
        "in/clip_flow",
        "in/clip_overlay.mp4",
        "in/clip_side.mp4",
        "in/clip_warp.mp4",
    ]
    numbered = plan_outputs(["png", "flo"], Path("in/clip.mp4"), video=True)
    assert [str(output.file_of("000007")) for output in numbered] == [
        "in/clip_flow/000007.png",
        "in/clip_flow/000007.flo",
    ]


def test_outputs_of_a_pair_have_their_documented_names():
    assert _names(ALL[1:], "in/a.png", video=False) == [
        "in/a_flow.png",
        "in/a_flow.flo",
        "in/a_overlay.png",
        "in/a_side.png",
        "in/a_warp.png",
    ]


def test_the_colour_video_is_refused_for_a_pair():
    with pytest.raises(UsageError) as failure:
        plan_outputs(["video"], Path("a.png"), video=False)
    assert str(failure.value) == "--save video needs a video"


def test_flow_files_come_in_both_directions_and_pictures_in_one():
    both = {"direction": "both", "video": False}
    names = _names(["flo", "kitti", "npz", "png", "overlay"], "a.png", **both)
    assert names == [
        "a_flow.flo",
        "a_flow_backward.flo",
        "a_flow_kitti.png",
        "a_flow_backward_kitti.png",
        "a_flow.npz",
        "a_flow.png",
        "a_overlay.png",
    ]
    names = _names(["flo", "npz", "png"], "a.png", direction="backward", video=False)
    assert names == ["a_flow_backward.flo", "a_flow_backward.npz", "a_flow_backward.png"]
    assert _names(["video"], "a.mp4", direction="backward", video=True) == ["a_flow_backward.mp4"]
    outputs = plan_outputs(["kitti"], Path("a.mp4"), video=True, direction="both")
    assert [str(output.file_of("000007")) for output in outputs] == [
        "a_flow/000007_kitti.png",
        "a_flow/000007_backward_kitti.png",
    ]


def test_the_files_of_one_direction_are_not_those_of_the_other(tmp_path):
    (tmp_path / "a_flow").mkdir()
    for name in ("000000.flo", "000000_backward.flo", "000000_kitti.png", "000000.png"):
        (tmp_path / "a_flow" / name).touch()
    outputs = plan_outputs(["flo", "kitti"], tmp_path / "a.mp4", video=True, direction="both")
    assert [[path.name for path in output.existing()] for output in outputs] == [
        ["000000.flo"],
        ["000000_backward.flo"],
        ["000000_kitti.png"],
        [],
    ]


def test_a_video_may_have_any_extension_that_suits_its_codec():
    containers = (".webm", ".mkv")
    assert _names(["video", "flo"], "a.mp4", video=True, containers=containers) == ["a_flow.webm", "a_flow"]
    assert _names(["side"], "a.mp4", video=True, containers=containers, output=Path("x.mkv")) == ["x.mkv"]
    with pytest.raises(UsageError) as failure:
        _names(["side"], "a.mp4", video=True, containers=containers, output=Path("x.mp4"))
    assert str(failure.value) == "-o x.mp4 does not fit what is saved: side (.webm or .mkv)"


def test_a_folder_of_images_gives_its_full_name_beside_itself(tmp_path):
    folder = tmp_path / "shot.v2"
    folder.mkdir()
    assert _names(["video"], folder, video=True) == [str(tmp_path / "shot.v2_flow.mp4")]


def test_names_keep_their_extension_where_they_would_collide():
    assert names_of([Path("a.mp4"), Path("a.mov"), Path("b.mp4")]) == ["a.mp4", "a.mov", "b"]


@pytest.mark.parametrize(
    ("outputs", "output", "expected"),
    [
        (["video"], "out/x.mp4", ["out/x.mp4"]),
        (["video"], "out/x.MP4", ["out/x.MP4"]),
        (["video"], "out", ["out/clip_flow.mp4"]),
        (["video"], "out.v2", ["out.v2/clip_flow.mp4"]),
        (["video", "overlay"], "out", ["out/clip_flow.mp4", "out/clip_overlay.mp4"]),
        (["png"], "out", ["out/clip_flow"]),
    ],
)
def test_output_is_a_file_when_one_is_written_and_it_fits(outputs, output, expected):
    assert _names(outputs, "clip.mov", video=True, output=Path(output)) == expected


@pytest.mark.parametrize(
    ("outputs", "output"), [(["video"], "x.png"), (["video", "overlay"], "x.mp4"), (["png"], "x.png")]
)
def test_an_extension_that_does_not_fit_is_refused(outputs, output):
    with pytest.raises(UsageError, match=f"^-o {output} does not fit what is saved: "):
        plan_outputs(outputs, Path("clip.mov"), video=True, output=Path(output))


@pytest.mark.parametrize(
    ("output", "video", "advice"),
    [
        ("x.flo", False, "add --save flo, or give a folder to -o"),
        ("x.FLO", True, "use .mp4, or give a folder to -o"),
        ("x.npy", True, "add --save npy, or give a folder to -o"),
        ("x.jpg", False, "use .png, or give a folder to -o"),
    ],
)
def test_the_output_that_an_extension_suits_is_named(output, video, advice):
    with pytest.raises(UsageError) as failure:
        plan_outputs(["video" if video else "png"], Path("clip.mov"), video=video, output=Path(output))
    assert failure.value.hint == advice


@pytest.mark.parametrize(
    ("outputs", "advice"),
    [
        (["video"], "use .mp4, .mov, .mkv, or give a folder to -o"),
        (["png"], "give a folder to -o"),
        (["video", "side"], "give a folder to -o"),
    ],
)
def test_the_extensions_that_fit_are_named_where_one_file_is_written(outputs, advice):
    with pytest.raises(UsageError) as failure:
        _names(outputs, "clip.mov", video=True, containers=(".mp4", ".mov", ".mkv"), output=Path("x.webm"))
    assert failure.value.hint == advice


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match=r"is a file, but a folder is needed$"):
        plan_outputs(["video"], Path("clip.mov"), video=True, output=tmp_path / "out")


def test_the_report_is_beside_the_outputs():
    outputs = plan_outputs(["png"], Path("in/clip.mp4"), video=True, output=Path("out"))
    assert report_path(outputs, Path("in/clip.mp4")) == Path("out/clip_flow.json")


def test_a_list_of_outputs_is_read_in_order_without_duplicates():
    assert choose("flo, png,flo") == ("flo", "png")


def test_an_unknown_output_is_refused_with_the_known_ones():
    with pytest.raises(UsageError) as failure:
        choose("vidoe")
    assert str(failure.value) == "--save vidoe is not known"
    assert failure.value.hint == f"did you mean video? use {', '.join(output_names())}"


def test_an_output_that_is_in_the_list_is_not_suggested():
    with pytest.raises(UsageError) as failure:
        choose("flo,foo")
    assert failure.value.hint == f"use {', '.join(output_names())}"


def test_every_output_has_a_description():
    assert descriptions()["video"] == "Flow in colour, as an H.264 video."
    assert all(text.endswith(".") for text in descriptions().values())


def test_names_and_descriptions_need_no_heavy_import():
    script = (
        "import sys, flowcli.flow.outputs, flowcli.media.sources; flowcli.flow.outputs.descriptions();"
        "print([name for name in ('av', 'cv2', 'numpy', 'torch') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def _check(tmp_path, *, outputs=("video",), overwrite=False, output=None):
    source = tmp_path / "clip.mp4"
    source.touch()
    outputs = plan_outputs(list(outputs), source, video=True, output=output)
    check_outputs(outputs, [source], overwrite=overwrite)


def test_new_outputs_may_be_written_and_checking_creates_nothing(tmp_path):
    _check(tmp_path, outputs=ALL, output=tmp_path / "new" / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(("output", "existing"), [("video", "clip_flow.mp4"), ("png", "clip_flow/000003.png")])
def test_an_existing_output_is_refused_unless_overwritten(tmp_path, output, existing):
    (tmp_path / existing).parent.mkdir(exist_ok=True)
    (tmp_path / existing).write_text("mine")
    with pytest.raises(UsageError) as failure:
        _check(tmp_path, outputs=[output])
    assert str(failure.value) == f"{tmp_path / existing} exists already"
    assert "-y" in failure.value.hint
    _check(tmp_path, outputs=[output], overwrite=True)
    assert (tmp_path / existing).read_text() == "mine"


def test_files_of_another_output_are_no_obstacle(tmp_path):
    (tmp_path / "clip_flow").mkdir()
    (tmp_path / "clip_flow" / "000000.png").touch()
    _check(tmp_path, outputs=["flo"])


@pytest.mark.parametrize("link", [None, os.symlink, os.link], ids=["itself", "symlink", "hardlink"])
def test_the_input_is_never_overwritten(tmp_path, link):
    output = tmp_path / "clip.mp4"
    output.touch()
    if link is not None:
        output = tmp_path / "other.mp4"
        link(tmp_path / "clip.mp4", output)
    with pytest.raises(UsageError) as failure:
        _check(tmp_path, output=output, overwrite=True)
    assert str(failure.value) == f"{output} is the input itself"


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "clip_flow.mp4").mkdir()
    with pytest.raises(UsageError, match=r"is a folder$"):
        _check(tmp_path, overwrite=True)


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"is a file$"):
        _check(tmp_path, output=tmp_path / "file" / "below")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError) as failure:
        _check(tmp_path, output=tmp_path / "new")
    assert str(failure.value) == f"{tmp_path / 'new'} cannot be written: permission denied"
