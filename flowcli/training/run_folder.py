"""A training run's folder: its state, its log, its weights, and what its pairs are made of."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowcli.errors import UsageError, WeightsError
from flowcli.system.files import reported, write_whole
from flowcli.system.opencv import write_png
from flowcli.training.curve import draw_curve
from raft_core import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flowcli.training.loop import TrainingState
    from flowcli.training.recipes import Recipe
    from flowcli.training.tensorboard import TensorBoardLog


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its state, its log and its best weights."""

    path: Path
    board: TensorBoardLog | None = None

    @property
    def state(self) -> Path:
        """Model, average and optimiser, to go on from."""
        return self.path / "state.pt"

    @property
    def best(self) -> Path:
        """The averaged weights that validated best."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The averaged weights as they were last saved."""
        return self.path / "last.safetensors"

    def take_up(self, state: TrainingState) -> None:
        """Loads the saved state, if there is one; raises WeightsError where it is damaged or of another model."""
        if not self.state.exists():
            return
        try:
            state.load(self.state)
        # What a damaged file raises depends on which byte is damaged.
        except Exception as error:
            raise WeightsError(
                f"{self.state} is no state of this run: {checkpoint.first_sentence(error)}",
                hint="remove it to begin anew; best.safetensors beside it can be given to --weights",
            ) from error

    def save(self, state: TrainingState) -> None:
        """Saves the state, and the averaged weights for use."""
        state.save(self.state)
        checkpoint.save(state.average, self.last)

    def begin(self, recipe: Recipe, textures: Path | None, data: Mapping[str, Path] | None = None) -> None:
        """Notes what the run's pairs are made of, or refuses to mix them with others; stages may still change."""
        with reported(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        note = self.path / "run.json"
        pairs: dict[str, object] = {
            "textures": textures and str(textures.resolve()),
            "size": recipe.render_size,
            "seed": recipe.seed,
        }
        if data:
            pairs["data"] = {name: str(root.resolve()) for name, root in sorted(data.items())}
        text = json.dumps(pairs, indent=1) + "\n"
        if note.exists() and note.read_text() != text:
            raise UsageError(
                f"{self.path} was begun with pairs of another size, seed or textures",
                hint="give the same ones to go on, or another --run to begin anew",
            )
        write_whole(note, text.encode())

    def log(self, record: dict[str, object]) -> None:
        """Appends one line to log.jsonl."""
        with (self.path / "log.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        if self.board:
            self.board.show(record)

    def forget_after(self, step: int) -> None:
        """Takes out of the log what a run did after it was last saved, for it will be done again."""
        path = self.path / "log.jsonl"
        if not path.exists():
            return
        # What comes after the last line break was cut short.
        lines = path.read_text().split("\n")[:-1]
        kept = [line for line in lines if json.loads(line).get("step", 0) <= step]
        write_whole(path, "".join(f"{line}\n" for line in kept).encode())

    def draw_curve(self) -> None:
        """Draws the validations of the log; of steps that were run twice, the later ones count."""
        records = [json.loads(line) for line in (self.path / "log.jsonl").read_text().splitlines()]
        validations = {record["step"]: record["validation"] for record in records if "validation" in record}
        write_png(self.path / "validation.png", draw_curve(sorted(validations.items())))

    def keep_best(self, state: TrainingState, epe: dict[str, float], *, recipe: Recipe) -> bool:
        """Saves the averaged weights, and beside them how they were made, if no earlier ones validated better."""
        record = self.path / "best.json"
        best = json.loads(record.read_text())["epe"]["mean"] if record.exists() else math.inf
        # Asked in this direction, NaN is never better.
        if not epe["mean"] < best:
            return False
        checkpoint.save(state.average, self.best)
        facts = {"step": state.step, "epe": epe, "recipe": dataclasses.asdict(recipe)}
        write_whole(record, (json.dumps(facts, indent=1) + "\n").encode())
        return True
