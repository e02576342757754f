"""The folder of a training run: its state, log, weights, and the settings of its pairs."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flowcli.errors import UsageError, WeightsError
from flowcli.model.refinement import STATED
from flowcli.system.files import reported, write_whole
from flowcli.system.opencv import write_png
from flowcli.training.curve import draw_curve
from raft_core import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from flowcli.model.weights import Weights
    from flowcli.training.recipes import Recipe
    from flowcli.training.state import TrainingState
    from flowcli.training.tensorboard import TensorBoardLog


@dataclass(frozen=True)
class RunFolder:
    """The folder of a training run; `board` receives the log's records too."""

    path: Path
    board: TensorBoardLog | None = None
    write: Callable[[Any, Path], None] = partial(checkpoint.save, metadata=STATED)  # noqa: RUF009 - not mutable
    """Writes the weights of the run's model to a file."""

    @property
    def state(self) -> Path:
        """The file of the state that the run resumes from: model, average, optimiser and step."""
        return self.path / "state.pt"

    @property
    def best(self) -> Path:
        """The file of the averaged weights with the lowest validation error."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The file of the averaged weights at the last save."""
        return self.path / "last.safetensors"

    def restore(self, state: TrainingState[Any]) -> None:
        """Loads the saved state, if there is one; raises WeightsError where it is damaged or of another model."""
        if not self.state.exists():
            return
        try:
            state.load(self.state)
        # The class of the exception depends on the damaged byte.
        except Exception as error:
            raise WeightsError(
                f"{self.state} is not a state of this run: {checkpoint.first_sentence(error)}",
                hint="remove it to start again; best.safetensors beside it can be given to --weights",
            ) from error

    def save(self, state: TrainingState[Any]) -> None:
        """Saves the state, and the averaged weights as a file for --weights."""
        state.save(self.state)
        with reported(self.last):
            self.write(state.average, self.last)

    def begin(
        self,
        recipe: Recipe,
        textures: Path | None,
        data: Mapping[str, Path] | None = None,
        weights: Weights | None = None,
    ) -> None:
        """Writes the settings of the run to run.json, in a new folder; the stages are not among them.

        `weights` are those that the run starts from, or whose flow a refiner refines. Raises UsageError where the
        folder has other settings, and OutputError where it cannot be written.
        """
        with reported(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        note = self.path / "run.json"
        settings: dict[str, object] = {
            "textures": textures and str(textures.resolve()),
            "size": recipe.render_size,
            "seed": recipe.seed,
        }
        if data:
            settings["data"] = {name: str(root.resolve()) for name, root in sorted(data.items())}
        if weights:
            settings["raft" if recipe.refines else "weights"] = weights.sha256
        text = json.dumps(settings, indent=1) + "\n"
        if note.exists() and note.read_text() != text:
            raise UsageError(
                f"{self.path} was started with pairs of another size, seed, textures or weights",
                hint="use the same ones to continue it, or another --run for a new run",
            )
        write_whole(note, text.encode())

    def log(self, record: dict[str, object]) -> None:
        """Appends a record to log.jsonl, and to TensorBoard."""
        path = self.path / "log.jsonl"
        with reported(path), path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        if self.board:
            self.board.show(record)

    def truncate_log(self, step: int) -> None:
        """Removes the log's records after `step`, which the resumed run will write again."""
        path = self.path / "log.jsonl"
        if not path.exists():
            return
        # A killed run may leave an incomplete last line.
        lines = path.read_text().split("\n")[:-1]
        kept = [line for line in lines if json.loads(line).get("step", 0) <= step]
        write_whole(path, "".join(f"{line}\n" for line in kept).encode())

    def validations(self) -> dict[int, dict[str, float]]:
        """The log's validations by step; of two at the same step, the later one."""
        path = self.path / "log.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {record["step"]: record["validation"] for record in records if "validation" in record}

    def draw_curve(self) -> None:
        """Draws the log's validations to validation.png."""
        write_png(self.path / "validation.png", draw_curve(sorted(self.validations().items())))

    def keep_best(self, state: TrainingState[Any], epe: dict[str, float], *, recipe: Recipe) -> bool:
        """Whether `epe` is the lowest so far; if so, saves the averaged weights, their step, errors and recipe."""
        record = self.path / "best.json"
        best = json.loads(record.read_text())["epe"]["mean"] if record.exists() else math.inf
        # With `not <`, NaN is never the best.
        if not epe["mean"] < best:
            return False
        with reported(self.best):
            self.write(state.average, self.best)
        facts = {"step": state.step, "epe": epe, "recipe": dataclasses.asdict(recipe)}
        write_whole(record, (json.dumps(facts, indent=1) + "\n").encode())
        return True
