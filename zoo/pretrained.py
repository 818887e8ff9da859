"""The trained thing: a preset that takes raw input."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from zoo.presets import Preset, load_preset, save_preset
from zoo.training import prepare_finetuning, prepare_run, train_run
from zoo.training.runs import read_history
from zoo.weights import Precision, assign_arrays, model_arrays


def load(name_or_path) -> Pretrained:
    """Loads a trained preset.

    Args:
        name_or_path: a shipped preset ("translation_rnn/en-zh"), a preset's folder, or
            one on a hub ("hf://owner/name"), which its client fetches once.

    Raises:
        ValueError: no such preset (the message lists what exists), or a damaged one.
        FileNotFoundError: a file of the preset is missing.
        ImportError, ConnectionError: of a hub whose client is not installed, or does
            not answer.
    """
    return Pretrained(load_preset(name_or_path))


def convert(source) -> Pretrained:
    """Reads a checkpoint of another project, such as BERT, DETR or Marian.

    Args:
        source: a folder in the layout of its family, "hf://owner/name",
            "kaggle://owner/model/framework/variation" or "keras_hub:NAME"; see
            `zoo.converters.convert`.

    Returns:
        What the checkpoint is: a translator, a detector, a classifier, or an encoder
        to fine-tune.

    Raises:
        FileNotFoundError, ValueError: files missing, or of an unknown family.
        ImportError, ConnectionError: of a hub whose client is not installed, or does
            not answer.
    """
    from zoo import converters

    found = converters.convert(source)
    if not isinstance(found, Preset):
        raise ValueError(
            f"{source} is a backbone without a task. To start a training from it, "
            "write it with: zoo convert SOURCE --out FILE.safetensors."
        )
    return Pretrained(found)


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
    """Goes on with a training or fine-tuning that was prepared or interrupted.

    Args:
        folder: what was given to `train` or `finetune`.
        callbacks: Keras callbacks, to watch.
        **plan_changes: other values of the `TrainingPlan`, such as more `steps`.

    Raises:
        ValueError: no training, or values that it cannot go on with; nothing is
            changed then.
    """
    return Pretrained(train_run(folder, callbacks, **plan_changes))


def finetune(
    preset,
    train_data,
    valid_data,
    folder,
    callbacks=(),
    freeze=(),
    rates=(),
    head: str | None = None,
    kind: str | None = None,
    reset=(),
    layer_decay: float | None = None,
    **plan_changes: Any,
) -> Pretrained:
    """Trains a preset on with the user's own data; its vocabularies stay.

    The plan is chosen by the preset's own and by the size of the data (see
    `zoo.training.finetuning.finetuning_plan`). The preset is scored on the validation
    data before and after, where TensorFlow decodes; if the new weights are no better,
    the old ones are the result, and a `FineTuningWarning` says so. `resume` goes on
    after an interruption.

    Args:
        preset: a shipped preset's name, a preset's folder, or what `load` gave.
        train_data: a path, or data as the preset's task reads it.
        valid_data: likewise; `None` holds a tenth of the training data out.
        folder: a new folder for checkpoints, logs, scores (`report.json`) and the
            result (`preset`).
        callbacks: Keras callbacks, to watch.
        freeze: regular expressions of weights that stay as they are, each matched
            against a whole address such as "encoder/forward_gru/gru_cell/kernel".
        rates: such patterns, each with a factor on the learning rate, as a dictionary
            or as pairs; of several that match a weight, the last one counts.
        head: of what knows labels: "keep" wants those of the preset, as classifiers of
            texts do by default; "reset" takes those of the data with fresh output
            layers; "reuse" takes them and keeps the rows of labels in both, as
            detectors do by default.
        kind: of the data's labels, if another than the preset's.
        reset: patterns of weights that start fresh.
        layer_decay: factor on the learning rate for each layer below the head.
        **plan_changes: fields of the `TrainingPlan`, such as `steps`, `unfreeze` or
            `lora_rank`.

    Raises:
        ValueError: data that cannot be used, labels that the preset does not know, a
            pattern that matches nothing, or a folder in use; before training.
    """
    if not isinstance(preset, Pretrained):
        preset = load(preset)
    train_data, valid_data = (
        _read(preset.task, data) for data in (train_data, valid_data)
    )
    prepare_finetuning(
        preset.preset,
        train_data,
        valid_data,
        folder,
        head=head,
        kind=kind,
        reset=reset,
        layer_decay=layer_decay,
        **plan_changes | {"freeze": freeze, "rates": rates},
    )
    return resume(folder, callbacks)


class Pretrained:
    """A recipe with trained weights, vocabularies and a card. Made by `load`.

    Call it with one raw input for a plain result, or with a list for a list.

    Attributes:
        recipe: the recipe it was made with.
        task: raw data in and out.
        model: the plain `keras.Model`.
        card: data, licence, scores, commands.
        name: "recipe/preset" if it ships with the package.

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
        self.name = preset.name

    @property
    def preset(self) -> Preset:
        """What `save` writes."""
        return Preset(self.recipe, self.task, self.model, self.card, self.name)

    @functools.cached_property
    def _runner(self):
        return self.task.runner(self.model)

    def __call__(self, inputs, **options):
        if isinstance(inputs, list | tuple):
            return [result.plain for result in self.predict(list(inputs), **options)]
        return self.predict([inputs], **options)[0].plain

    def predict(self, inputs: list, **options) -> list:
        """Results with their scores, one an input; see the task for options."""
        return self._runner.predict(inputs, **options)

    def evaluate(self, data, **options) -> dict:
        """Scores on data, which may be a path."""
        return self._runner.evaluate(_read(self.task, data), **options)

    def attention(self, inputs, **options):
        """What the model looked at for one input; `.plot(path)` draws it."""
        return self._runner.attention(inputs, **options)

    def fit(
        self,
        data,
        valid_data=None,
        folder=None,
        callbacks=(),
        freeze=(),
        rates=(),
        **plan_changes,
    ) -> list[dict]:
        """Trains on with the user's own data; the vocabularies stay.

        What `finetune` does, in place: see there for the data, the plan and what is
        kept. Afterwards this has the new weights and says so in its card.

        Args:
            data: a path, or data as the task reads it.
            valid_data: likewise; a tenth of the training data is held out if `None`.
            folder: where checkpoints go; a temporary folder if `None`.
            callbacks: Keras callbacks, to watch.
            freeze: patterns of weights that stay as they are.
            rates: factors on the learning rate, by pattern.
            **plan_changes: fields of the `TrainingPlan`, such as `steps`, and `head`,
                `kind`, `reset` and `layer_decay` as in `finetune`. If the labels
                change, `model` is another one afterwards.

        Returns:
            The history, one dictionary a round.

        Raises:
            ValueError: data or options that cannot be used, or a folder in use;
                before training.
        """
        changes = plan_changes | {"freeze": freeze, "rates": rates}
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch if folder is None else folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            tuned = finetune(self, data, valid_data, folder, callbacks, **changes)
            history = read_history(folder)
        if tuned.task.model_options() == self.task.model_options():
            assign_arrays(self.model, model_arrays(tuned.model))
        else:
            self.model = tuned.model
        self.recipe, self.task, self.card = tuned.recipe, tuned.task, tuned.card
        # It may know other labels, or be otherwise calibrated.
        self.__dict__.pop("_runner", None)
        return history

    def embed(self, inputs: list):
        """The vectors that stand for texts, of length 1: an array (texts, size)."""
        return self._runner.embed(inputs)

    def log_probabilities(self, inputs: list, results: list) -> list[float]:
        """How probable given results are, such as translations, one of each input."""
        return self._runner.log_probabilities(inputs, results)

    def export(
        self,
        folder,
        weights: str = "float32",
        watch=(),
        server: str | None = None,
        **options,
    ) -> Path:
        """Writes a SavedModel for TF Serving as the next version in a folder.

        Args:
            folder: the model's base path; versions are its numbered subfolders.
            weights: "float32", or "int8" where the model has an int8 layout.
            watch: typical inputs, which int8 takes its ranges from.
            server: the release of TF Serving that must have all operations, such as
                "2.18"; the newest if `None`.
            **options: as in `predict`; the export answers with these.

        Returns:
            The version's own folder.

        Raises:
            ValueError: options that cannot be used, or an operation that the server
                does not have.
        """
        from zoo.export import checked_release, export

        server = checked_release(server)
        exportable = self._runner.exported(weights, watch, **options)
        return export(exportable, folder, self.card, server)

    def save(
        self, folder, precision: Precision = "float32", base: str | None = None
    ) -> None:
        """Saves as a preset, to be loaded again by its path.

        Args:
            folder: new, empty, or a preset to replace; its test split stays if it is
                this preset's own.
            precision: of the weights on disk: "float32", "float16" or "int8", a half
                or a quarter as large.
            base: a shipped preset that this one was fine-tuned from; only what differs
                is written, which is little after a fine-tuning with `lora_rank`.
        """
        save_preset(self.preset, folder, precision, base)


def _read(task, data):
    return task.read(data) if isinstance(data, str | Path) else data
