"""Prepares a fine-tuning: a run that starts from a preset's weights and vocabularies.

Everything else is a run as any other (`zoo.training.runs`): it can be prepared here,
trained elsewhere, killed and resumed. Its plan is smaller than that of a training from
scratch, and follows from the preset's own plan and from the size of the data.
"""

import dataclasses
import math
from typing import Any

from zoo.data.own_pairs import (
    check_direction,
    hold_out,
    warn_of_overlap,
    warn_of_unknown,
)
from zoo.data.parallel_text import ParallelText
from zoo.files import folder_written_whole
from zoo.presets import Preset
from zoo.recipe import TrainingPlan
from zoo.training.parents import Parent
from zoo.training.parts import frozen_weights
from zoo.training.runs import check_new, write_run
from zoo.values import convert_fields

# Fewer pairs to train on teach nothing that would hold beyond them.
FEWEST_PAIRS = 10
PASSES = 6
MOST_STEPS = 4_000
# A training from scratch may have been planned for an accelerator.
MOST_BATCH_TOKENS = 2_048
_FEWEST_ROUND_STEPS = 5


def prepare_finetuning(
    preset: Preset, train, valid, folder, repeat=None, **plan_changes: Any
) -> dict:
    """Checks the user's data and prepares a run that starts from a preset.

    Args:
        preset: what to start from.
        train: training data, as the preset's task reads it.
        valid: validation data; `None` holds a tenth of the training data out, chosen
            by a hash of the source (see `zoo.data.own_pairs.hold_out`).
        folder: a new or empty folder; its parent must exist.
        repeat: how often to train on the pairs of an origin, by its name.
        **plan_changes: fields of the `TrainingPlan`, in place of those chosen by
            `finetuning_plan`: `freeze` and `rates` among them.

    Returns:
        The `plan`, the number of `examples` of each part, and how many numbers are
        `frozen` of all `weights`.

    Raises:
        ValueError: data that cannot be used, sides that are swapped, a pattern that
            matches nothing, or a folder in use; before anything is written.
    """
    check_new(folder)
    changes = convert_fields(TrainingPlan, plan_changes)
    patterns = {name: changes.get(name, ()) for name in ("freeze", "rates")}
    frozen = frozen_weights(preset.model, TrainingPlan(**patterns))
    train, valid = _split(train, valid)
    if isinstance(train, ParallelText):
        _check(preset.task, train, valid)
    if repeat:
        train = train.repeated(repeat)
    encoded = {
        part: preset.task.encode(data)
        for part, data in (("train", train), ("valid", valid))
    }
    plan = finetuning_plan(preset, encoded["train"], changes)
    recipe = dataclasses.replace(preset.recipe, training=plan)
    with folder_written_whole(folder) as beside:
        Parent.write(beside, preset)
        write_run(beside, recipe, preset.task, encoded, valid)
    return {
        "plan": plan,
        "examples": {part: len(data) for part, data in encoded.items()},
        "frozen": sum(math.prod(weight.shape) for weight in frozen),
        "weights": preset.model.count_params(),
    }


def finetuning_plan(preset: Preset, encoded, changes: dict[str, Any]) -> TrainingPlan:
    """A small plan: a few passes over the data, at a fifth of the preset's rate.

    A round is half a pass, or less of large data, and training stops after 5 rounds
    without a better one. The validation perplexity chooses among rounds: scores of
    small validation sets say little.

    Args:
        preset: whose own plan gives the rest.
        encoded: the training data, encoded.
        changes: values that were chosen by the user, already converted.
    """
    parent = preset.recipe.training
    plan = {
        "batch_tokens": min(parent.batch_tokens, MOST_BATCH_TOKENS),
        "learning_rate": parent.learning_rate / 5,
        "schedule": "cosine",
        "monitor": "perplexity",
        "patience": 5,
        "freeze": (),
        "rates": (),
    }
    plan |= changes
    batches = preset.task.batches(encoded, plan["batch_tokens"], parent.seed)
    plan |= _steps(batches.steps_per_epoch, changes)
    warmup_steps = min(100, plan["steps"] // 10)
    return dataclasses.replace(parent, **{"warmup_steps": warmup_steps} | plan)


def _steps(a_pass: int, changes: dict) -> dict[str, int]:
    """Steps and the steps of a round, of which they are a multiple."""
    steps = changes.get("steps")
    a_round = changes.get("round_steps")
    if a_round is None:
        a_round = max(_FEWEST_ROUND_STEPS, math.ceil(a_pass / 2))
        a_round = min(a_round, MOST_STEPS // 8)
        if steps is not None:
            # The longest round, up to half a pass, that fits in without a rest.
            fitting = range(1, min(a_round, steps) + 1)
            a_round = max([n for n in fitting if steps % n == 0], default=1)
    if steps is None:
        rounds = max(1, min(2 * PASSES, MOST_STEPS // a_round))
        steps = rounds * a_round
    return {"steps": steps, "round_steps": a_round}


def _split(train, valid) -> tuple:
    """Training and validation data, large enough."""
    if valid is None:
        if not isinstance(train, ParallelText):
            raise ValueError(
                "Only sentence pairs can be held out to validate on. Give validation "
                "data of its own: --valid on the command line, valid_data in Python."
            )
        train, valid = hold_out(train)
    if len(train) < FEWEST_PAIRS or len(valid) < 1:
        raise ValueError(
            f"A fine-tuning needs at least {FEWEST_PAIRS} examples to train on, and 1 "
            f"to validate on. Received: {len(train)} and {len(valid)}. Add more; one "
            "in ten is held out where no validation data is given."
        )
    return train, valid


def _check(task, train: ParallelText, valid: ParallelText) -> None:
    """Refuses or warns of pairs that do not go with a preset's vocabularies."""
    vocabularies = task.source_vocabulary, task.target_vocabulary
    for name, data in (("training data", train), ("validation data", valid)):
        check_direction(data, *vocabularies, name)
    warn_of_overlap(train, valid)
    sides = (("source", train.sources), ("target", train.targets))
    for vocabulary, (side, texts) in zip(vocabularies, sides, strict=True):
        warn_of_unknown(texts, vocabulary, side)
