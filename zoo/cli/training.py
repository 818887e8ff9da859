"""The command that trains."""

import contextlib
import dataclasses
import itertools
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from zoo import registry
from zoo.cli.console import err, escape, out, quiet_import
from zoo.cli.options import (
    Columns,
    Fix,
    Images,
    NewFolder,
    PrepareOnly,
    Repeat,
    Set,
    TrainData,
    pairs_of,
    plan_changes,
    reading_options,
    times_of,
)
from zoo.cli.scores import print_report, shown

# What is said of a round, as far as there is such.
_ROUND = ("loss", "class_error", "found", "no_object", "churn", "val_loss", "val_found")
_ROUND += ("val_perplexity", "val_rmse", "score", "seconds")


def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe's name.")] = None,
    train_data: TrainData = None,
    valid_data: Annotated[
        Path | None, typer.Option("--valid", help="Validation data.")
    ] = None,
    folder: NewFolder = None,
    settings: Set = None,
    columns: Columns = None,
    images: Images = None,
    fix: Fix = False,
    repeat: Repeat = None,
    train_target: Annotated[
        Path | None, typer.Option(help="Target side of --train, if a file of its own.")
    ] = None,
    valid_target: Annotated[
        Path | None, typer.Option(help="Target side of --valid, if a file of its own.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the training in this folder.")
    ] = None,
    prepare_only: PrepareOnly = False,
) -> None:
    """Train a recipe on your own data, or go on after an interruption.

    The folder holds everything: it can be prepared here, trained on a machine with an
    accelerator and JAX (KERAS_BACKEND=jax zoo train --resume FOLDER), and used here.
    """
    if recipe is not None:
        registry.entry(recipe)
    changes = pairs_of(settings, "--set")
    if resume is not None:
        others = (recipe, train_data, valid_data, folder, columns, repeat)
        others += (images, fix)
        others += (train_target, valid_target, prepare_only)
        if any(others):
            raise typer.BadParameter("--resume goes with --set alone.")
        folder, changes = resume, plan_changes(changes)
    else:
        missing = [
            option
            for option, value in (
                ("RECIPE", recipe),
                ("--train", train_data),
                ("--valid", valid_data),
                ("--out", folder),
            )
            if value is None
        ]
        if missing:
            raise typer.BadParameter(f"Missing: {', '.join(missing)}.")
        files = ((train_data, train_target), (valid_data, valid_target))
        reading = {"columns": columns, "images": images, "fix": fix}
        _prepare(recipe, changes, files, folder, reading, repeat)
        changes = {}
        if prepare_only:
            err.print(f"Prepared. Train with: zoo train --resume {folder}")
            return
    train_folder(folder, changes, "train")


def _prepare(recipe, changes, files, folder, reading, repeat):
    made = registry.get(recipe, **changes)
    with quiet_import():
        from zoo.training import prepare_run

    task = made.task.resolve()
    read = [
        task.read(path, **reading_options(task, target, **reading))
        for path, target in files
    ]
    if repeat:
        read[0] = read[0].repeated(times_of(repeat))
    with err.status(f"Learning a vocabulary and encoding {len(read[0])} examples"):
        summary = prepare_run(made, *read, folder)
    for line in summary:
        err.print(line, markup=False, highlight=False, soft_wrap=True)
    err.print(f"{len(read[0])} training and {len(read[1])} validation examples.")


def train_folder(folder, changes, command: str) -> None:
    """Trains a prepared folder in sight of the user.

    Args:
        folder: prepared.
        changes: other values of its plan.
        command: which command goes on with it.
    """
    with quiet_import():
        from zoo.training import train_run
        from zoo.training.parents import Parent
        from zoo.training.runs import read_run, why_ended

    plan = dataclasses.replace(read_run(folder).training, **changes)
    if not changes and (reason := why_ended(folder)):
        err.print(
            f"The training had ended: {escape(reason)}. To go on, raise steps or "
            "patience, whichever stopped it, with --set.",
            soft_wrap=True,
        )
    with _progress(plan) as callbacks:
        try:
            preset = train_run(folder, callbacks, **changes)
        except KeyboardInterrupt:
            err.print(f"\nGo on with: zoo {command} --resume {escape(str(folder))}")
            raise
    if parent := Parent.of(folder):
        _print_comparison(preset.card["fine_tuning"][-1])
        print_report(parent.details)
    else:
        kept = preset.card["training"]
        err.print(f"Kept {kept['kept']}, validation {kept['validation']:.4g}.")
    out.print(str(folder / "preset"), markup=False, highlight=False, soft_wrap=True)


# Scores that a report holds, and a table has no room for.
_LESSER = {"ece_uncalibrated", "mae", "temperature"}


def _print_comparison(entry: dict) -> None:
    """Scores before and after, and what was kept."""
    from zoo.training.parents import KEPT_START, NOTE, verdict

    before, after = (entry[when] or {} for when in ("before", "after"))
    if before or after:
        found = before or after
        lesser = _LESSER | ({"micro_f1"} if "accuracy" in found else set())
        names = [name for name in found if name not in lesser]
        table = Table("Validation data", *names, box=None)
        for when, scores in (("before", before), ("after", after)):
            found = (shown(name, scores[name]) for name in names if name in scores)
            table.add_row(when, *found)
        err.print(table)
    else:
        err.print(NOTE, soft_wrap=True)
    if entry["kept"] != KEPT_START:
        err.print(verdict(entry), soft_wrap=True)


@contextlib.contextmanager
def _progress(plan):
    """A progress bar as a Keras callback, and a line after each round."""
    import keras

    bar = Progress(
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=err,
    )
    task = bar.add_task("", total=plan.steps, loss="compiling")
    interruptions = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            bar.update(task, completed=epoch * plan.round_steps)

        def on_train_batch_end(self, batch, logs=None):
            bar.update(task, advance=1, loss=f"loss {float(logs['loss']):.3f}")
            if interruptions:
                raise KeyboardInterrupt

        def on_epoch_end(self, epoch, logs=None):
            bar.console.print(_round_line(logs), highlight=False)

    with bar, _noting_interruptions(interruptions):
        yield [Watch()]


def _round_line(logs: dict) -> str:
    """How a round went; all of it stands in the run's log and in TensorBoard."""
    shown = [name for name in _ROUND if name in logs]
    parts = [f"{name} {logs[name]:.4g}" for name in shown]
    layers = itertools.takewhile(
        lambda name: name in logs, (f"loss_{layer}" for layer in itertools.count())
    )
    by_layer = " ".join(f"{logs[name]:.3g}" for name in layers)
    if by_layer:
        parts.insert(1, f"by layer {by_layer}")
    return "  ".join([f"step {logs['step']}", *parts])


@contextlib.contextmanager
def _noting_interruptions(noted: list):
    """Notes the first Ctrl-C; a second one interrupts wherever it is.

    Raised wherever Python happens to be, an interruption can get lost: TensorFlow
    calls back from places that swallow exceptions.
    """

    def note(number, frame):
        if noted:
            raise KeyboardInterrupt
        noted.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
