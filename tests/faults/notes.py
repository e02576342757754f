"""Section 4.6: lists of clips, records of earlier runs, and options of inspect."""

from __future__ import annotations

from pathlib import Path

from tests.faults.making import clip, still, truncate
from tests.faults.registry import fault

NINES = "9" * 5000

for _name, _file, _text, _code, _says in (
    ("of wrong columns", "l.csv", "clip,skip\na.mp4,2\n", 2, "has no path"),
    ("of unknown options", "l.csv", "path,colour\na.mp4,2\n", 2, "colour is not an option"),
    ("of more cells than columns", "l.csv", "path\na.mp4,2\n", 2, "entry 1"),
    ("that leaves its folder", "l.txt", "../../etc/passwd\n", 2, "is not below"),
    ("of absolute paths", "l.txt", "/etc/passwd\n", 2, "is not below"),
    ("of its own folder", "l.txt", ".\n", 2, "is not below"),
    ("in UTF-16", "l.txt", "a.mp4\n".encode("utf-16"), 3, "is not text"),
    ("that is a table of bytes", "l.csv", bytes(range(256)) * 20, 3, "is not text"),
    ("with a field of 200 kB", "l.csv", f"path,skip\na.mp4,{'9' * 200_000}\n", 3, "cannot be read"),
    ("with a number of 5000 digits", "l.csv", f"path,skip\na.mp4,{NINES}\n", 2, "is not a valid int"),
    ("with such a number in JSON", "l.jsonl", f'{{"path":"a.mp4","skip":{NINES}}}\n', 3, "cannot be read"),
    ("100,000 brackets deep", "l.jsonl", '{"path":' + "[" * 100_000 + "\n", 3, "cannot be read"),
    ("of values that are not objects", "l.jsonl", "[1]\n", 3, "not objects"),
    ("with a number for a path", "l.jsonl", '{"path":5}\n', 2, "has no path"),
    ("that sets the output folder", "l.jsonl", '{"path":"a.mp4","output":"/tmp"}\n', 2, "applies to the whole batch"),
    ("that names outputs", "l.jsonl", '{"path":"a.mp4","name":"../../evil"}\n', 2, "is not a name for outputs"),
    ("with NaN", "l.jsonl", '{"path":"a.mp4","scale":NaN}\n', 2, "is not a valid float"),
    ("of a name with NUL", "l.txt", "a\0.mp4\n", 3, "is not text"),
    ("of a name of 5000 characters", "l.txt", "y" * 5000 + "\n", 2, "is not a path"),
    ("of one clip twice", "l.txt", "a.mp4\n./a.mp4\n", 2, "listed twice"),
    ("of a name with a terminal escape sequence", "l.txt", "a.mp4\n\x1b[31m.mp4\n", 4, "1 of 2 clips"),
    ("of a name that is not UTF-8", "l.txt", b"a.mp4\n\xff.mp4\n", 4, "1 of 2 clips"),
    ("that is empty", "l.txt", "\n\n", 3, "no clip found"),
    ("that is a video", "l.mp4", b"\0\0\0 ftypisom", 2, "is a video"),
):

    @fault("4.6", f"a list {_name}", code=_code, says=_says, holds=lambda: not Path("../evil_flow.mp4").exists())
    def listed(file: str = _file, text: str | bytes = _text) -> str:
        clips()
        Path("c", file).write_bytes(text if isinstance(text, bytes) else text.encode())
        return f"batch c/{file} -o out"


for _name, _record in (
    ("half a record", b'{"items": [{"clip"'),
    ("a record of something else", b"[1, 2]"),
    ("bytes for a record", b"\xff\0" * 99),
    ("a folder for a record", None),
):

    @fault("4.6", f"a batch with {_name}", code=2, says="was not written by flowcli batch")
    def damaged_record(record: bytes | None = _record) -> str:
        clips()
        write("out/batch.json", record)
        return "batch c -o out"


for _name, _content in (("half a", b'{"job": {'), ("no", b"[]"), ("bytes for a", b"\xff\xff")):

    @fault("4.6", f"{_name} journal to resume", code=2, says="manifest.json was not written by flowcli")
    def damaged_journal(content: bytes = _content) -> str:
        clips()
        write("out/.a_flow.run/manifest.json", content)
        return "video c/a.mp4 -o out --resume"

    @fault("4.6", f"{_name} report to resume", code=2, says="exists already")
    def damaged_report(content: bytes = _content) -> str:
        clips()
        write("out/a_flow.mp4", Path("c/a.mp4").read_bytes())
        write("out/a_flow.json", content)
        return "video c/a.mp4 -o out --resume"


@fault("4.6", "a batch into the folder of its clips", code=2, says="is the folder of the clips")
def batch_into_itself() -> str:
    clips()
    return "batch c -o c"


@fault(
    "4.6", "clips whose names collide with extensions", code=0, holds=lambda: len(list(Path("out").glob("*.mp4"))) == 3
)
def colliding_names() -> str:
    clips()
    for name in ("a.mkv", "a.mp4.mkv"):
        clip(f"c/{name}", frames=3)
    return "batch c -o out"


@fault(
    "4.6",
    "clips whose names are markup, in a report",
    code=4,
    says="1 of 2 clips",
    holds=lambda: no_markup("out/report.html"),
)
def markup() -> str:
    clips()
    Path("c/<img src=x onerror=alert(1)>.mp4").write_bytes(b"")
    return "batch c -o out --report"


for _at in ("1000,1", "-1,0", "1.5,2", "x", "1,2,3", f"{NINES},1", "nan,1"):

    @fault("4.6", f"inspect at {_at[:9]}", code=2, says="--at")
    def bad_pixel(at: str = _at) -> str:
        pair()
        return f"inspect a.png b.png -o out --at={at}"


for _options, _code, _says in (
    ("c/a.mp4 --frame 99", 2, "has no frame 99"),
    ("c/a.mp4 --frame 100000000000000000000", 2, "has no frame"),
    ("c/a.mp4 --skip 100000000000000000000", 2, "has no frame"),
    ("a.png", 3, "is an image"),
    ("a.png b.png a.png", 2, "too many"),
    ("a.png cut.png", 3, "cut.png"),
    ("a.png b.png --gt none.flo", 2, "does not exist"),
    ("a.png b.png --gt bad.flo", 3, "bad.flo"),
    ("a.png b.png --motion-channels 99999", 2, "is not a channel"),
    ("a.png b.png --hidden-channels a", 2, "is not a channel"),
    ("a.png b.png --warm-start", 2, "no earlier pair"),
):

    @fault("4.6", f"inspect {_options}", code=_code, says=_says, holds=lambda: not Path("out").exists())
    def bad_inspection(options: str = _options) -> str:
        clips()
        pair()
        still("cut.png")
        truncate("cut.png", 0.5)
        Path("bad.flo").write_bytes(b"PIEH")
        return f"inspect {options} -o out"


@fault(
    "4.6",
    "inspect into a folder of other files",
    code=2,
    says="did not write",
    holds=lambda: Path("out/a_inspect/mine").exists(),
)
def inspect_over_other_files() -> str:
    pair()
    write("out/a_inspect/mine", b"")
    return "inspect a.png b.png -o out -y"


for _option, _says in (
    (f"--start {NINES}:00:00", "is not a time"),
    (f"--memory {NINES}G", "is not an amount of memory"),
    (f"--fps {NINES}", "is not a frame rate"),
):

    @fault("4.6", f"option {_option[:12]}", code=2, says=_says)
    def many_digits(option: str = _option) -> str:
        clips()
        return f"video c/a.mp4 -o out {option}"


def clips() -> None:
    """Writes a folder of one clip."""
    Path("c").mkdir()
    clip("c/a.mp4", frames=3)


def pair() -> None:
    """Writes two images."""
    still("a.png")
    still("b.png", shift=1)


def write(name: str, content: bytes | None) -> None:
    """Writes a file and the folders above it, or makes a folder where `content` is None."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


def no_markup(path: str | Path) -> bool:
    """Whether a page holds no HTML element from a file's name."""
    return "<img src=x" not in Path(path).read_text(encoding="utf-8")
