"""Training recipes as data: stages of crop, iterations and learning rate."""

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
    """How far and how often pairs are changed; probabilities are per pair, ranges are drawn from uniformly.

    `scale` and `stretch` are exponents of 2; a pair is never shrunk below the crop. `eraser_size` is a share of
    the crop's short side (RAFT's 50–100 px at 368), `degraded_scale` the exponents of 2 by which a pair is shrunk
    and enlarged again. Without `resize` a crop is cut at whole pixels and stays as sharp as it was stored.
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
    """A stretch of training steps that share their settings.

    The learning rate runs linearly through `learning_rate` (first step, last step), or, with `peak` above zero, through
    RAFT's one cycle up to that. `visible_only` masks pixels that the second frame does not show, and pixels faster than
    `max_flow` px never count. With `shifts` above zero the pairs are crops of one picture, up to that many pixels
    apart, instead of scenes. A step averages the gradients of `parts` batches, which several processes share.
    `freeze_norm` keeps the statistics of batch normalisation as they are, `frozen` whole parts of the model by name;
    `slow` ones learn at a fifth of the rate. `matching` is the weight of the features' own loss, and `renew_context`
    begins the context encoder anew.
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

    def rate(self, step: int) -> float:
        """The learning rate of a step of this stage, from 0."""
        if self.peak:
            return one_cycle(step, steps=self.steps, peak=self.peak)
        start, end = self.learning_rate
        return start + (end - start) * step / max(self.steps - 1, 1)

    def split(self, count: int) -> Stage:
        """The same stage with its batch in `count` parts, for less memory or more processes."""
        return replace(self, batch=self.batch // count, parts=self.parts * count)


@dataclass(frozen=True)
class DatasetShare:
    """A dataset's share in what is trained on: its pairs, `times` over; of these `groups` only, if any are named.

    Pairs are resized by 2^U(scale); `flip` mirrors them, `sparse` keeps flow that is known in places unblended.
    """

    dataset: str
    scale: tuple[float, float]
    times: int = 1
    groups: tuple[str, ...] = ()
    flip: bool = True
    sparse: bool = False


@dataclass(frozen=True)
class Recipe:
    """Stages in order, and what they share.

    Scenes are rendered at `render_size` (height, width). With `pool_pairs` above zero they come from a pool on disk
    that grows to that many as training goes on; at zero they are rendered all the while (for GPUs). With `data` they
    come from datasets instead. A run without weights begins with a new model of size `model`.
    """

    stages: tuple[Stage, ...]
    render_size: tuple[int, int] = (288, 384)
    pool_pairs: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    ema_decay: float = 0.999
    seed: int = 1
    data: tuple[DatasetShare, ...] = ()
    model: Literal["small", "large"] = "small"

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def begins(self, step: int) -> bool:
        """Whether a step (from 0) is the first of its stage."""
        return step in accumulate((stage.steps for stage in self.stages), initial=0)

    def at(self, step: int) -> tuple[Stage, float]:
        """The stage that a step (from 0) belongs to, and the step's learning rate."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, stage.rate(step)
            step -= stage.steps
        raise IndexError(f"the recipe ends {step + 1} steps earlier")


def one_cycle(step: int, *, steps: int, peak: float) -> float:
    """The learning rate of RAFT's schedule: from peak / 25 to the peak in a twentieth of the steps, then down.

    PyTorch's OneCycleLR as princeton-vl calls it: linear, for 100 steps more than there are.
    """
    total = steps + 100
    top = 0.05 * total - 1
    if step <= top:
        return peak / 25 + (peak - peak / 25) * step / top
    return peak + (peak / 25e4 - peak) * (step - top) / (total - 1 - top)


# At this length of training, strong augmentation and blurred crops hide what there is to learn: at a pool of
# 288x384 px these scales mostly shrink (weights/NOTES.md).
_GENTLE = AugmentationSettings(
    scale=(-0.6, 0.2),
    blur_probability=0.05,
    degraded_probability=0.05,
    noise_probability=0.25,
    noise_sigma=(0.0, 4.0),
    eraser_probability=0.25,
)
_LISTENING = Stage(
    "", 0, 6, (160, 208), 5, (1.5e-4, 0.0), power=0.5, parts=2, matching=0.1, frozen=("context_encoder",)
)
_LARGE = replace(_LISTENING, name="large", batch=4, crop=(208, 256), iterations=6)
_THAWED = replace(_LARGE, frozen=(), slow=("context_encoder",))
_ON_GPU = replace(_THAWED, batch=16, parts=1, crop=(288, 384), iterations=8)

RECIPES: dict[str, Recipe] = {
    # Two CPU cores: 27k samples in about an hour and a half.
    "cpu": Recipe(
        stages=(
            Stage("shifts", 450, 8, (128, 128), 4, (4.5e-4, 4.5e-4), shifts=20),
            Stage("coarse", 1200, 6, (160, 208), 6, (4.5e-4, 3e-4), visible_only=True, max_flow=32),
            Stage("fine", 1400, 6, (176, 224), 7, (3e-4, 1.45e-4), max_flow=64),
            Stage("calm", 1250, 6, (176, 224), 7, (1.6e-4, 0.0), visible_only=True, max_flow=24),
        ),
        pool_pairs=2816,
    ),
    # From weights that match already, in two processes on two CPU cores: 40k samples.
    "further": Recipe(
        stages=(
            Stage("warm-up", 50, 6, (160, 208), 5, (1e-5, 4e-4), visible_only=True, max_flow=48, parts=2),
            Stage("wide", 855, 6, (160, 208), 5, (4e-4, 3.1e-4), visible_only=True, max_flow=48, parts=2),
            Stage("fine", 1245, 6, (160, 208), 5, (3.1e-4, 1.78e-4), visible_only=True, power=0.5, parts=2),
            Stage("all", 357, 6, (160, 208), 6, (1.78e-4, 7.9e-05), power=0.5, parts=2),
            Stage("last", 850, 6, (160, 208), 6, (1.4e-4, 0.0), power=0.5, parts=2),
        ),
        pool_pairs=4032,
        augmentation=_GENTLE,
    ),
    # From weights that make no use of the first frame's context: 22k samples that teach them to, in two processes.
    "context": Recipe(
        stages=(
            replace(_LISTENING, name="warm-up", steps=40, learning_rate=(1e-5, 4e-4), matching=0.3, renew_context=True),
            replace(_LISTENING, name="wide", steps=531, learning_rate=(4e-4, 3.45e-4), matching=0.3),
            replace(_LISTENING, name="settling", steps=780, learning_rate=(3.45e-4, 1.5e-4)),
            replace(_LARGE, steps=640),
        ),
        pool_pairs=4032,
        augmentation=_GENTLE,
    ),
    # From weights that make use of the context: 48k samples more, in two processes.
    "longer": Recipe(
        stages=(
            replace(_LISTENING, name="warm-up", steps=60, learning_rate=(1e-5, 3.2e-4)),
            replace(_LISTENING, name="wide", steps=2400, learning_rate=(3.2e-4, 1.7e-4)),
            replace(_LARGE, steps=2400, learning_rate=(1.7e-4, 0.0)),
        ),
        pool_pairs=6016,
        augmentation=_GENTLE,
    ),
    # Larger crops, and the context encoder thaws: 47k samples more, in two processes.
    "more": Recipe(
        stages=(
            replace(_LARGE, name="warm-up", steps=344, learning_rate=(1e-5, 2.35e-4)),
            replace(_THAWED, steps=1448, learning_rate=(2.35e-4, 1.7e-4)),
            replace(
                _THAWED, name="visible", steps=2128, learning_rate=(1.75e-4, 8.6e-5), visible_only=True, max_flow=48
            ),
            replace(_THAWED, name="last", steps=2000, learning_rate=(8.6e-5, 0.0)),
        ),
        pool_pairs=6016,
        augmentation=_GENTLE,
    ),
    # A GPU, for which other processes render: 208k samples, or as many as fit into --minutes.
    "gpu": Recipe(
        stages=(
            replace(_ON_GPU, name="warm-up", steps=300, learning_rate=(1e-5, 4e-4)),
            replace(_ON_GPU, name="wide", steps=6700, learning_rate=(4e-4, 1.9e-4)),
            replace(_ON_GPU, name="long", steps=6000, iterations=12, learning_rate=(1.9e-4, 0.0), matching=0.0),
        ),
        render_size=(400, 528),
        augmentation=_GENTLE,
    ),
    # Seconds: to see that training works.
    "smoke": Recipe(
        stages=(Stage("smoke", 20, 2, (128, 128), 3, (1e-4, 1e-4)),), render_size=(160, 192), pool_pairs=16
    ),
}

FOLDER = Path(__file__).parent
# What a file may say: the rest of a recipe is about generated pairs, or computed.
STAGE_KEYS = {field.name for field in dataclasses.fields(Stage)}
SHARE_KEYS = {field.name for field in dataclasses.fields(DatasetShare)}
RECIPE_KEYS = {"model", "seed", "ema_decay", "stages", "data"}


def names() -> list[str]:
    """The recipes that can be asked for by name."""
    return [*RECIPES, *sorted(path.stem for path in FOLDER.glob("*.toml"))]


def find_recipe(name_or_path: str) -> Recipe:
    """The recipe of this name or in this file; raises UsageError where there is none."""
    if name_or_path in RECIPES:
        return RECIPES[name_or_path]
    for path in (FOLDER / f"{name_or_path}.toml", Path(name_or_path)):
        if path.suffix == ".toml" and path.is_file():
            return read_recipe(path)
    raise UsageError(f"there is no recipe {name_or_path!r}", hint=f"recipes: {', '.join(names())}, or a .toml file")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file; raises SourceError for what it does not say rightly."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        check(content, RECIPE_KEYS)
        stages = tuple(made(Stage, {"learning_rate": ends(table), **table}, STAGE_KEYS) for table in content["stages"])
        data = tuple(made(DatasetShare, table, SHARE_KEYS) for table in content["data"])
        others = {key: value for key, value in content.items() if key not in {"stages", "data"}}
        return made(Recipe, {**others, "stages": stages, "data": data}, RECIPE_KEYS)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"{path} is no recipe: {reason}", hint=f"see {FOLDER / 'finetune.toml'}") from error


def ends(table: Mapping[str, Any]) -> tuple[float, float]:
    """Where RAFT's one cycle begins and ends, for a stage that has one."""
    peak = float(table.get("peak", 0.0))
    return peak / 25, peak / 25e4


def made(kind: type[T], table: Mapping[str, Any], keys: set[str]) -> T:
    """A value from a table, whose lists become tuples."""
    check(table, keys)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**values)


def check(table: Mapping[str, Any], keys: set[str]) -> None:
    """Raises ValueError for a key that means nothing."""
    unknown = sorted(set(table) - keys)
    if unknown:
        raise ValueError(f"it knows no {unknown[0]}, only {', '.join(sorted(keys))}")
