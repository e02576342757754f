"""Frames in memory, as other programs hold them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

import flowcli
from flowcli.media.device_image import DeviceImage
from flowcli.media.frames import Frame
from flowcli.media.memory import image_of, levels_of, samples_of
from flowcli.media.pairs import pair_up
from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.quality import Effort
from flowcli.model.resize import grey_on, resized_on
from raft_core.raft import RAFT


@pytest.fixture(scope="module")
def estimator() -> flowcli.Estimator:
    torch.manual_seed(0)
    model = RAFT()
    model.update_block.flow_head.conv2.weight.data.mul_(10)
    return flowcli.Estimator(model, iterations=1)


def shots(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)


def tensors(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def pil(frames: np.ndarray) -> list:
    image = pytest.importorskip("PIL.Image")
    return [image.fromarray(frame) for frame in frames]


def reused(frames: np.ndarray) -> Iterator[np.ndarray]:
    buffer = np.empty_like(frames[0])
    for frame in frames:
        buffer[:] = frame
        yield buffer


CONTAINERS = {
    "a list": list,
    "an iterator": lambda frames: iter(list(frames)),
    "an array": lambda frames: frames,
    "a camera's buffer": reused,
    "PIL": pil,
    "RGBA": lambda frames: np.concatenate([frames, frames[..., :1]], axis=3),
    "float": lambda frames: frames / 255,
    "half": lambda frames: (frames / 255).astype(np.float16),
    "uint16": lambda frames: frames.astype(np.uint16) * 257,
    "mirrored": lambda frames: frames[:, :, ::-1][:, :, ::-1],
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_frames_of_every_kind_have_the_flow_of_their_pixels(estimator: flowcli.Estimator, kind: str) -> None:
    wanted = [estimator.estimate(*shots()[n : n + 2]).flow for n in range(3)]
    found = list(estimator.video(CONTAINERS[kind](shots())))
    assert [each.pair.first.index for each in found] == [0, 1, 2]
    assert [each.pair.second.time for each in found] == [Fraction(n, 25) for n in (1, 2, 3)]
    assert all(np.array_equal(each.flow, flow) for each, flow in zip(found, wanted, strict=True))


GREYS = {
    "two axes": lambda grey: grey,
    "one channel": lambda grey: grey[..., None],
    "tensors": lambda grey: torch.from_numpy(grey)[:, None],
    "float tensors": lambda grey: [torch.from_numpy(each / 255) for each in grey],
    "PIL": pil,
}


@pytest.mark.parametrize("kind", GREYS)
def test_grey_frames_are_those_with_three_equal_channels(estimator: flowcli.Estimator, kind: str) -> None:
    grey = shots(2)[..., 0]
    (found,) = estimator.video(GREYS[kind](grey))
    wanted = estimator.estimate(*np.repeat(grey[..., None], 3, axis=3)).flow
    assert np.array_equal(
        np.asarray(found.flow), wanted if kind in {"two axes", "one channel", "PIL"} else wanted.transpose(2, 0, 1)
    )


def test_tensors_give_tensors_and_a_path_arrays(estimator: flowcli.Estimator, make_video) -> None:
    both = flowcli.Estimator(estimator._of_videos.model, iterations=1, direction="both")
    for source in (tensors(shots()), list(tensors(shots()))):
        for result in both.video(source):
            assert [type(value) for value in (result.flow, result.backward, result.occlusion)] == [torch.Tensor] * 3
            assert result.flow.shape == result.backward.shape == (2, 48, 64)
    for result in both.video(make_video(frames=2)):
        assert result.flow.shape == result.backward.shape == (48, 64, 2)
        assert result.occlusion.shape == (48, 64)


def test_a_narrow_range_of_uint16_is_stretched_as_in_files() -> None:
    narrow = (1000 + shots(1)[0].astype(np.uint16)).astype(np.uint16)
    assert np.ptp(image_of(samples_of(narrow, "first"), levels_of(narrow))) > 200


@pytest.mark.parametrize("deep", [np.uint16, np.float32])
def test_levels_choose_the_values_of_black_and_white(estimator: flowcli.Estimator, deep: type) -> None:
    values = shots(2).astype(deep) * 10 + 1000
    shown = flowcli.Estimator(estimator._of_videos.model, iterations=1, levels="1000,3550")
    wanted = estimator.estimate(*shots(2)).flow
    assert np.array_equal(shown.estimate(*values).flow, wanted)
    assert [np.array_equal(each.flow, wanted) for each in shown.video(values)] == [True]


def test_parts_and_pairs_are_chosen_as_in_videos(estimator: flowcli.Estimator) -> None:
    def indices(**part) -> list[tuple[int, int | None]]:
        found = estimator.video(shots(9), **part)
        number = len(found)
        taken = [(each.pair.first.index, each.pair.first.source_index) for each in found]
        assert len(taken) == number
        return taken

    assert indices(skip=3) == [(0, 0), (3, 3)]
    assert indices(start="#2", max_frames=4) == [(0, 2), (1, 3), (2, 4)]
    assert indices(start=0.2, end=0.8, fps=10) == [(n, n + 2) for n in range(5)]
    assert indices(sample_fps="10", fps=30) == [(0, 0), (3, 3)]
    assert indices(skip=7, sliding=True, pad_last=True) == [(n, n) for n in range(9)]


@pytest.mark.parametrize("kind", ["an array", "an iterator", "a folder"])
def test_flow_is_from_a_reference_to_every_other_frame(estimator: flowcli.Estimator, make_images, kind: str) -> None:
    source = make_images(count=4) if kind == "a folder" else CONTAINERS[kind](shots())
    found = list(estimator.video(source, reference=1))
    assert [(each.pair.first.index, each.pair.second.index) for each in found] == [(1, 0), (1, 2), (1, 3)]
    assert found[0].pair.second.time == 0
    for each in found:
        alone = estimator.estimate(each.pair.first.image, each.pair.second.image).flow
        assert np.array_equal(each.flow, alone)


def test_the_length_is_that_of_the_iterable_where_it_is_known(estimator: flowcli.Estimator) -> None:
    assert len(estimator.video(shots(5))) == 4
    unknown = estimator.video(iter(shots(3)))
    with pytest.raises(TypeError, match="number of flows is unknown"):
        len(unknown)
    assert unknown and len(list(unknown)) == 2


def test_a_generator_runs_in_the_callers_thread_and_no_further_than_asked(estimator: flowcli.Estimator) -> None:
    taken = []

    def camera() -> Iterator[np.ndarray]:
        for frame in shots():
            taken.append(threading.current_thread())
            yield frame

    flows = estimator.video(camera())
    assert not taken
    next(flows)
    assert taken == [threading.main_thread()] * 2
    flows.close()


def test_few_of_2000_frames_in_memory_are_held(estimator: flowcli.Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: set[int] = set()
    held = []

    def frames() -> Iterator[np.ndarray]:
        frame = np.zeros((8, 8, 3), np.uint8)
        for number in range(2000):
            frame[:] = number % 256
            yield frame

    def made(samples, levels):
        image = image_of(samples, levels)
        alive.add(id(image))
        weakref.finalize(image, alive.discard, id(image))
        return image

    monkeypatch.setattr("flowcli.media.memory.image_of", made)
    # The model is the same for every pair; without it, the test is quick.
    monkeypatch.setattr(FlowEstimator, "estimate_batch", one_zero_flow)
    for _ in estimator.video(frames(), skip=3, sliding=True):
        held.append(len(alive))
    assert (len(held), max(held) <= 6) == (1997, True)


def one_zero_flow(_self, batch, memory, _plan):
    from flowcli.flow.estimate import Estimate

    memory.last = (batch[0].first.index, batch[0].second.index)
    return [Estimate(pair, torch.zeros(2, 8, 8), iterations=1, warm=False) for pair in batch]


class Reader:
    """A reader as other libraries have it: a length, items by number, and images of its own kind."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> Own:
        return Own(shots()[number])


class Own:
    """An image that NumPy can read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.pixels


def test_readers_and_images_of_other_libraries_are_frames(estimator: flowcli.Estimator) -> None:
    flows = estimator.video(Reader())
    assert len(flows) == 3
    assert np.array_equal(next(flows).flow, estimator.estimate(*shots(2)).flow)


@pytest.mark.parametrize("size", [(96, 130), (48, 65), (41, 77), (200, 271)])
def test_an_image_on_a_device_is_resized_as_an_array_is(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (96, 130, 3), np.uint8)
    there = DeviceImage(torch.from_numpy(image).permute(2, 0, 1))
    cpu = torch.device("cpu")
    difference = resized_on(cpu, image, size).int() - resized_on(cpu, there, size).int()
    assert difference.abs().max() <= 1
    assert (grey_on(cpu, image, size) - grey_on(cpu, there, size)).abs().max() <= (size != image.shape[:2])


@pytest.mark.parametrize(("quality", "size"), [("fast", (96, 130)), ("balanced", (96, 130)), ("best", (64, 80))])
def test_images_on_a_device_have_the_flow_of_arrays(estimator: flowcli.Estimator, quality: str, size) -> None:
    import cv2

    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 3)
    arrays = [Frame(n, Fraction(n), np.ascontiguousarray(np.roll(texture, 2 * n, axis=1))) for n in range(3)]
    on_device = [replace(each, image=DeviceImage(torch.from_numpy(each.image).permute(2, 0, 1))) for each in arrays]
    loaded = flowcli.load()
    effort = Effort(quality=quality, iterations="3", precision="fp32")
    flows = [
        np.stack([each.flow for each in estimator_for(loaded, device="cpu", effort=effort).estimate(pair_up(frames))])
        for frames in (arrays, on_device)
    ]
    assert np.abs(flows[0] - flows[1]).mean() < 0.02
    assert np.array_equal(np.asarray(on_device[1].image), arrays[1].image)
