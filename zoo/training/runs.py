"""A training as a folder: prepared once, trained on any backend, resumed at will.

    config.json             recipe, options and training plan
    vocabulary/             learnt from the training data
    train.npz, valid.npz    the data as ids
    valid.*.gz              validation data as text, to be scored while training
    checkpoint.safetensors  where to go on; round-*.safetensors, best.safetensors
    history.jsonl           one line a round; logs/ for TensorBoard
    preset/                 the result

A fine-tuning (`zoo.training.finetuning`) has besides:

    start.safetensors       the weights to start from
    parent.json             the preset that they are of
    report.json             scores before and after

Preparing needs TensorFlow, whose tokenizers stand in the exported graph too. Training
does not: the folder can go to a machine with an accelerator and JAX.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from zoo.files import folder_written_whole
from zoo.presets import Preset, load_task, read_recipe, save_preset, write_recipe
from zoo.recipe import Recipe, TrainingPlan
from zoo.training.checkpoints import read_progress
from zoo.training.lora import make_trainable, merged_model
from zoo.training.parents import Parent
from zoo.training.rounds import KEPT_START, Rounds, monitored, train_model
from zoo.training.starts import start_parts
from zoo.values import convert_fields

# What a begun training depends on.
_FIXED = {"average_last", "batch_tokens", "freeze", "monitor", "precision"}
_FIXED |= {
    "ema_momentum",
    "lora",
    "lora_alpha",
    "lora_rank",
    "round_steps",
    "seed",
    "unfreeze",
}


def prepare_run(recipe: Recipe, train, valid, folder) -> list[str]:
    """Learns vocabularies and encodes the data.

    Args:
        recipe: what will be trained.
        train: training data, as the task's `read` gives it.
        valid: validation data.
        folder: a new or empty folder; its parent must exist.

    Returns:
        A summary of the data, in lines.

    Raises:
        ValueError: the folder holds something, or the data cannot be used.
    """
    check_new(folder)
    task = recipe.task.resolve().learn(train, **recipe.task.options)
    summary = task.summary(train, valid)
    monitored(recipe.training, task.metrics())
    if _has_patterns(recipe.training):
        make_trainable(recipe.build_model(task.model_options()), recipe.training)
    encoded = {
        "train": task.encode(train, training=True),
        "valid": task.encode(valid),
    }
    with folder_written_whole(folder) as beside:
        write_run(beside, recipe, task, encoded, valid)
    return summary


def _has_patterns(plan: TrainingPlan) -> bool:
    return bool(plan.freeze or plan.rates or plan.unfreeze or plan.lora_rank)


def check_new(folder) -> None:
    """Tells before any work whether a run can be prepared in a folder.

    Raises:
        ValueError: the folder holds something.
        FileNotFoundError: its parent does not exist.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(
            f"{folder} is not empty. Go on with what was begun there by resuming it, "
            "or name a new folder."
        )
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot train in {folder}: {folder.parent} does not exist; create it."
        )


def write_run(folder: Path, recipe: Recipe, task, encoded: dict, valid) -> None:
    """Writes what every run holds before training into an existing folder.

    Args:
        folder: where.
        recipe: with the plan to follow.
        task: with its vocabularies.
        encoded: the examples of "train" and "valid".
        valid: the validation data as text.
    """
    (folder / "vocabulary").mkdir()
    task.save(folder / "vocabulary")
    for part, examples in encoded.items():
        examples.save(folder / f"{part}.npz")
    task.write(valid, folder / f"valid{task.suffix}")
    write_recipe(folder, recipe)


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
    recipe = _changed(folder, convert_fields(TrainingPlan, plan_changes))
    plan, parent = recipe.training, Parent.of(folder)
    task = load_task(recipe, folder / "vocabulary")
    encoded = {
        part: task.encoded_type.load(folder / f"{part}.npz")
        for part in ("train", "valid")
    }
    model = recipe.build_model(task.model_options())
    valid = functools.cache(lambda: task.read_back(folder / f"valid{task.suffix}"))
    start_parts(model, recipe)
    if parent:
        parent.start(model, lambda: task.runner(model).evaluate(valid()))
    make_trainable(model, plan)
    valid_batches = task.batches(encoded["valid"], plan.batch_tokens, None)
    result = train_model(
        model,
        task,
        plan,
        task.batches(encoded["train"], plan.batch_tokens, plan.seed),
        valid_batches,
        folder,
        score=scorer(task, model, plan, valid, valid_batches),
        resume=True,
        keep_start=parent is not None,
        callbacks=[_written_at_the_start(folder, recipe), *callbacks],
    )
    if plan.lora_rank:
        model = merged_model(model, recipe, task.model_options())
    training = _training(recipe, encoded, result)
    calibrated = task.calibrated(model, valid_batches)
    if parent:
        recipe, card = parent.judge(
            recipe,
            training,
            model,
            lambda: calibrated.runner(model).evaluate(valid()),
        )
        if card["fine_tuning"][-1]["kept"] == KEPT_START:
            calibrated = task
    else:
        card = {"recipe": recipe.name, "options": dict(recipe.options)}
        card["training"] = training
    name = f"{folder.resolve().name}/preset"
    preset = Preset(recipe, calibrated, model, card, name)
    save_preset(preset, folder / "preset")
    return preset


def read_history(folder) -> list[dict]:
    """One dictionary a round that a run has trained."""
    path = Path(folder) / "history.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def why_ended(folder, recipe: Recipe | None = None) -> str:
    """Why nothing is left to train in a run; empty while something is.

    Args:
        folder: a prepared run.
        recipe: with the plan to follow; the run's own if `None`.
    """
    progress = read_progress(folder)
    if progress is None:
        return ""
    recipe = recipe or read_run(folder)
    rounds = Rounds(Path(folder), recipe.training)
    rounds.restore(progress)
    return rounds.ended


def _changed(folder: Path, changes: dict) -> Recipe:
    """The recipe of a run with other values in its plan, if they can be followed."""
    old = read_run(folder)
    recipe = old.with_training(**changes)
    if not changes:
        return recipe
    fixed = [
        name
        for name in sorted(_FIXED & set(changes))
        if getattr(recipe.training, name) != getattr(old.training, name)
    ]
    if fixed and read_progress(folder) is not None:
        raise ValueError(
            f"{', '.join(fixed)} cannot change once training has begun: it would not "
            "go on where it stopped. Prepare a new folder instead."
        )
    if reason := why_ended(folder, recipe):
        raise ValueError(
            f"The training in {folder} has ended, and does not go on with what was "
            f"changed ({', '.join(sorted(changes))}): {reason}. Raise steps (now "
            f"{recipe.training.steps}) or patience (now {recipe.training.patience}), "
            "whichever stopped it."
        )
    return recipe


def _written_at_the_start(folder, recipe):
    """Writes a changed plan once nothing can refuse it any more."""
    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: write_recipe(folder, recipe)
    )


def scorer(
    task, model, plan: TrainingPlan, read_valid: Callable[[], Any], valid_batches
):
    """What judges a model after each round; `None` leaves it to a metric.

    Raises:
        ValueError: the score cannot be had on this backend.
    """
    if plan.monitor != "score" or not task.scores_by_decoding:
        return None
    on_tensorflow = keras.backend.backend() == "tensorflow"
    if not on_tensorflow and hasattr(task, "score_batches"):
        data = read_valid()
        return lambda: task.score_batches(model, valid_batches, data)
    if not on_tensorflow:
        raise ValueError(
            "Scoring while training decodes on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}. Train there with monitor="
            f"{next(iter(task.metrics()), 'loss')}."
        )
    runner, data = task.runner(model), read_valid()
    return lambda: runner.score(data)


def _training(recipe, encoded, result) -> dict:
    """What a card says of a training."""
    return {
        "plan": dataclasses.asdict(recipe.training),
        "examples": {part: len(pairs) for part, pairs in encoded.items()},
        "steps": result["history"][-1]["step"],
        "kept": result["kept"],
        "validation": result["score"],
        "backend": keras.backend.backend(),
        "seconds": round(sum(row["seconds"] for row in result["history"])),
    }
