"""The command that trains a preset on with the user's own data."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, escape, quiet_import
from zoo.cli.options import (
    Columns,
    Set,
    columns_of,
    pairs_of,
    plan_changes,
    times_of,
)
from zoo.cli.training import train_folder
from zoo.presets import preset_folder

# Of the plan, what a user of a fine-tuning wants to see before it begins.
_SHOWN = ("steps", "round_steps", "batch_tokens", "learning_rate", "schedule")
_SHOWN += ("warmup_steps", "monitor", "patience", "freeze", "rates")


def finetune(
    preset: Annotated[
        str | None, typer.Argument(help="A shipped preset or a preset's folder.")
    ] = None,
    train_data: Annotated[
        Path | None, typer.Option("--train", help="Training data.")
    ] = None,
    valid_data: Annotated[
        Path | None,
        typer.Option("--valid", help="Validation data; else a tenth is held out."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="New folder to train in.")
    ] = None,
    settings: Set = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="Weights that stay as they are, as encoder/.*; repeatable."),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            help="Factor on the learning rate, as encoder/.*=0.1; repeatable; of "
            "several that match a weight the last one counts."
        ),
    ] = None,
    columns: Columns = None,
    repeat: Annotated[
        list[str] | None,
        typer.Option(help="Repeat pairs of an origin, as origin=times; repeatable."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the fine-tuning in this folder.")
    ] = None,
    prepare_only: Annotated[
        bool, typer.Option(help="Prepare the folder; train later with --resume.")
    ] = False,
) -> None:
    """Train a preset on with your own data; its vocabularies stay.

    Scores on the validation data tell before and after; the old weights are kept if
    the new ones are no better. The result is FOLDER/preset.
    """
    changes = pairs_of(settings, "--set")
    if resume is not None:
        others = (preset, train_data, valid_data, folder, columns, repeat)
        if any((*others, freeze, rate, prepare_only)):
            raise typer.BadParameter("--resume goes with --set alone.")
        return train_folder(_checked(resume), plan_changes(changes), "finetune")
    named = (("PRESET", preset), ("--train", train_data), ("--out", folder))
    if missing := [option for option, value in named if value is None]:
        raise typer.BadParameter(f"Missing: {', '.join(missing)}.")
    preset_folder(preset)
    changes = plan_changes(changes | _patterns(changes, freeze, rate))
    read = {"columns": columns_of(columns)}
    times = times_of(repeat) if repeat else None
    _prepare(preset, (train_data, valid_data), folder, read, times, changes)
    if prepare_only:
        err.print(
            f"Prepared. Train with: zoo finetune --resume {escape(str(folder))}",
            soft_wrap=True,
        )
    else:
        train_folder(folder, {}, "finetune")


def _patterns(changes, freeze, rate) -> dict:
    """What --freeze and --rate say, as fields of the plan."""
    found = {"freeze": freeze, "rates": rate}
    for (field, value), option in zip(found.items(), ("freeze", "rate"), strict=True):
        if value and field in changes:
            raise typer.BadParameter(f"--{option} and --set {field} say it twice.")
    if wrong := [item for item in rate or [] if "=" not in item]:
        raise typer.BadParameter(f"--rate takes PATTERN=FACTOR. Received: {wrong[0]}.")
    return {field: value for field, value in found.items() if value}


def _checked(folder: Path) -> Path:
    """The folder, if it holds a fine-tuning."""
    with quiet_import():
        from zoo.training.parents import Parent
        from zoo.training.runs import read_run

    read_run(folder)
    if Parent.of(folder) is None:
        raise ValueError(
            f"{folder} holds a training from scratch: zoo train --resume {folder}"
        )
    return folder


def _prepare(preset, files, folder, read, times, changes):
    with quiet_import():
        from zoo.presets import load_preset
        from zoo.training.finetuning import prepare_finetuning

        loaded = load_preset(preset)
    train, valid = (
        None if path is None else loaded.task.read(path, **read) for path in files
    )
    with err.status(f"Checking and encoding {len(train)} examples"):
        found = prepare_finetuning(
            loaded, train, valid, folder, repeat=times, **changes
        )
    _show(found, held_out=valid is None)


def _show(found: dict, held_out: bool):
    """Says what will be done, before it is."""
    counts = found["examples"]
    err.print(
        f"{counts['train']} examples to train on, {counts['valid']} to validate on"
        + (", held out by a hash of the source." if held_out else ".")
    )
    if found["frozen"]:
        err.print(
            f"Frozen: {found['frozen']:,} of {found['weights']:,} numbers in "
            "the weights."
        )
    plan = dataclasses.asdict(found["plan"])
    chosen = {name: plan[name] for name in _SHOWN if plan[name] != ()}
    shown = "  ".join(f"{name}={_text(value)}" for name, value in chosen.items())
    err.print(f"Plan: {shown}", highlight=False, markup=False, soft_wrap=True)


def _text(value) -> str:
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    items = (
        item if isinstance(item, str) else "{}={:g}".format(*item) for item in value
    )
    return " ".join(items)
