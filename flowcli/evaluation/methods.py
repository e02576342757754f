"""Methods that estimate flow, side by side: RAFT with some weights, and methods without learning."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.media.frames import Frame, FramePair
from flowcli.model.device import choose_device, choose_precision, keep_memory
from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.memory import Memory
from flowcli.model.settings import Settings
from flowcli.model.weights import find
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from raft_core.images import Placement


class FlowFunction(Protocol):
    """How a method is asked: two frames (height, width, 3), and whether they continue the pair asked before."""

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        """The flow (height, width, 2) in pixels."""
        ...


@dataclass(frozen=True)
class Method:
    """One way to estimate flow; `protocol` is what a figure of it must be told with."""

    name: str
    estimate: FlowFunction
    protocol: Mapping[str, object] = field(default_factory=dict)

    @property
    def warm(self) -> bool:
        """Whether a pair's flow depends on the pair before."""
        return bool(self.protocol.get("warm_start"))


@dataclass(frozen=True)
class MethodOptions:
    """Which methods were asked for, and how those with weights compute."""

    weights: Sequence[str]
    baselines: Sequence[str] = ()
    iterations: int = 12
    device: str = "auto"
    precision: str = "fp32"
    warm_start: bool = False
    placement: Placement = "centre"


def method_options(
    dataset: str,
    *,
    weights: Sequence[str],
    baselines: str,
    iterations: int,
    device: str,
    precision: str,
    warm_start: bool,
    padding: str,
) -> MethodOptions:
    """The methods of a comma list, and padding as published where that is left to the dataset."""
    if padding not in {"auto", "centre", "bottom"}:
        raise UsageError(f"--padding {padding} is not known", hint="use auto, centre or bottom")
    placement = datasets.placement(dataset) if padding == "auto" else cast("Placement", padding)
    names = [name.strip() for name in baselines.split(",") if name.strip()]
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UsageError(f"there is no baseline {unknown[0]}", hint=f"baselines: {', '.join(BASELINES)}")
    return MethodOptions(weights, names, iterations, device, precision, warm_start, placement)


def methods(options: MethodOptions) -> list[Method]:
    """Every method that was asked for, weights first, each under a name of its own."""
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    keep_memory()
    settings = Settings(
        iterations=options.iterations, precision=precision, warm_start=options.warm_start, placement=options.placement
    )
    chosen: dict[str, Method] = {}
    for name in options.weights:
        weights = find(name)
        label = weights.name if weights.name not in chosen else name
        protocol = {
            "sha256": weights.sha256,
            "iterations": options.iterations,
            "precision": str(precision).removeprefix("torch."),
            "device": str(device),
            "padding": {"centre": "centre (sintel)", "bottom": "bottom (kitti)"}[options.placement],
            "warm_start": options.warm_start,
        }
        estimator = estimator_for(weights, device=options.device, precision=options.precision, settings=settings)
        chosen[label] = Method(label, Sequential(estimator), protocol)
    for name in options.baselines:
        chosen[name] = Method(name, _cold(BASELINES[name]))
    return list(chosen.values())


class Sequential:
    """Asks an estimator for pair after pair; one that continues the last may start from its flow."""

    def __init__(self, estimator: FlowEstimator) -> None:
        self._estimator = estimator
        self._memory = Memory()
        self._index = 0

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        """The flow (height, width, 2) in pixels."""
        self._index += 1 if continues else 2
        start, end = self._index, self._index + 1
        pair = FramePair(Frame(start, Fraction(start), first), Frame(end, Fraction(end), second), continues=continues)
        return next(self._estimator.estimate([pair], memory=self._memory)).flow


def _cold(estimate: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]) -> FlowFunction:
    def ask(first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        return estimate(first, second)

    return ask


def zero(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) of a scene that stands still."""
    return np.zeros((*first.shape[:2], 2), dtype=np.float32)


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) by dense inverse search (Kroeger et al., ECCV 2016), OpenCV's medium preset."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(_grey(first), _grey(second), None)  # type: ignore[call-overload]  # None: no start
    return np.asarray(flow, dtype=np.float32)


def farneback(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) by polynomial expansion (Farnebäck, SCIA 2003), as OpenCV's own example calls it."""
    settings = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2}
    flow = cv2.calcOpticalFlowFarneback(_grey(first), _grey(second), None, **settings, flags=0)  # type: ignore[call-overload]
    return np.asarray(flow, dtype=np.float32)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


BASELINES: dict[str, Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]] = {
    "zero": zero,
    "dis": dis,
    "farneback": farneback,
}
