"""Tiny datasets in published layouts, written independently of flowcli's readers."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 6, 8


def flow_of(seed: int) -> np.ndarray:
    """A random flow (height, width, 2) in steps of 1/64 px, which every format stores exactly."""
    return np.random.default_rng(seed).integers(-640, 640, (HEIGHT, WIDTH, 2)).astype(np.float32) / 64


def picture(path: Path, *, red: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """Writes an image of one colour, identified by its red."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((*size, 3), np.uint8)
    image[..., 2] = red  # OpenCV writes BGR
    assert cv2.imwrite(str(path), image)
    return path


def mask(path: Path, marked: list[tuple[int, int]]) -> Path:
    """Writes a black image that is white at the marked (row, column)s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place in marked:
        image[place] = 255
    assert cv2.imwrite(str(path), image)
    return path


def flo(path: Path, flow: np.ndarray) -> Path:
    """Middlebury's format: "PIEH", width, height, then x and y of every pixel, all little-endian."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = flow.shape[:2]
    path.write_bytes(b"PIEH" + struct.pack("<ii", width, height) + flow.astype("<f4").tobytes())
    return path


def kitti(path: Path, flow: np.ndarray, unknown: list[tuple[int, int]]) -> Path:
    """KITTI's format: a 16-bit PNG of 64 u + 2^15, 64 v + 2^15 and 1; all 0 where the ground truth is unknown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    red_green_blue = np.dstack([flow * 64 + 2**15, np.ones(flow.shape[:2])]).astype(np.uint16)
    for place in unknown:
        red_green_blue[place] = 0
    assert cv2.imwrite(str(path), red_green_blue[..., ::-1])
    return path


def pfm(path: Path, flow: np.ndarray) -> Path:
    """Portable float map as in FlyingThings3D: three channels, the lowest row first, little-endian (-1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = flow.shape[:2]
    rows = [struct.pack("<fff", *flow[row, column], 0.0) for row in reversed(range(height)) for column in range(width)]
    path.write_bytes(f"PF\n{width} {height}\n-1\n".encode() + b"".join(rows))
    return path


def sintel(root: Path) -> Path:
    """Two scenes of three and two frames in both passes; pixel (0, 1) is invalid, (2, 3) occluded."""
    training = root / "training"
    for scene, frames in (("alley_1", 3), ("market_2", 2)):
        for number in range(1, frames + 1):
            name = f"{scene}/frame_{number:04d}"
            for passed, red in (("clean", 10), ("final", 100)):
                picture(training / passed / f"{name}.png", red=red + number)
            if number < frames:
                flo(training / "flow" / f"{name}.flo", flow_of(number))
                mask(training / "occlusions" / f"{name}.png", [(2, 3)])
                mask(training / "invalid" / f"{name}.png", [(0, 1)])
    for number in (1, 2):
        for passed in ("clean", "final"):
            picture(root / "test" / passed / "ambush_1" / f"frame_{number:04d}.png", red=number)
    return root


def kitti_2015(root: Path, frames: str = "image_2") -> Path:
    """Two pairs; the ground truth is unknown at (0, 0), and (1, 1) moves out of the frame."""
    for number in (0, 7):
        for base in ("training", "testing"):
            for moment in (10, 11):
                picture(root / base / frames / f"{number:06d}_{moment}.png", red=moment)
        kitti(root / "training" / "flow_occ" / f"{number:06d}_10.png", flow_of(number), [(0, 0)])
        kitti(root / "training" / "flow_noc" / f"{number:06d}_10.png", flow_of(number), [(0, 0), (1, 1)])
    return root


def chairs(root: Path) -> Path:
    """Three pairs, the second of them for validation."""
    for number in (1, 2, 3):
        for frame in (1, 2):
            picture(root / "data" / f"{number:05d}_img{frame}.ppm", red=10 * number + frame)
        flo(root / "data" / f"{number:05d}_flow.flo", flow_of(number))
    (root / "FlyingChairs_train_val.txt").write_text("1\n2\n1\n")
    return root


def things(root: Path) -> Path:
    """A scene of three frames for each half, with forward and backward flow at every frame, as published."""
    for half in ("TRAIN", "TEST"):
        for number in (6, 7, 8):
            for passed in ("frames_cleanpass", "frames_finalpass"):
                picture(root / passed / half / "A" / "0000" / "left" / f"{number:04d}.png", red=number)
            for folder, file in (("into_future", "OpticalFlowIntoFuture"), ("into_past", "OpticalFlowIntoPast")):
                place = root / "optical_flow" / half / "A" / "0000" / folder / "left"
                pfm(place / f"{file}_{number:04d}_L.pfm", flow_of(number if folder == "into_future" else -number % 100))
    return root


def hd1k(root: Path) -> Path:
    """Two sequences of three and two frames, with ground truth at every frame, unknown at (0, 0)."""
    for sequence, frames in ((0, 3), (5, 2)):
        for number in range(frames):
            name = f"{sequence:06d}_{number:04d}.png"
            picture(root / "hd1k_input" / "image_2" / name, red=number)
            kitti(root / "hd1k_flow_gt" / "flow_occ" / name, flow_of(number), [(0, 0)])
    return root


def middlebury(root: Path) -> Path:
    """Venus, its flow unknown at (0, 0), and a sequence without public ground truth."""
    for name in ("Venus", "Beanbags"):
        for number in (10, 11):
            picture(root / "other-data" / name / f"frame{number}.png", red=number)
    flow = flow_of(1)
    flow[0, 0] = 1666666752.0  # as in the published files
    flo(root / "other-gt-flow" / "Venus" / "flow10.flo", flow)
    return root


def spring(root: Path) -> Path:
    """A scene of two frames of the left camera; forward and backward flow at twice the size, unknown at (0, 0)."""
    import h5py

    for number, way in ((1, "FW"), (2, "BW")):
        picture(root / "train" / "0001" / "frame_left" / f"frame_left_{number:04d}.png", red=number)
        path = root / "train" / "0001" / f"flow_{way}_left" / f"flow_{way}_left_{number:04d}.flo5"
        path.parent.mkdir(parents=True)
        flow = flow_of(number).repeat(2, axis=0).repeat(2, axis=1)
        flow[1::2], flow[:, 1::2] = 99, 99
        flow[0, 0] = np.nan
        with h5py.File(path, "w") as file:
            file.create_dataset("flow", data=flow, compression="gzip", compression_opts=5)
    return root


def tartanair(root: Path) -> Path:
    """A trajectory of three frames; (0, 0) moves out of the frame (mask 100), (0, 1) is occluded (1)."""
    trajectory = root / "office" / "Hard" / "P003"
    (trajectory / "flow").mkdir(parents=True)
    for number in range(3):
        picture(trajectory / "image_left" / f"{number:06d}_left.png", red=number)
    hidden = np.zeros((HEIGHT, WIDTH), np.uint8)
    hidden[0, :2] = 100, 1
    for number in range(2):
        pair = f"{number:06d}_{number + 1:06d}"
        np.save(trajectory / "flow" / f"{pair}_flow.npy", flow_of(number))
        np.save(trajectory / "flow" / f"{pair}_mask.npy", hidden)
    return root
