"""report.html: every clip of a batch on one page."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from flowcli.batch.report import motion_of, preview, thinned
from flowcli.cli.app import run
from flowcli.flow.outputs._writers import RecordFile

pytestmark = pytest.mark.usefixtures("no_thread_stays")

CHROMIUM = shutil.which("chromium")
ODD = "day/</script> & “x” #1 50%.mp4"
SORT = """<script>setTimeout(() => {
  const [button] = [...document.querySelectorAll("th button")].filter((one) => one.textContent === "TITLE");
  for (let click = 0; click < CLICKS; click++) button.click();
}, 100);</script></body>"""


LINE = ("batch", "clips", "-o", "out", "--save", "flo,video", "--iters", "4", "--refine", "none", "--report")


@pytest.fixture(scope="module")
def batch(write_video, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of two clips that move by 3 and 6 px to the left, and two that cannot be computed."""
    folder = tmp_path_factory.mktemp("batch")
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 200, 3), np.uint8), (0, 0), 2)
    for name, step in (("slow.mp4", 3), (ODD, 6)):
        path = folder / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, images=[texture[:, number * step :][:, :128] for number in range(5)])
    (folder / "clips/text.mp4").write_text("no video\n" * 9)
    Path(os.fsdecode(bytes(folder / "clips") + b"/bad\xff.mp4")).write_bytes(bytes(99))
    with contextlib.chdir(folder):
        assert run(list(LINE)) == 4
    return folder


@pytest.fixture(autouse=True)
def beside(batch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the batch's folder the current one."""
    monkeypatch.chdir(batch)


def embedded() -> dict[str, Any]:
    page = Path("out/report.html").read_text()
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def entries() -> dict[str, dict[str, Any]]:
    return {clip["clip"]: clip for clip in embedded()["clips"]}


def test_the_page_has_every_clip_with_its_motion_or_its_reason() -> None:
    clips = entries()
    assert list(clips) == ["bad\ufffd.mp4", ODD, "slow.mp4", "text.mp4"]
    assert clips["text.mp4"]["error"] == "clips/text.mp4 is text, not a video"
    assert clips["text.mp4"]["hint"]
    for name, step in (("slow.mp4", 3), (ODD, 6)):
        assert clips[name]["mean"] == pytest.approx(step, abs=0.5)
        assert clips[name]["moving"] > 0.9
        assert clips[name]["direction"] == pytest.approx(180, abs=10)
        assert len(clips[name]["curve"]) == 4


def test_links_lead_to_the_clips_and_their_outputs() -> None:
    for clip in entries().values():
        for link in [clip["source"], *(output["link"] for output in clip["outputs"])]:
            assert Path("out", os.fsdecode(unquote(link, encoding="utf-8", errors="surrogateescape"))).exists()
    assert [output["name"] for output in entries()[ODD]["outputs"]] == ["flow", "flow.mp4"]


def test_the_page_loads_nothing_and_no_name_ends_its_script() -> None:
    page = Path("out/report.html").read_text()
    assert not re.search(r"(?:src|href)=[\"']?(?!data:)|https?://(?!www\.w3\.org/2000/svg)|url\(", page)
    assert page.count("</script>") == 2


def test_a_later_run_can_write_the_page_without_computing(flowcli, monkeypatch: pytest.MonkeyPatch) -> None:
    before = entries()
    Path("out/report.html").unlink()
    monkeypatch.setattr("flowcli.model.estimator.FlowEstimator.estimate_batch", lambda *_: pytest.fail("it computed"))
    assert flowcli(*LINE).code == 4
    assert entries() == before


def test_a_preview_joins_what_segments_saw(compute) -> None:
    line = ("batch", "clips", "-o", "segments", "--include", "slow.mp4", "--save", "flo,video", "--report")
    assert compute(*line, "--segment", 2).code == 0
    (seen,) = [json.loads(path.read_bytes()) for path in Path("segments/.previews").glob("slow*")]
    assert [pair["time"] for pair in seen] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert sum("poster" in pair for pair in seen) == 1


def test_only_pairs_faster_than_all_before_are_drawn(make_estimate, tmp_path: Path, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(preview, "picture", lambda image: str(drawn.append(image)))
    writer = RecordFile(tmp_path / "preview.json", preview.KIND)
    for speed in (2, 1, 3, 3):
        writer.write(make_estimate(np.full((48, 64, 2), speed, np.float32)))
    writer.close()
    assert len(drawn) == 2 * 2
    assert ["poster" in pair for pair in json.loads((tmp_path / "preview.json").read_text())] == [
        False,
        False,
        True,
        False,
    ]


def test_pairs_across_cuts_count_for_nothing() -> None:
    def pair(mean: float, *, cut: bool, **more: object) -> dict[str, Any]:
        return {"time": 0.0, "cut": cut, "mean": mean, "fast": mean, "moving": 1.0, "direction": None, **more}

    poster = {"poster": {"frame": "", "flow": "", "scale": 1}}
    motion = motion_of([pair(2, cut=False), pair(99, cut=True), pair(4, cut=False, **poster)])
    assert (motion["mean"], motion["cuts"], motion["curve"]) == (3, 1, [2, 4])


def test_long_curves_keep_their_peaks() -> None:
    values = [0.0] * 9999
    values[5000] = 7.0
    assert len(thinned(values)) == 120
    assert max(thinned(values)) == 7


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("title", "clicks", "order"),
    [
        ("mean px", 1, [ODD, "slow.mp4", "bad\ufffd.mp4", "text.mp4"]),
        ("mean px", 2, ["slow.mp4", ODD, "bad\ufffd.mp4", "text.mp4"]),
        ("clip", 2, ["text.mp4", "slow.mp4", ODD, "bad\ufffd.mp4"]),
    ],
)
def test_a_click_sorts_the_page(title: str, clicks: int, order: list[str]) -> None:
    page = Path("out/report.html").read_text()
    Path("out/sorted.html").write_text(
        page.replace("</body>", SORT.replace("TITLE", title).replace("CLICKS", str(clicks)))
    )
    line = [
        str(CHROMIUM),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=2000",
        "--dump-dom",
    ]
    shown = subprocess.run(
        [*line, Path("out/sorted.html").absolute().as_uri()], check=True, capture_output=True, timeout=60
    )
    names = re.findall(r'title="Open the clip">(.*?)</a>', shown.stdout.decode())
    assert [html.unescape(name) for name in names] == order
