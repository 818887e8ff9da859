"""The command that makes a preset of a foreign checkpoint."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zoo.cli.console import err, out, quiet_import
from zoo.files import check_vacant

# Between libraries in float32; a weight in the wrong place makes far more.
_TOLERANCE = 1e-3


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="A checkpoint's folder or file, hf://owner/name, "
            "kaggle://owner/model/framework/variation, or keras_hub:NAME."
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option("--out", help="The preset's new folder; of a backbone, its file."),
    ],
    precision: Annotated[
        str, typer.Option(help="Of the weights on disk: float32, float16 or int8.")
    ] = "float32",
    verify: Annotated[
        bool,
        typer.Option(
            help="Compare with the family's own library, which has to be installed: "
            "differences above 1e-3 are an error, and nothing is written."
        ),
    ] = False,
) -> None:
    """Make a preset of a public checkpoint; needs no torch."""
    check_vacant(folder)
    with quiet_import():
        from zoo.converters import find_checkpoint
        from zoo.presets import save_preset
    with err.status("Looking"):
        checkpoint = find_checkpoint(source)
    if verify:
        _check_comparable(checkpoint)
    with err.status("Reading"):
        preset = checkpoint.convert()
    if verify:
        with err.status("Comparing"):
            rows = checkpoint.compare(preset)
        _check_close(rows)
    if hasattr(preset, "arrays"):
        preset.save(folder, precision)
        numbers = sum(array.size for array in preset.arrays.values())
        err.print(f"a backbone to start from, {numbers:,} weights.")
    else:
        save_preset(preset, folder, precision)
        err.print(f"{_kind(preset.task)}, {preset.model.count_params():,} weights.")
    err.print(
        f"Licence: {preset.card.get('licence')}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)


def _check_comparable(checkpoint) -> None:
    """Refuses a comparison that cannot be made before anything is read."""
    try:
        checkpoint.check_comparable()
    except (ValueError, ImportError) as error:
        raise typer.BadParameter(f"--verify: {error}") from error


def _check_close(rows: list[tuple[str, float]]) -> None:
    """Shows differences, and refuses a preset that computes something else."""
    table = Table("Compared", "Largest absolute difference", box=None)
    for name, value in rows:
        table.add_row(name, f"{value:.1e}")
    err.print(table)
    # So that a number that is none fails, too.
    far = [name for name, value in rows if not value <= _TOLERANCE]
    if far:
        raise ValueError(
            f"The preset does not compute what the checkpoint does: {', '.join(far)} "
            f"differ by more than {_TOLERANCE:g}. Nothing was written."
        )


def _kind(task) -> str:
    """What a converted model is."""
    if task.name == "translation":
        return "a translator"
    if task.name == "detection":
        named = sum(map(bool, task.classes.names))
        return f"a detector of {named} classes"
    if task.labels is None:
        return "an encoder"
    return f"a classifier of {len(task.labels)} outputs"
