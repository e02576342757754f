"""Lists of clips, with options of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcli.batch.clip_list import read_list
from flowcli.errors import FlowcliError
from tests.outputs import files_below

pytestmark = pytest.mark.usefixtures("place")


def listed(name: str, text: str) -> list[tuple[str, dict[str, object]]]:
    Path("day").mkdir(exist_ok=True)
    Path("day", name).write_text(text)
    return [(clip.key, dict(clip.options)) for clip in read_list(Path("day", name))]


def test_a_list_has_a_path_in_every_line() -> None:
    assert listed("l.txt", "b.mp4\n\nsub/a, c.mkv\n./x/../d.mov\n") == [
        ("b.mp4", {}),
        ("sub/a, c.mkv", {}),
        ("d.mov", {}),
    ]


def test_a_table_gives_clips_options_of_their_own() -> None:
    table = "path,skip,--iters,max-side,warm_start,crf\na.mp4,2,,,yes,0\nb.mp4,,auto,64,,\n"
    assert listed("l.csv", table) == [
        ("a.mp4", {"skip": 2, "warm_start": True, "crf": 0}),
        ("b.mp4", {"iterations": "auto", "max_side": 64}),
    ]
    lines = [{"path": "a.mp4", "skip": 2, "start": "1:02"}, {"path": "b.mp4", "gamma": 0.5, "legend": False}]
    assert listed("l.jsonl", "\n".join(map(json.dumps, lines))) == [
        ("a.mp4", {"skip": 2, "start": "1:02"}),
        ("b.mp4", {"gamma": "0.5", "legend": False}),
    ]


def test_only_line_breaks_end_a_line_and_names_keep_other_separators() -> None:
    assert listed("l.txt", "\ufeffa\u2028b.mp4\r\nc\x85d.mp4\n") == [("a\u2028b.mp4", {}), ("c\x85d.mp4", {})]
    assert listed("l.jsonl", '{"path": "a\u2028b.mp4"}\n') == [("a\u2028b.mp4", {})]


def test_an_absolute_path_below_the_list_is_taken(place: Path) -> None:
    assert listed("l.txt", f"{place}/day/a.mp4\n") == [("a.mp4", {})]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "../../x.mp4\n", "day/l.txt, entry 1: ../../x.mp4 is not below day"),
        ("l.txt", "/etc/passwd\n", "day/l.txt, entry 1: /etc/passwd is not below day"),
        ("l.txt", "a.mp4\n./a.mp4\n", "day/l.txt, entry 2: a.mp4 is listed twice"),
        ("l.csv", "path,start\na.mp4,1\na.mp4,1\n", "day/l.csv, entry 2: a.mp4 is listed twice"),
        ("l.csv", "path,name\na.mp4,x\nb.mp4,x\n", "day/l.csv, entry 2: b.mp4 would have the outputs of a.mp4: x"),
        ("l.csv", "path,name\na.mp4,../x\n", "day/l.csv, entry 1: ../x is not a name for outputs"),
        ("l.csv", "first\na.png\n", "day/l.csv, entry 1 names one image of two"),
        ("l.csv", "path,first,second\na.mp4,b.png,c.png\n", "day/l.csv, entry 1 names one image of two"),
        ("l.csv", "path,skip,skip\na.mp4,1,2\n", "day/l.csv cannot be read: it has two columns skip"),
        ("l.csv", "path,skip,--skip\na.mp4,1,2\n", "day/l.csv, entry 1: --skip is given twice"),
        ("l.csv", "path;skip\na.mp4;2\n", "day/l.csv cannot be read: its columns are not separated by commas"),
        ("l.txt", "\n", "no clip found in day/l.txt"),
        ("l.txt", "a\0b\n", "day/l.txt cannot be read: it is not text"),
        ("l.jsonl", r'{"path": "a\u0000b"}', "day/l.jsonl, entry 1: a\0b is not a path"),
        ("l.mp4", "a.mp4", "day/l.mp4 is a video, not a folder or a list"),
        ("l.csv", "file\na.mp4\n", "day/l.csv, entry 1 has no path"),
        ("l.csv", "path,skip\na.mp4,0\n", "day/l.csv, entry 1: skip 0 is not a valid int"),
        ("l.csv", "path,scale\na.mp4,nan\n", "day/l.csv, entry 1: scale nan is not a valid float"),
        ("l.csv", "path,legend\na.mp4,maybe\n", "day/l.csv, entry 1: legend maybe is not a valid bool"),
        ("l.csv", "path,weights\na.mp4,x\n", "day/l.csv, entry 1: weights applies to the whole batch"),
        ("l.jsonl", '{"path": "a.mp4", "zoom": 1}', "day/l.jsonl, entry 1: zoom is not an option of flowcli video"),
        ("l.jsonl", '{"path": ["a.mp4"]}', "day/l.jsonl, entry 1 has no path"),
        ("l.jsonl", '["a.mp4"]', "day/l.jsonl has lines that are not objects"),
        ("l.jsonl", "{", "day/l.jsonl cannot be read: Expecting property name"),
    ],
)
def test_what_a_list_may_not_say_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(FlowcliError) as refused:
        listed(name, text)
    assert str(refused.value).startswith(message)


def test_a_video_may_be_listed_for_several_places_and_under_names() -> None:
    Path("l.csv").write_text(
        "path,start,skip,name\nd/a.mp4,,,\nd/a.mp4,#5,,\nd/a.mp4,1:02.5,,\nd/a.mp4,1:02.5,2,far\nb.mp4,,,near\n"
    )
    clips = read_list(Path("l.csv"))
    assert [clip.key for clip in clips] == [
        *("d/a_at_frame0", "d/a_at_frame5", "d/a_at_1-02.5"),
        *("d/far", "near"),
    ]
    assert [clip.name for clip in clips] == ["a_at_frame0", "a_at_frame5", "a_at_1-02.5", "far", "near"]
    assert len(read_list(Path("l.csv"), include=["a.mp4"])) == 4


def test_a_batch_computes_places_of_a_video_and_pairs_of_images(compute, make_video, make_images) -> None:
    make_video("a.mp4", frames=8)
    make_images("shots", count=3)
    rows = [
        {"path": "a.mp4", "start": "#0", "max_frames": 2},
        {"path": "a.mp4", "start": "#5", "max_frames": 2},
        {"first": "shots/0.png", "second": "shots/2.png"},
        {"first": "shots/0.png", "second": "shots/1.png", "name": "near"},
    ]
    Path("l.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert compute("batch", "l.jsonl", "--save", "flo").code == 0
    assert [name for name in files_below("l_flow") if name.endswith(".flo")] == [
        *("a_at_frame0_flow/000000.flo", "a_at_frame5_flow/000000.flo"),
        *("shots/0_2_flow.flo", "shots/near_flow.flo"),
    ]
    (pair,) = json.loads(Path("l_flow/a_at_frame5_flow.json").read_text())["pairs"]
    assert (pair["source_first"], pair["source_second"], pair["source_time"]) == (5, 6, "1/5")
    report = json.loads(Path("l_flow/shots/0_2_flow.json").read_text())
    assert report["command"] == "pair"
    assert [Path(report["pairs"][0][name]).name for name in ("image", "second_image")] == ["0.png", "2.png"]
    before = Path("l_flow/batch.json").read_text()
    assert compute("batch", "l.jsonl", "--save", "flo").code == 0
    assert json.loads(Path("l_flow/batch.json").read_text())["items"] == json.loads(before)["items"]


def test_globs_must_leave_a_clip_of_a_list() -> None:
    Path("l.txt").write_text("a.mp4\nb.mkv\n")
    assert [clip.key for clip in read_list(Path("l.txt"), exclude=["*.mkv"])] == ["a.mp4"]
    with pytest.raises(FlowcliError, match=r"no clip found in l\.txt"):
        read_list(Path("l.txt"), include=["*.mov"])


def test_a_batch_of_a_table_computes_what_it_says(compute, make_video) -> None:
    Path("day").mkdir()
    make_video("day/a.mp4", frames=5)
    make_video("day/b.mp4", frames=5)
    Path("l.csv").write_text("path,skip\nday/a.mp4,2\nday/b.mp4,\nday/gone.mp4,\n")
    ended = compute("batch", "l.csv", "--save", "flo")
    assert ended.code == 4
    assert any("day/gone.mp4 does not exist" in line for line in ended.out)
    flows = [name for name in files_below("l_flow") if name.endswith(".flo")]
    assert flows == [
        *(f"day/a_flow/{n:06d}.flo" for n in (0, 2)),
        *(f"day/b_flow/{n:06d}.flo" for n in range(4)),
    ]
