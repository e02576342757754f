"""The pictures of README.md and docs/, made by the commands that they show.

    python -m tests.docs.pictures SINTEL

SINTEL is a folder of the ten frames 16 to 25 of Sintel's alley_1, such as those among princeton-vl/RAFT's demo frames,
called frame_0016.png and so on. Needs Chromium. Writes docs/pictures; the commands take five minutes on two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from flowcli.flow.drawing import CAPTION
from tests.inspection.chromium import CHROMIUM, chromium

Image = NDArray[np.uint8]

FOLDER = Path(__file__).parents[2] / "docs/pictures"
WIDTH = 1000
"""The widest picture, in pixels."""
QUALITY = 80
FRAME_MS = 180
"""How long the loop shows a frame."""
INSPECTED = (
    "architecture",
    "flow",
    "context",
    "steps",
    "motion_features",
    "upsampling",
    "convergence",
    "ablations",
)
"""The pictures of an inspection that docs/raft.md shows."""
OF_PIXEL = ("pyramid", "search", "lookup")
"""Those of its first pixel."""
SHARE = {"lookup": 0.46, "motion_features": 0.5}
"""How much of a tall picture is shown, from the top."""


def main(sintel: Path) -> None:
    """Makes all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        flowcli("video", sintel.absolute(), "--save", "side", "--codec", "ffv1", "-o", work)
        save_loop("sintel", frames(next(work.glob("*_side.mkv"))))
        flowcli("demo", "-o", work)
        # Reduced, its captions could not be read: the README has them.
        save("fan", cv2.imread(str(work / "fan_compared.png"))[CAPTION:])
        flowcli("inspect", "demo", "-o", work)
        save_inspection(work / "fan_inspect")


def flowcli(*arguments: object) -> None:
    """Runs a command."""
    subprocess.run([sys.executable, "-m", "flowcli", *map(str, arguments)], check=True)


def frames(video: Path) -> list[Image]:
    """The frames of a video, BGR."""
    capture = cv2.VideoCapture(str(video))
    found = []
    while (image := capture.read()[1]) is not None:
        found.append(image)
    return found


def save_inspection(folder: Path) -> None:
    """Saves what docs/raft.md shows of an inspection, and its explorer as a browser shows it."""
    pixel = json.loads((folder / "inspect.json").read_bytes())["pixels"][0]
    of_pixel = folder / f"pixel_{pixel['x']}_{pixel['y']}"
    for name, place in [(name, folder) for name in INSPECTED] + [(name, of_pixel) for name in OF_PIXEL]:
        image = cv2.imread(str(place / f"{name}.png"))
        save(name, image[: int(SHARE.get(name, 1) * image.shape[0])])
    save_page(folder / "explorer.html")


def save_page(page: Path) -> None:
    """Saves the explorer as a browser shows it at update 2, once RAFT has run in it."""
    if CHROMIUM is None:
        sys.exit("install Chromium for the picture of the explorer")
    shot = page.with_suffix(".png")
    with chromium() as tab:
        tab.screen(1366, 768)
        tab.open(page, "i=2")
        tab.wait("live.flows.length > data.updates && !live.stale && live.detail", seconds=300)
        tab.settle()
        tab.picture(shot)
    save("explorer", cv2.imread(str(shot)))


def save(name: str, image: Image) -> None:
    """Saves a picture as WebP, no wider than WIDTH."""
    cv2.imwrite(str(FOLDER / f"{name}.webp"), reduced(image), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])


def save_loop(name: str, images: list[Image]) -> None:
    """Saves frames as a WebP that repeats."""
    loop = cv2.Animation()
    loop.frames = [reduced(image) for image in images]
    loop.durations = np.full(len(images), FRAME_MS, np.int32)
    cv2.imwriteanimation(str(FOLDER / f"{name}.webp"), loop, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])


def reduced(image: Image) -> Image:
    """An image no wider than WIDTH."""
    height, width = image.shape[:2]
    if width <= WIDTH:
        return image
    return cv2.resize(image, (WIDTH, round(height * WIDTH / width)), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
