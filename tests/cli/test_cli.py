from __future__ import annotations

import logging
import os
import subprocess
import sys
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from flowcli.errors import DeviceError
from flowcli.flow.outputs import descriptions, kind_of
from flowcli.media.images import EXTENSIONS
from flowcli.training.recipes import names

COMMANDS = ("compare", "convert", "demo", "doctor", "eval", "pair", "track", "train", "video", "weights")


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def place(tmp_path: Path, make_images, make_video, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of good and bad inputs."""
    monkeypatch.chdir(tmp_path)
    folder = make_images("shots", count=3)
    for name, number in (("a.png", 0), ("b.png", 1)):
        (tmp_path / name).write_bytes((folder / f"{number}.png").read_bytes())
    cv2.imwrite("small.png", np.zeros((32, 64, 3), np.uint8))
    make_video("clip.mp4", frames=3)
    make_video("one.mp4", frames=1)
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "void").mkdir()
    (tmp_path / "taken_flow.mp4").write_text("mine")
    return tmp_path


IMAGE_HINT = "give a PNG, JPEG, WebP, TIFF or BMP"
IMAGES_HINT = "check the pattern; images are " + ", ".join(sorted(EXTENSIONS))
PART_HINT = "choose an earlier --start or a later --end"
OUTPUTS = ", ".join(descriptions())
REFUSALS = [
    ("video nope.mp4", 2, "nope.mp4 does not exist", "check the path"),
    ("video text.mp4", 3, "text.mp4 is text, not a video", "give a video file or a folder of images"),
    ("video one.mp4", 3, "one.mp4 has only one frame", "flow needs two frames; for pictures: `flowcli pair`"),
    ("video clip.mp4 --skip 9", 3, "clip.mp4 is too short for a pair", "with --skip 9 it takes at least 10 frames"),
    ("video clip.mp4 --start x", 2, "--start x is not a time", "write 12.5, 1:02.5, 1:02:03 or #120, a frame number"),
    ("video clip.mp4 --start 9", 2, "clip.mp4 ends before --start 9", "choose an earlier --start"),
    ("video clip.mp4 --end #0", 2, "--end #0 is not after --start #0", "choose a later --end"),
    ("video shots --start #1 --end .04", 2, "shots has no frame from #1 to 0.04", PART_HINT),
    ("video clip.mp4 --fps 9", 2, "clip.mp4 has timestamps", "--fps is for images, and for video without timestamps"),
    ("video shots --fps 0", 2, "--fps 0 is not a frame rate", "write 30, 29.97 or 30000/1001"),
    (f"video {'a' * 300}", 2, f"{'a' * 300} is not a path: file name too long", "check the path"),
    ("video *.jpg", 2, "*.jpg matches no image", IMAGES_HINT),
    ("pair nope.png b.png", 2, "nope.png does not exist", "check the path"),
    ("pair a.png text.png", 3, "text.png is not an image that can be read", IMAGE_HINT),
    ("pair a.png small.png", 2, "the images differ in size: 64 x 48 and 64 x 32", "give two images of one size"),
    ("pair a.png b.png --save pn", 2, "--save pn is not known", f"did you mean png? use {OUTPUTS}"),
    ("pair a.png b.png --save ,", 2, "--save names no output", f"use {OUTPUTS}"),
    ("pair a.png b.png --save video", 2, "--save video needs a video", "use --save png for a pair of images"),
    ("pair a.png b.png -o a.png", 2, "a.png is the input itself", "choose another -o"),
    ("video clip.mp4 -o clip.mp4 -y", 2, "clip.mp4 is the input itself", "choose another -o"),
    ("video clip.mp4 -o taken_flow.mp4", 2, "taken_flow.mp4 exists already", "-y overwrites it, -o writes elsewhere"),
    ("video clip.mp4 -o a.png/x", 2, "a.png/x cannot be a folder: {}/a.png is a file", "choose another folder with -o"),
    ("video clip.mp4 --max-flow nan", 2, "--max-flow nan is not a motion in px", "give a number above 0, or auto"),
    ("video clip.mp4 --max-flow=-1", 2, "--max-flow -1 is not a motion in px", "give a number above 0, or auto"),
    ("video clip.mp4 --precision fp99", 2, "'fp99' is not a precision", "use auto, fp32, bf16, fp16"),
    ("video clip.mp4 --device tpu", 2, "'tpu' is not a device", "use auto, cpu, cuda, cuda:N or mps"),
    ("video clip.mp4 --xyz", 2, "no such option: --xyz", "see `flowcli video --help`"),
    ("video a.png b.png", 2, "got unexpected extra argument(s) (b.png)", "quote patterns; see `flowcli video --help`"),
    ("video", 2, "missing argument 'INPUT'", "see `flowcli video --help`"),
    ("vdeo", 2, "no such command 'vdeo'. Did you mean 'video', 'demo'?", "see `flowcli --help`"),
    ("--bogus", 2, "no such option: --bogus", "see `flowcli --help`"),
    (
        "eval cinema void",
        2,
        "there is no dataset called 'cinema'",
        "choose one of chairs, hd1k, kitti, middlebury, pairs, sintel, spring, tartanair, things",
    ),
    ("eval pairs void --baseline raft", 2, "there is no baseline raft", "baselines: zero, dis, farneback"),
    ("train", 2, "missing option '--run'", "see `flowcli train --help`"),
    ("train --run r --recipe nope", 2, "there is no recipe 'nope'", f"recipes: {', '.join(names())}, or a .toml file"),
    ("train --run r --promote w", 2, "--promote scores the weights", "give --validation, a folder of pairs"),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS, ids=[line for line, *_ in REFUSALS])
def test_a_refusal_prints_an_error_and_a_hint_and_changes_no_file(
    place, flowcli, weights, refusal: tuple[str, int, str, str]
) -> None:
    line, code, error, hint = refusal
    before = files_below(place)
    own_weights = ["--weights", weights, "--iters", 1] if line.startswith(("video ", "pair ", "eval ")) else []
    ended = flowcli(*line.split(), *own_weights)
    assert (ended.code, ended.out) == (code, [])
    assert ended.err == [f"error: {error.format(place)}", f"hint: {hint}"]
    assert files_below(place) == before
    assert (place / "taken_flow.mp4").read_text() == "mine"


@pytest.mark.parametrize(
    ("skip", "wrong"),
    [("0", "it must be at least 1"), ("x", "it must be a whole number"), ("1.5", "it must be a whole number")],
)
def test_a_wrong_number_is_told_in_plain_words(flowcli, skip: str, wrong: str) -> None:
    assert flowcli("video", "a.mp4", "--skip", skip).err[0] == f"error: invalid value for '--skip': {wrong}"


def test_outputs_that_need_a_video_are_not_in_the_help_of_pair() -> None:
    left_out = set(descriptions()) - set(descriptions(video=False))
    assert left_out == {name for name in descriptions() if not kind_of(name, video=True).naming.pairs}
    assert "gif" in left_out


def test_a_number_out_of_range_is_exit_2(place, flowcli) -> None:
    ended = flowcli("video", "clip.mp4", "--skip", 0)
    assert (ended.code, ended.out, len(ended.err)) == (2, [], 2)
    assert ended.err[0].startswith("error: invalid value for '--skip': ")


@pytest.mark.parametrize("dataset", ["nope", "void"])
def test_an_unusable_dataset_is_refused_with_its_layout(place, compute, dataset: str) -> None:
    ended = compute("eval", "pairs", dataset)
    assert ended.code == {"nope": 2, "void": 3}[dataset]
    assert ended.err[0].startswith(f"error: {dataset} ")
    assert ended.err[1].startswith("hint: give a folder that holds NAME/frame1.png")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_without_permission_is_exit_7(place, compute) -> None:
    (place / "void").chmod(0o500)
    ended = compute("video", "clip.mp4", "-o", "void")
    assert (ended.code, ended.err[0]) == (7, "error: void cannot be written: permission denied")


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a folder that refuses even root")
def test_an_output_that_cannot_be_made_is_exit_7(place, compute) -> None:
    ended = compute("video", "clip.mp4", "-o", "/proc/flowcli")
    assert ended.code == 7
    assert ended.err == [
        "error: /proc/flowcli cannot be written: no such file or directory",
        "hint: choose another folder with -o",
    ]


def test_unfit_weights_are_exit_5(place, flowcli) -> None:
    assert flowcli("pair", "a.png", "b.png", "--weights", "nope").code == 5
    assert flowcli("pair", "a.png", "b.png", "--weights", "text.png").code == 5
    assert not (place / "a_flow.png").exists()


def test_stdout_has_the_paths_and_stderr_the_summary(place, compute) -> None:
    ended = compute("pair", "a.png", "b.png", "--save", "png,flo", "-o", "out")
    assert (ended.code, ended.out) == (0, ["out/a_flow.png", "out/a_flow.flo"])
    assert len(ended.err) == 1 and ended.err[0].startswith("1 flow in ")


def test_quiet_prints_only_the_paths(place, compute) -> None:
    ended = compute("pair", "a.png", "b.png", "-q")
    assert (ended.code, ended.out, ended.err) == (0, ["a_flow.png"], [])


def test_json_prints_the_report_and_nothing_else(place, compute) -> None:
    ended = compute("pair", "a.png", "b.png", "--json")
    assert ended.out == (place / "a_flow.json").read_text(encoding="utf-8").splitlines()


def test_control_characters_in_names_are_escaped(place, flowcli) -> None:
    assert flowcli("video", "no\x1b[2J\npe.mp4").err[0] == "error: no\\x1b[2J\\x0ape.mp4 does not exist"


def test_flowcli_alone_shows_its_help(flowcli) -> None:
    ended = flowcli()
    assert (ended.code, ended.err) == (0, [])
    assert any("Usage: flowcli" in line for line in ended.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_fits_80_columns_and_has_an_example(flowcli, command: str) -> None:
    ended = flowcli(command, "--help")
    assert (ended.code, ended.err) == (0, [])
    assert max(map(len, ended.out)) <= 80
    assert any(f"Example: flowcli {command}" in line for line in ended.out)


def test_the_exit_codes_have_a_line_each(flowcli) -> None:
    lines = [line.strip() for line in flowcli("--help").out]
    start = lines.index("Exit codes")
    assert [line.split("  ")[0] for line in lines[start + 1 : start + 10]] == [*"01234567", "130, 143, 129"]


@pytest.mark.parametrize("command", ["pair", "video"])
def test_help_lists_the_values_of_save(flowcli, command: str) -> None:
    lines = [line.strip() for line in flowcli(command, "--help").out]
    for name, text in descriptions(video=command == "video").items():
        assert any(line.split() == [name, *text.split()][: len(line.split())] for line in lines if line), name


def test_a_bug_prints_a_traceback_and_a_request_to_report_it(place, compute, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise EOFError

    # Typer converts EOFError to Abort.
    monkeypatch.setattr("flowcli.pipeline.video.open_source", broken)
    ended = compute("video", "clip.mp4")
    assert ended.code == 1
    assert "Traceback (most recent call last):" in ended.err
    assert ended.err[-2:] == ["error: this is a bug in flowcli", "hint: please report the lines above and the command"]


@pytest.mark.parametrize("log", [[], ["--log-file", "run.log"]])
def test_without_memory_for_the_traceback_the_error_is_still_reported(place, compute, monkeypatch, log) -> None:
    def exhausted(*_: object, **__: object) -> str:
        raise MemoryError

    monkeypatch.setattr("flowcli.pipeline.video.open_source", exhausted)
    monkeypatch.setattr("traceback.format_exc", exhausted)
    ended = compute("video", "clip.mp4", *log)
    assert ended.code == 6
    assert ended.err[-2] == "error: the system has no more memory or no more threads"


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_failed_run_held_is_freed_before_its_error_is_reported(place, compute, monkeypatch, wrapped) -> None:
    held = []

    def exhausted(*_: object, **__: object) -> None:
        volume = np.zeros(9)
        held.append(weakref.ref(volume))
        try:
            raise MemoryError
        except MemoryError as error:
            if wrapped:
                raise DeviceError("not enough memory", hint="use less") from error
            raise

    monkeypatch.setattr("flowcli.pipeline.video.open_source", exhausted)
    monkeypatch.setattr("flowcli.cli.app.write_line", lambda _: held.append(held[0]()))
    assert compute("video", "clip.mp4").code == 6
    assert [each is None for each in held[1:]] == [True, True]


def test_completion_finds_commands() -> None:
    environment = {**os.environ, "_FLOWCLI_COMPLETE": "complete_bash", "COMP_WORDS": "flowcli vi", "COMP_CWORD": "1"}
    call = [sys.executable, "-m", "flowcli"]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["video"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_stdout_is_an_output_error() -> None:
    script = (
        "import sys\nfrom flowcli.cli import app\nfrom flowcli.system import console\n"
        "app.answer = lambda arguments: console.print_result('x')\nsys.exit(app.run([]))"
    )
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (
        7,
        "error: stdout cannot be written: no space left on device",
    )


def test_a_closed_stdout_is_not_a_failure() -> None:
    script = "from flowcli.system.console import print_result\nfor _ in range(3): print_result('x' * 100_000)"
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_verbose_prints_how_flow_is_computed(place, compute) -> None:
    ended = compute("pair", "a.png", "b.png", "-v")
    assert (ended.code, ended.out) == (0, ["a_flow.png"])
    assert ended.err[0] == "frames of 64 x 48 are computed at 128 x 128"
    assert "device cpu, precision float32" in ended.err[2]


def test_the_log_file_has_all_messages_and_details_even_when_quiet(place, compute) -> None:
    for line in (("pair", "a.png", "b.png"), ("video", "nope.mp4")):
        compute(*line, "-q", "--log-file", "log.txt")
    log = (place / "log.txt").read_text(encoding="utf-8")
    assert "frames of 64 x 48 are computed at 128 x 128\n" in log
    assert " 1 flow in " in log
    assert "Traceback" in log
    assert log.splitlines()[-2].endswith(" error: nope.mp4 does not exist")
    assert compute("pair", "a.png", "b.png", "-y").code == 0
    assert (place / "log.txt").read_text(encoding="utf-8") == log


def test_a_log_file_keeps_names_that_are_not_text_and_ends_with_its_command(place, compute) -> None:
    name = os.fsdecode(b"\xff.mp4")
    compute("video", name, "--log-file", "log.txt")
    log = (place / "log.txt").read_text(encoding="utf-8")
    assert f"UsageError: {name.encode(errors='backslashreplace').decode()} does not exist" in log
    assert logging.getLogger("flowcli").level == logging.NOTSET


def test_a_log_file_that_cannot_be_written_is_exit_7(place, compute) -> None:
    ended = compute("pair", "a.png", "b.png", "--log-file", "nowhere/log.txt")
    assert ended.code == 7
    assert ended.err == [
        "error: nowhere/log.txt cannot be written: no such file or directory",
        "hint: choose another --log-file",
    ]
    assert not (place / "a_flow.png").exists()
