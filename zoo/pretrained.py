"""The trained thing: a preset that takes raw input."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Any

from zoo.presets import Preset, load_preset, save_preset
from zoo.recipe import TrainingPlan
from zoo.training import prepare_run, scorer, train_model, train_run
from zoo.values import convert_fields


def load(name_or_path) -> Pretrained:
    """Loads a trained preset.

    Args:
        name_or_path: a shipped preset ("translation_rnn/en-zh") or a preset's folder.

    Raises:
        ValueError: no such preset (the message lists what exists), or a damaged one.
        FileNotFoundError: a file of the preset is missing.
    """
    return Pretrained(load_preset(name_or_path))


def train(recipe, train_data, valid_data, folder, callbacks=()) -> Pretrained:
    """Trains a recipe from scratch on the user's own data.

    Args:
        recipe: from `zoo.get`.
        train_data: a path, or data as the recipe's task reads it.
        valid_data: likewise; decides which weights are kept.
        folder: a new folder for checkpoints, logs and the result.
        callbacks: Keras callbacks, to watch.

    Raises:
        ValueError: data that cannot be used, or a folder in use; before training.
    """
    task = recipe.task.resolve()
    train_data, valid_data = (_read(task, data) for data in (train_data, valid_data))
    prepare_run(recipe, train_data, valid_data, folder)
    return resume(folder, callbacks)


def resume(folder, callbacks=(), **plan_changes: Any) -> Pretrained:
    """Goes on with a training that was prepared or interrupted.

    Args:
        folder: what was given to `train`.
        callbacks: Keras callbacks, to watch.
        **plan_changes: other values of the `TrainingPlan`, such as more `steps`.
    """
    return Pretrained(train_run(folder, callbacks, **plan_changes))


class Pretrained:
    """A recipe with trained weights, vocabularies and a card. Made by `load`.

    Call it with one raw input for a plain result, or with a list for a list.

    Attributes:
        recipe: the recipe it was made with.
        task: raw data in and out.
        model: the plain `keras.Model`.
        card: data, licence, scores, commands.

    Example:
        >>> translator = zoo.load("translation_rnn/en-zh")
        >>> translator("The cat is sitting on the table.")
        '猫坐在桌子上。'
    """

    def __init__(self, preset: Preset):
        self.recipe = preset.recipe
        self.task = preset.task
        self.model = preset.model
        self.card = preset.card

    @functools.cached_property
    def _runner(self):
        return self.task.runner(self.model)

    def __call__(self, inputs, **options):
        if isinstance(inputs, list | tuple):
            return [result.text for result in self.predict(list(inputs), **options)]
        return self.predict([inputs], **options)[0].text

    def predict(self, inputs: list, **options) -> list:
        """Results with their scores, one an input; see the task for options."""
        return self._runner.predict(inputs, **options)

    def evaluate(self, data, **options) -> dict:
        """Scores on data, which may be a path."""
        return self._runner.evaluate(_read(self.task, data), **options)

    def attention(self, inputs, **options):
        """What the model looked at for one input; `.plot(path)` draws it."""
        return self._runner.attention(inputs, **options)

    def fit(self, data, valid_data=None, folder=None, callbacks=(), **plan_changes):
        """Trains on with more data; the vocabularies stay.

        Args:
            data: a path, or data as the task reads it.
            valid_data: decides which weights are kept; the training data if `None`.
            folder: where checkpoints go; a temporary folder if `None`.
            callbacks: Keras callbacks, to watch.
            **plan_changes: fields of the `TrainingPlan`, such as `steps`.

        Returns:
            The history, one dictionary a round.

        Raises:
            ValueError: data or options that cannot be used, or a folder in use;
                before training.
        """
        recipe = self.recipe.with_training(**convert_fields(TrainingPlan, plan_changes))
        plan = recipe.training
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            if any(Path(folder).iterdir()):
                raise ValueError(f"{folder} is not empty. Name a new folder.")
        data = _read(self.task, data)
        valid = data if valid_data is None else _read(self.task, valid_data)
        batches = self.task.batches(
            self.task.encode(data), plan.batch_tokens, plan.seed
        )
        valid_batches = self.task.batches(
            self.task.encode(valid), plan.batch_tokens, None
        )
        with tempfile.TemporaryDirectory() as scratch:
            result = train_model(
                self.model,
                plan,
                batches,
                valid_batches,
                scratch if folder is None else folder,
                score=scorer(lambda: self._runner, plan, lambda: valid),
                callbacks=callbacks,
            )
        # What the card said of the old weights' scores is no longer so.
        self.card = {key: self.card[key] for key in self.card if key != "scores"}
        self.card["fine_tuning"] = [
            *self.card.get("fine_tuning", []),
            {
                "plan": dataclasses.asdict(plan),
                "examples": len(data),
                "kept": result["kept"],
                "validation": result["score"],
            },
        ]
        return result["history"]

    def export(self, folder) -> Path:
        """Writes a SavedModel for TF Serving as the next version in a folder.

        Returns:
            The version's own folder.
        """
        from zoo.export import export

        return export(self._runner.exported(), folder, self.card)

    def save(self, folder, half: bool = False) -> None:
        """Saves as a preset, to be loaded again by its path.

        Args:
            folder: new, empty, or a preset to replace.
            half: weights in half precision, half as large.
        """
        preset = Preset(self.recipe, self.task, self.model, self.card)
        save_preset(preset, folder, half)


def _read(task, data):
    return task.read(data) if isinstance(data, str | Path) else data
