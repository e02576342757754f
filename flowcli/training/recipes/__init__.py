"""Training recipes: the stages of a run with their settings."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flowcli.errors import SourceError, UsageError
from flowcli.training.augmentation.photometry import Photometry

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


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

    name: str
    steps: int
    batch: int
    crop: tuple[int, int]
    iterations: int
    learning_rate: tuple[float, float]
    weight_decay: float = 1e-4
    gamma: float = 0.8
    visible_only: bool = False
    max_flow: float = 400.0
    power: float = 1.0
    shifts: int = 0
    parts: int = 1
    peak: float = 0.0
    freeze_norm: bool = False
    matching: float = 0.0
    frozen: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    renew_context: bool = False
    run_in: int = 0
    starts: float = 0.0

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

    dataset: str
    scale: tuple[float, float]
    times: int = 1
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

    stages: tuple[Stage, ...]
    render_size: tuple[int, int] = (288, 384)
    pool_pairs: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    ema_decay: float = 0.999
    seed: int = 1
    data: tuple[DatasetShare, ...] = ()
    model: Literal["small", "small-convex", "large", "refiner"] = "small"

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


# Short training gains from weaker augmentation and sharper crops: these scales mostly shrink pairs of 288x384 px
# (weights/NOTES.md).
_WEAK_AUGMENTATION = AugmentationSettings(
    scale=(-0.6, 0.2),
    blur_probability=0.05,
    degraded_probability=0.05,
    noise_probability=0.25,
    noise_sigma=(0.0, 4.0),
    eraser_probability=0.25,
)
_FROZEN_CONTEXT = Stage(
    "", 0, 6, (160, 208), 5, (1.5e-4, 0.0), power=0.5, parts=2, matching=0.1, frozen=("context_encoder",)
)
_LARGE_CROPS = replace(_FROZEN_CONTEXT, name="large", batch=4, crop=(208, 256), iterations=6)
_SLOW_CONTEXT = replace(_LARGE_CROPS, frozen=(), slow=("context_encoder",))
_ON_GPU = replace(_SLOW_CONTEXT, batch=16, parts=1, crop=(288, 384), iterations=8, run_in=16, starts=0.4)
_LONG = replace(_ON_GPU, iterations=12, run_in=12, matching=0.0)
_ENCODERS = ("feature_encoder", "context_encoder")
_UPDATES_ALONE = replace(
    _LARGE_CROPS,
    parts=1,
    iterations=5,
    matching=0.0,
    run_in=20,
    starts=0.4,
    frozen=_ENCODERS,
    slow=("update_block",),
)
_HEAD_ALONE = replace(_UPDATES_ALONE, iterations=2, starts=0.2, frozen=(*_ENCODERS, "update_block"), slow=())

RECIPES: dict[str, Recipe] = {
    # For two CPU cores: 27k samples in about an hour and a half.
    "cpu": Recipe(
        stages=(
            Stage("shifts", 450, 8, (128, 128), 4, (4.5e-4, 4.5e-4), shifts=20),
            Stage("coarse", 1200, 6, (160, 208), 6, (4.5e-4, 3e-4), visible_only=True, max_flow=32),
            Stage("fine", 1400, 6, (176, 224), 7, (3e-4, 1.45e-4), max_flow=64),
            Stage("calm", 1250, 6, (176, 224), 7, (1.6e-4, 0.0), visible_only=True, max_flow=24),
        ),
        pool_pairs=2816,
    ),
    # From weights of `cpu`, in two processes on two CPU cores: 40k samples.
    "further": Recipe(
        stages=(
            Stage("warm-up", 50, 6, (160, 208), 5, (1e-5, 4e-4), visible_only=True, max_flow=48, parts=2),
            Stage("wide", 855, 6, (160, 208), 5, (4e-4, 3.1e-4), visible_only=True, max_flow=48, parts=2),
            Stage("fine", 1245, 6, (160, 208), 5, (3.1e-4, 1.78e-4), visible_only=True, power=0.5, parts=2),
            Stage("all", 357, 6, (160, 208), 6, (1.78e-4, 7.9e-05), power=0.5, parts=2),
            Stage("last", 850, 6, (160, 208), 6, (1.4e-4, 0.0), power=0.5, parts=2),
        ),
        pool_pairs=4032,
        augmentation=_WEAK_AUGMENTATION,
    ),
    # From weights that do not use the context features: trains the GRU to use them, in two processes: 22k samples.
    "context": Recipe(
        stages=(
            replace(
                _FROZEN_CONTEXT, name="warm-up", steps=40, learning_rate=(1e-5, 4e-4), matching=0.3, renew_context=True
            ),
            replace(_FROZEN_CONTEXT, name="wide", steps=531, learning_rate=(4e-4, 3.45e-4), matching=0.3),
            replace(_FROZEN_CONTEXT, name="settling", steps=780, learning_rate=(3.45e-4, 1.5e-4)),
            replace(_LARGE_CROPS, steps=640),
        ),
        pool_pairs=4032,
        augmentation=_WEAK_AUGMENTATION,
    ),
    # From weights of `context`, in two processes: 48k samples.
    "longer": Recipe(
        stages=(
            replace(_FROZEN_CONTEXT, name="warm-up", steps=60, learning_rate=(1e-5, 3.2e-4)),
            replace(_FROZEN_CONTEXT, name="wide", steps=2400, learning_rate=(3.2e-4, 1.7e-4)),
            replace(_LARGE_CROPS, steps=2400, learning_rate=(1.7e-4, 0.0)),
        ),
        pool_pairs=6016,
        augmentation=_WEAK_AUGMENTATION,
    ),
    # From weights of `longer`, in two processes, with larger crops and a slow context encoder: 47k samples.
    "more": Recipe(
        stages=(
            replace(_LARGE_CROPS, name="warm-up", steps=344, learning_rate=(1e-5, 2.35e-4)),
            replace(_SLOW_CONTEXT, steps=1448, learning_rate=(2.35e-4, 1.7e-4)),
            replace(
                _SLOW_CONTEXT,
                name="visible",
                steps=2128,
                learning_rate=(1.75e-4, 8.6e-5),
                visible_only=True,
                max_flow=48,
            ),
            replace(_SLOW_CONTEXT, name="last", steps=2000, learning_rate=(8.6e-5, 0.0)),
        ),
        pool_pairs=6016,
        augmentation=_WEAK_AUGMENTATION,
    ),
    # For a GPU, with render workers, from weights of a small model, which get a mask head: 230k samples, or as many as
    # fit into --minutes. A step of the last stage takes nearly twice as long as one before.
    "gpu": Recipe(
        stages=(
            replace(_ON_GPU, name="warm-up", steps=300, learning_rate=(1e-5, 4e-4)),
            replace(_ON_GPU, name="wide", steps=6700, learning_rate=(4e-4, 2.2e-4)),
            replace(_LONG, name="long", steps=5000, learning_rate=(2.2e-4, 8e-5)),
            replace(_LONG, name="large", steps=2400, crop=(368, 496), learning_rate=(8e-5, 0.0)),
        ),
        render_size=(400, 528),
        augmentation=_WEAK_AUGMENTATION,
        ema_decay=0.9995,
        model="small-convex",
    ),
    # From weights without a mask head: trains a new one alone.
    "head": Recipe(
        stages=(replace(_HEAD_ALONE, name="head", steps=1500, learning_rate=(1e-3, 0.0)),),
        pool_pairs=1536,
        augmentation=_WEAK_AUGMENTATION,
        ema_decay=0.99,
        model="small-convex",
    ),
    # From weights of `head`: trains the updates, for any number of them and any start, with a head five times as fast.
    "joint": Recipe(
        stages=(
            replace(_UPDATES_ALONE, name="warm-up", steps=40, learning_rate=(4e-5, 4e-4)),
            replace(_UPDATES_ALONE, name="joint", steps=1200, learning_rate=(4e-4, 0.0)),
        ),
        pool_pairs=2880,
        augmentation=_WEAK_AUGMENTATION,
        model="small-convex",
    ),
    # The learned refiner, for the flow of frozen weights: 24k samples, each crop two dozen times.
    "refiner": Recipe(
        stages=(Stage("refiner", 6000, 4, (224, 288), 0, (2e-3, 0.0), weight_decay=1e-5, power=0.7, max_flow=200),),
        pool_pairs=1024,
        augmentation=_WEAK_AUGMENTATION,
        ema_decay=0.998,
        seed=7,
        model="refiner",
    ),
    # A test of a few seconds.
    "smoke": Recipe(
        stages=(Stage("smoke", 20, 2, (128, 128), 3, (1e-4, 1e-4)),), render_size=(160, 192), pool_pairs=16
    ),
}

FOLDER = Path(__file__).parent
# The keys of a recipe file; the other fields of a recipe are about generated pairs.
STAGE_KEYS = {field.name for field in dataclasses.fields(Stage)}
SHARE_KEYS = {field.name for field in dataclasses.fields(DatasetShare)}
RECIPE_KEYS = {"model", "seed", "ema_decay", "stages", "data"}


def names() -> list[str]:
    """The names of all recipes."""
    return [*RECIPES, *sorted(path.stem for path in FOLDER.glob("*.toml"))]


def find_recipe(name_or_path: str) -> Recipe:
    """The recipe of this name or in this .toml file; raises UsageError where there is none, and as `read_recipe`."""
    if name_or_path in RECIPES:
        return RECIPES[name_or_path]
    for path in (FOLDER / f"{name_or_path}.toml", Path(name_or_path)):
        if path.suffix == ".toml" and path.is_file():
            return read_recipe(path)
    raise UsageError(f"there is no recipe {name_or_path!r}", hint=f"recipes: {', '.join(names())}, or a .toml file")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a .toml file; raises SourceError where the file is not a valid recipe."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        check(content, RECIPE_KEYS)
        stages = tuple(made(Stage, {"learning_rate": ends(table), **table}, STAGE_KEYS) for table in content["stages"])
        data = tuple(made(DatasetShare, table, SHARE_KEYS) for table in content["data"])
        others = {key: value for key, value in content.items() if key not in {"stages", "data"}}
        return made(Recipe, {**others, "stages": stages, "data": data}, RECIPE_KEYS)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{path} is not a recipe: {reason}", hint=f"see {FOLDER / 'finetune.toml'}") from error


def ends(table: Mapping[str, Any]) -> tuple[float, float]:
    """The first and last learning rates of RAFT's one-cycle schedule; 0 for a stage without `peak`."""
    peak = float(table.get("peak", 0.0))
    return peak / 25, peak / 25e4


def made(kind: type[T], table: Mapping[str, Any], keys: set[str]) -> T:
    """A dataclass from a table, whose lists become tuples; raises ValueError for an unknown key."""
    check(table, keys)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**values)


def check(table: Mapping[str, Any], keys: set[str]) -> None:
    """Raises ValueError for an unknown key."""
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}, the keys are {', '.join(sorted(keys))}")
