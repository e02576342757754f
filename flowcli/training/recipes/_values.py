"""The values of recipes: a run, its stages, its datasets, and the augmentation of generated pairs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from flowcli.training.augmentation.photometry import Photometry


def rising(scale: tuple[float, float]) -> tuple[float, float]:
    """The range, if it is one."""
    if scale[0] > scale[1]:
        raise ValueError("the first number is larger than the second")
    return scale


# The values that recipe files may have.
Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=64, multiple_of=8)]
Positive = Annotated[float, Field(gt=0)]
AtLeastZero = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[tuple[float, float], AfterValidator(rising)]
FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class AugmentationSettings:
    """The strength and frequency of augmentation; probabilities are per pair, ranges are sampled uniformly.

    `scale` and `stretch` are exponents of 2; a pair is never shrunk below the crop. `eraser_size` is a fraction of
    the crop's shorter side (RAFT's 50–100 px at 368), `degraded_scale` the range of exponents of 2 by which a pair is
    shrunk and enlarged again. A pair that is not resized is cropped at whole pixels, without resampling.
    """

    resize_probability: float = 0.9
    scale: tuple[float, float] = (-0.2, 0.6)
    stretch: float = 0.2
    stretch_probability: float = 0.8
    horizontal_flip_probability: float = 0.5
    vertical_flip_probability: float = 0.1
    photometry: Photometry = field(default_factory=Photometry)
    blur_probability: float = 0.1
    blur_sigma: tuple[float, float] = (0.4, 1.5)
    degraded_probability: float = 0.1
    degraded_scale: tuple[float, float] = (-1.5, -0.3)
    noise_probability: float = 0.5
    noise_sigma: tuple[float, float] = (0.0, 8.0)
    eraser_probability: float = 0.5
    eraser_size: tuple[float, float] = (50 / 368, 100 / 368)


@dataclass(frozen=True)
class Stage:
    """Consecutive training steps with the same settings.

    The learning rate changes linearly from the first to the last step by `learning_rate`, or, with `peak` above zero,
    by RAFT's one-cycle schedule. The loss leaves out pixels that the second frame does not show (`visible_only`) and
    pixels with flow of `max_flow` px or more; `gamma` and `power` are those of `sequence_loss`. With `shifts` above
    zero, pairs are crops of one image up to that many pixels apart, instead of scenes. A step averages the gradients of
    `parts` batches of size `batch`, which processes may share. `freeze_norm` freezes the statistics of batch
    normalisation, `frozen` the named parts of the model; `slow` parts learn at a fifth of the rate. `matching` is the
    weight of the matching loss of the features, and `renew_context` reinitialises the context encoder before the first
    step. Before the `iterations` updates of the loss, half of the batches take up to `run_in` without gradient; the
    share `starts` of the batches begin at earlier flow (`openings`).
    """

    __pydantic_config__ = FORBID

    name: str
    steps: Count
    batch: Count
    crop: tuple[Side, Side]
    iterations: Count
    learning_rate: tuple[AtLeastZero, AtLeastZero]
    weight_decay: AtLeastZero = 1e-4
    gamma: Positive = 0.8
    visible_only: bool = False
    max_flow: Positive = 400.0
    power: Positive = 1.0
    shifts: int = 0
    parts: Count = 1
    peak: AtLeastZero = 0.0
    freeze_norm: bool = False
    matching: AtLeastZero = 0.0
    frozen: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    renew_context: bool = False
    run_in: Annotated[int, Field(ge=0)] = 0
    starts: Share = 0.0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from the start of the stage."""
        if self.peak:
            return one_cycle(step, steps=self.steps, peak=self.peak)
        start, end = self.learning_rate
        return start + (end - start) * step / max(self.steps - 1, 1)

    def split(self, count: int) -> Stage:
        """The same stage with its batch split into `count` parts, for less memory or more processes."""
        return replace(self, batch=self.batch // count, parts=self.parts * count)


@dataclass(frozen=True)
class DatasetShare:
    """A dataset's share of a mixture: its pairs `times` over, of the `groups` only, if any are named.

    Pairs are resized by 2^U(scale); with `flip` some are mirrored; with `sparse` flow is resized without interpolation.
    """

    __pydantic_config__ = FORBID

    dataset: str
    scale: Scale
    times: Count = 1
    groups: tuple[str, ...] = ()
    flip: bool = True
    sparse: bool = False


@dataclass(frozen=True)
class Recipe:
    """The stages of a run in order, and their common settings.

    Pairs are scenes rendered at `render_size` (height, width): from a pool on disk that grows to `pool_pairs` during
    training, or rendered continually where that is zero. With `data`, pairs come from datasets instead. A run without
    initial weights trains a new model of size `model`; weights that lack its mask head get a new one. `refiner` is the
    learned refiner, for the flow of the weights.
    """

    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    render_size: tuple[int, int] = (288, 384)
    pool_pairs: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    seed: Annotated[int, Field(ge=0)] = 1
    data: tuple[DatasetShare, ...] = ()
    model: Literal["small", "small-convex", "large", "refiner"] = "small"

    @property
    def refines(self) -> bool:
        """Whether the learned refiner is trained, not RAFT."""
        return self.model == "refiner"

    @property
    def steps(self) -> int:
        """The number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def begins(self, step: int) -> bool:
        """Whether a step (from 0) is the first of its stage."""
        return step in accumulate((stage.steps for stage in self.stages), initial=0)

    def at(self, step: int) -> tuple[Stage, float]:
        """The stage and the learning rate of a step (from 0); raises IndexError after the last one."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, stage.rate(step)
            step -= stage.steps
        raise IndexError(f"the recipe ends {step + 1} steps earlier")


def one_cycle(step: int, *, steps: int, peak: float) -> float:
    """The learning rate of RAFT's schedule: from peak / 25 up to the peak in a twentieth of the steps, then down.

    This is PyTorch's OneCycleLR as princeton-vl/RAFT uses it: linear, with 100 steps more than are run.
    """
    total = steps + 100
    top = 0.05 * total - 1
    if step <= top:
        return peak / 25 + (peak - peak / 25) * step / top
    return peak + (peak / 25e4 - peak) * (step - top) / (total - 1 - top)
