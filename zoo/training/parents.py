"""Where a fine-tuning starts from, and whether it was worth it."""

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from zoo.files import read_json, write_json
from zoo.presets import Preset
from zoo.recipe import Recipe
from zoo.training.rounds import KEPT_START
from zoo.values import convert_fields
from zoo.weights import assign_arrays, read_arrays, write_arrays

FILE, REPORT, START = "parent.json", "report.json", "start.safetensors"
NOTE = (
    "Scores before and after need TensorFlow, which decodes. Resume this folder with "
    "KERAS_BACKEND=tensorflow to add them."
)
_DETAILS = ("per_label", "confusions", "mistakes", "reliability")
# What a card says of the old weights alone.
_OF_THE_OLD = {"commands", "scores"}


class FineTuningWarning(UserWarning):
    """A fine-tuning that made nothing better."""


@dataclass(frozen=True)
class Parent:
    """The preset that a fine-tuning starts from, as its folder keeps it.

    Attributes:
        folder: the folder of the fine-tuning.
        name: the preset's name.
        training: the plan that the preset was trained by.
        card: the preset's card.
    """

    folder: Path
    name: str
    training: dict
    card: dict

    @classmethod
    def of(cls, folder) -> "Parent | None":
        """What a run starts from; `None` if it starts from scratch."""
        path = Path(folder) / FILE
        return cls(Path(folder), **read_json(path)) if path.is_file() else None

    @staticmethod
    def write(folder, preset: Preset, arrays: dict) -> None:
        """Keeps what to start from, and a preset's card, in a fine-tuning's folder."""
        write_arrays(Path(folder) / START, arrays)
        plan = dataclasses.asdict(preset.recipe.training)
        content = {"name": preset.name, "training": plan, "card": preset.card}
        write_json(Path(folder) / FILE, content)

    def start(self, model, evaluate: Callable[[], dict]) -> None:
        """Gives a model the weights to start from, and scores them where it can.

        Args:
            model: of the preset's recipe.
            evaluate: scores the model as it stands on the validation data.
        """
        path = self.folder / START
        assign_arrays(model, read_arrays(path)[0], path)
        if not self._report.get("before"):
            self._write_report({"before": _scores(_evaluated(evaluate))})

    def judge(self, recipe: Recipe, training: dict, model, evaluate) -> tuple:
        """Scores what was kept; if it is no better, the start is kept instead.

        Better is decided by the task's own scores, the first that differs. Where
        nothing decodes, the validation perplexity has decided.

        Args:
            recipe: with the plan of the fine-tuning.
            training: what the card will say of it.
            model: with the weights that were kept; may be given the start's.
            evaluate: as for `start`.

        Returns:
            The recipe with the plan of the preset, and the card of the result.
        """
        before, kept = self._report["before"], training["kept"]
        found = None if kept == KEPT_START else _evaluated(evaluate)
        after = before if kept == KEPT_START else _scores(found)
        if before and after and not is_better(after, before):
            kept = KEPT_START
            assign_arrays(model, read_arrays(self.folder / START)[0])
        entry = {"parent": self.name, **training, "kept": kept}
        entry |= {"before": before, "after": after}
        details = _details(found or {})
        self._write_report(entry | ({"details": details} if details else {}))
        if kept == KEPT_START:
            warnings.warn(verdict(entry), FineTuningWarning, stacklevel=3)
        card = {key: self.card[key] for key in self.card if key not in _OF_THE_OLD}
        card["fine_tuning"] = [*self.card.get("fine_tuning", []), entry]
        plan = convert_fields(type(recipe.training), self.training)
        return recipe.with_training(**plan), card

    @property
    def details(self) -> dict:
        """What the report says beyond numbers."""
        return self._report.get("details", {})

    @property
    def _report(self) -> dict:
        path = self.folder / REPORT
        return read_json(path) if path.is_file() else {}

    def _write_report(self, content: dict) -> None:
        note = {} if _decodes() else {"note": NOTE}
        write_json(self.folder / REPORT, content | note)


def is_better(after: dict, before: dict) -> bool:
    """Whether scores are higher: the first that differs decides."""
    return tuple(after.values()) > tuple(before.values())


def verdict(entry: dict) -> str:
    """What came of a fine-tuning, in a sentence."""
    if entry["kept"] != KEPT_START:
        return f"Kept {entry['kept']}, better than {entry['parent']} was."
    return (
        f"Fine-tuning made nothing better: the result is {entry['parent']}'s own "
        "weights, unchanged. Try more data, another learning_rate or fewer steps."
    )


def _evaluated(evaluate) -> dict | None:
    """The task's scores and details; `None` where nothing decodes."""
    return evaluate() if _decodes() else None


def _scores(found: dict | None) -> dict | None:
    """The numbers among scores and details, the deciding one first."""
    if found is None:
        return None
    return {name: value for name, value in found.items() if isinstance(value, float)}


def _details(found: dict) -> dict:
    """What a report says beyond numbers: mistakes, scores by label."""
    return {name: found[name] for name in _DETAILS if found.get(name)}


def _decodes() -> bool:
    return keras.backend.backend() == "tensorflow"
