"""The state of a training run, which a stopped run resumes from."""

from __future__ import annotations

import copy
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch

from flowcli.system.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from flowcli.training.recipes import Recipe

Model = TypeVar("Model", bound=torch.nn.Module)


@dataclass
class TrainingState(Generic[Model]):
    """The state of a run between two steps. Random numbers depend on the step only, so no generator is saved."""

    model: Model
    average: Model
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    """The time of its steps, without the first step after every start, in which kernels are compiled."""
    done: Counter[str] = field(default_factory=Counter)
    """The number of steps by name of stage."""

    @classmethod
    def begin(cls, model: Model, *, device: torch.device) -> TrainingState[Model]:
        """The first state of a run; `average` is the exponential moving average of the weights, used for validation."""
        model = model.to(device).train()
        average = copy.deepcopy(model).eval()
        for parameter in average.parameters():
            parameter.requires_grad = False
        parts = [{"params": list(part.parameters()), "part": name} for name, part in model.named_children()]
        return cls(model, average, torch.optim.AdamW(parts, eps=1e-8, fused=device.type == "cuda"))

    def save(self, path: Path) -> None:
        """Writes the state to a file, which appears complete or not at all; raises OutputError where that fails."""
        content = {
            "model": self.model.state_dict(),
            "ema": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "done": dict(self.done),
        }
        data = io.BytesIO()
        torch.save(content, data)
        write_whole(path, data.getbuffer())

    def load(self, path: Path) -> None:
        """Restores a saved state; a damaged file or one of another model raises exceptions of many classes."""
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(content["model"])
        self.average.load_state_dict(content["ema"])
        # The options of parameter groups are set at every step; earlier versions had a single group.
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": content["optimiser"]["state"], "param_groups": groups})
        self.step = content["step"]
        # Absent from states of earlier versions.
        self.seconds = content.get("seconds", 0.0)
        self.done = Counter(content.get("done", {}))

    def due_step(self, recipe: Recipe, minutes: float | None) -> int:
        """The recipe's next step; with `minutes`, the one at the fraction of them that has passed in `seconds`."""
        if minutes is None:
            return self.step
        return min(recipe.steps, int(recipe.steps * self.seconds / (60 * minutes)))
