"""A training as a folder: prepared once, trained on any backend, resumed at will.

    config.json             recipe, options and training plan
    vocabulary/             learnt from the training data
    train.npz, valid.npz    the data as ids
    valid.tsv.gz            validation text, to be scored while training
    checkpoint.safetensors  where to go on; round-*.safetensors, best.safetensors
    history.jsonl           one line a round; logs/ for TensorBoard
    preset/                 the result

Preparing needs TensorFlow, whose tokenizers stand in the exported graph too. Training
does not: the folder can go to a machine with an accelerator and JAX.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from zoo.files import folder_written_whole
from zoo.presets import Preset, load_task, read_recipe, save_preset, write_recipe
from zoo.recipe import Recipe, TrainingPlan
from zoo.training.checkpoints import has_checkpoint
from zoo.training.rounds import train_model
from zoo.values import convert_fields

# What a begun training depends on.
_FIXED = {"average_last", "batch_tokens", "precision", "round_steps", "seed"}


def prepare_run(recipe: Recipe, train, valid, folder) -> None:
    """Learns vocabularies and encodes the data.

    Args:
        recipe: what will be trained.
        train: training data, as the task's `read` gives it.
        valid: validation data.
        folder: a new or empty folder; its parent must exist.

    Raises:
        ValueError: the folder holds something, or the data cannot be used.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty. Go on with what was begun there by resuming it, "
            "or name a new folder."
        )
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot train in {folder}: {folder.parent} does not exist; create it."
        )
    with folder_written_whole(folder) as beside:
        task = recipe.task.resolve().learn(train, **recipe.task.options)
        (beside / "vocabulary").mkdir()
        task.save(beside / "vocabulary")
        task.encode(train).save(beside / "train.npz")
        task.encode(valid).save(beside / "valid.npz")
        task.write(valid, beside / "valid.tsv.gz")
        write_recipe(beside, recipe)


def read_run(folder) -> Recipe:
    """The recipe of a prepared run.

    Raises:
        ValueError: the folder is no prepared run.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file() or not (folder / "train.npz").is_file():
        raise ValueError(
            f"{folder} holds no prepared training. Start one with a recipe, --train, "
            "--valid and --out."
        )
    return read_recipe(folder)


def train_run(folder, callbacks=(), **plan_changes: Any) -> Preset:
    """Trains a prepared run, from its last checkpoint if it has one.

    Args:
        folder: a prepared run.
        callbacks: Keras callbacks, to watch.
        **plan_changes: other values of the `TrainingPlan`, such as more `steps`.

    Returns:
        The trained preset, which is also saved in the folder as `preset`.

    Raises:
        ValueError: no prepared run, or a plan that cannot be followed here.
    """
    folder = Path(folder)
    changes = convert_fields(TrainingPlan, plan_changes)
    recipe = read_run(folder)
    if fixed := sorted(_FIXED & set(changes)) if has_checkpoint(folder) else []:
        raise ValueError(
            f"{', '.join(fixed)} cannot change once training has begun: the data would "
            "not go on where it stopped. Prepare a new folder instead."
        )
    recipe = recipe.with_training(**changes)
    plan = recipe.training
    write_recipe(folder, recipe)
    task = load_task(recipe, folder / "vocabulary")
    encoded = {
        part: task.encoded_type.load(folder / f"{part}.npz")
        for part in ("train", "valid")
    }
    model = recipe.build_model(task.model_options())
    result = train_model(
        model,
        plan,
        task.batches(encoded["train"], plan.batch_tokens, plan.seed),
        task.batches(encoded["valid"], plan.batch_tokens, None),
        folder,
        score=scorer(
            lambda: task.runner(model),
            plan,
            lambda: task.read_back(folder / "valid.tsv.gz"),
        ),
        resume=True,
        callbacks=callbacks,
    )
    card = _card(recipe, encoded, result)
    preset = Preset(recipe, task, model, card)
    save_preset(preset, folder / "preset")
    return preset


def scorer(
    make_runner: Callable[[], Any], plan: TrainingPlan, read_valid: Callable[[], Any]
):
    """What judges a model after each round; `None` leaves it to the perplexity.

    Raises:
        ValueError: the score cannot be had on this backend.
    """
    if plan.monitor == "perplexity":
        return None
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Scoring while training decodes on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}. Train there with monitor=perplexity."
        )
    runner, data = make_runner(), read_valid()
    return lambda: runner.score(data)


def _card(recipe, encoded, result) -> dict:
    return {
        "recipe": recipe.name,
        "options": dict(recipe.options),
        "training": {
            "plan": dataclasses.asdict(recipe.training),
            "examples": {part: len(pairs) for part, pairs in encoded.items()},
            "steps": result["history"][-1]["step"],
            "kept": result["kept"],
            "validation": result["score"],
            "backend": keras.backend.backend(),
            "seconds": round(sum(row["seconds"] for row in result["history"])),
        },
    }
