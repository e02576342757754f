"""Commands on randomly damaged files end with an exit code, one error and one hint."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.making import clip, picture, still
from tests.faults.running import playable, run_here

LINES = {
    "a.mp4": "video a.mp4",
    "a.ts": "video a.ts",
    "a.mkv": "video a.mkv",
    "a.gif": "video a.gif",
    "a.png": "pair a.png a.png",
    "a.jpg": "pair a.jpg a.jpg",
    "a.webp": "pair a.webp a.webp",
    "a.tif": "pair a.tif a.tif",
    "a.flo": "convert a.flo b.npz",
    "a.npz": "convert a.npz b.flo",
    "a.csv": "batch a.csv",
    "a.jsonl": "batch a.jsonl",
}


@dataclass(frozen=True)
class Damage:
    """Bytes that overwrite a file at fractions of its length, and the fraction at which it ends."""

    places: list[tuple[float, bytes]]
    end: float

    def of(self, data: bytes) -> bytes:
        """The damaged bytes."""
        damaged = bytearray(data)
        for fraction, value in self.places:
            place = int(len(data) * fraction)
            damaged[place : place + len(value)] = value
        return bytes(damaged[: int(len(data) * self.end)])


FRACTION = st.floats(0, 1, allow_nan=False)
DAMAGE = st.builds(
    Damage,
    st.lists(st.tuples(FRACTION, st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    st.one_of(st.just(1.0), FRACTION),
)


def whole(name: str) -> None:
    """Writes an undamaged file."""
    ending = Path(name).suffix
    if ending in {".mp4", ".ts", ".mkv", ".gif"}:
        gif = {"codec": "gif", "pix_fmt": "rgb8", "codec_options": {}} if ending == ".gif" else {}
        clip(name, frames=3, **gif)
    elif ending in {".flo", ".npz"}:
        from flowcli.flow.formats import flo, npz

        (flo if ending == ".flo" else npz).write(Path(name), picture()[..., :2].astype("float32"))
    elif ending in {".csv", ".jsonl"}:
        clip("b.mp4", frames=2)
        Path(name).write_text("path,skip\nb.mp4,1\n" if ending == ".csv" else '{"path": "b.mp4", "skip": 1}\n')
    else:
        still(name)


@given(name=st.sampled_from(sorted(LINES)), damage=DAMAGE)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_damaged_file_ends_with_an_exit_code_and_an_error(
    loaded: None, weights: Path, name: str, damage: Damage
) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        whole(name)
        Path(name).write_bytes(damage.of(Path(name).read_bytes()))
        command, *rest = LINES[name].split()
        model = [] if command == "convert" else ["--weights", str(weights), "--iters", "1", "-o", "out"]
        code, stderr = run_here([command, *rest, *model])
        assert code in {0, 2, 3, 4}, stderr
        assert not [line for line in stderr.splitlines() if line.startswith(("Traceback", "native: "))], stderr
        assert stderr.count("error: ") == stderr.count("hint: ") == (code > 0)
        assert not [path for path in Path().rglob(".*") if path.is_file() and ".part" in path.name]
        assert all(playable(path) for path in Path().glob("out/*.mp4"))
