"""The recipes on generated pairs, by which the embedded weights were made."""

from __future__ import annotations

from dataclasses import replace

from flowcli.training.recipes._values import AugmentationSettings, Recipe, Stage

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
