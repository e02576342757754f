"""The methods that `flowcli eval` scores: RAFT with given weights, and baselines without learning."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from flowcli.errors import UsageError
from flowcli.evaluation import datasets
from flowcli.media.frames import Frame, FramePair
from flowcli.model.device import keep_memory
from flowcli.model.estimator import FlowEstimator, estimator_for
from flowcli.model.memory import Memory
from flowcli.model.quality import Effort
from flowcli.model.settings import Settings
from flowcli.model.weights import find
from flowcli.system.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from raft_core.images import Placement


class FlowFunction(Protocol):
    """Estimates flow from two images (height, width, 3); `continues`: `first` is the previous call's `second`."""

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        """The flow (height, width, 2) in px."""
        ...


@dataclass(frozen=True)
class Method:
    """A named way to estimate flow; `protocol` holds the settings to report with its scores."""

    name: str
    estimate: FlowFunction
    protocol: Mapping[str, object] = field(default_factory=dict)

    @property
    def warm(self) -> bool:
        """Whether a pair's flow depends on the previous pair."""
        return bool(self.protocol.get("warm_start"))


@dataclass(frozen=True)
class MethodOptions:
    """The methods to score, and the settings of those with weights."""

    weights: Sequence[str]
    baselines: Sequence[str] = ()
    effort: Effort = Effort(precision="fp32")  # noqa: RUF009 - frozen
    device: str = "auto"
    warm_start: bool = False
    placement: Placement = "centre"


def method_options(
    dataset: str,
    *,
    weights: Sequence[str],
    baselines: str,
    effort: Effort,
    device: str,
    warm_start: bool,
    padding: str,
) -> MethodOptions:
    """Method options from the command line: `baselines` is a comma list, padding `auto` is the dataset's published one.

    Raises UsageError for an unknown baseline, padding or dataset.
    """
    if padding not in {"auto", "centre", "bottom"}:
        raise UsageError(f"--padding {padding} is not known", hint="use auto, centre or bottom")
    placement = datasets.placement(dataset) if padding == "auto" else cast("Placement", padding)
    names = [name.strip() for name in baselines.split(",") if name.strip()]
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise UsageError(f"there is no baseline {unknown[0]}", hint=f"baselines: {', '.join(BASELINES)}")
    return MethodOptions(weights, names, effort, device, warm_start, placement)


def methods(options: MethodOptions) -> list[Method]:
    """Every requested method, weights first, each under a unique name; raises WeightsError for unknown weights."""
    keep_memory()
    settings = Settings(warm_start=options.warm_start, placement=options.placement)
    chosen: dict[str, Method] = {}
    for name in options.weights:
        weights = find(name)
        label = weights.name if weights.name not in chosen else name
        estimator = estimator_for(weights, device=options.device, effort=options.effort, settings=settings)
        used = estimator.settings
        protocol = {
            "sha256": weights.sha256,
            "quality": options.effort.quality,
            "iterations": used.iterations,
            "tolerance": used.tolerance,
            "refinement": None if used.refinement is None else asdict(used.refinement),
            "first_look": used.first_look is not None,
            "scale": used.resizing.scale,
            "max_side": used.resizing.max_side,
            "precision": str(used.precision).removeprefix("torch."),
            "device": str(estimator.device),
            "padding": {"centre": "centre (sintel)", "bottom": "bottom (kitti)"}[options.placement],
            "warm_start": options.warm_start,
        }
        chosen[label] = Method(label, RaftMethod(estimator), protocol)
    for name in options.baselines:
        chosen[name] = Method(name, _cold(BASELINES[name]))
    return list(chosen.values())


class RaftMethod:
    """Estimates pair after pair by RAFT; a pair that continues the previous one may start warm, by the settings."""

    def __init__(self, estimator: FlowEstimator) -> None:
        self._estimator = estimator
        self._memory = Memory()
        self._index = 0

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        """The flow (height, width, 2) in px."""
        self._index += 1 if continues else 2
        start, end = self._index, self._index + 1
        pair = FramePair(Frame(start, Fraction(start), first), Frame(end, Fraction(end), second), continues=continues)
        return next(self._estimator.estimate([pair], memory=self._memory)).flow


def _cold(estimate: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]) -> FlowFunction:
    def estimate_pair(first: NDArray[np.uint8], second: NDArray[np.uint8], *, continues: bool) -> NDArray[np.float32]:
        return estimate(first, second)

    return estimate_pair


def zero(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Zero flow (height, width, 2)."""
    return np.zeros((*first.shape[:2], 2), dtype=np.float32)


def dis(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) in px by dense inverse search (Kroeger et al. 2016), OpenCV's medium preset."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(_grey(first), _grey(second), None)  # type: ignore[call-overload]  # None: no initial flow
    return np.asarray(flow, dtype=np.float32)


def farneback(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow (height, width, 2) in px by polynomial expansion (Farnebäck 2003), with the settings of OpenCV's example."""
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
