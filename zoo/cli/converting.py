"""The command that makes a preset of a foreign checkpoint."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zoo.cli.console import err, out, quiet_import


def convert(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder in the layout of Hugging Face's hub, a KerasHub preset's "
            "folder, or keras_hub:NAME."
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="The preset's new folder.")],
    precision: Annotated[
        str, typer.Option(help="Of the weights on disk: float32, float16 or int8.")
    ] = "float32",
    verify: Annotated[
        bool,
        typer.Option(help="Compare with transformers and torch, where installed."),
    ] = False,
) -> None:
    """Make a preset of a BERT, DistilBERT or MiniLM checkpoint; needs no torch."""
    with quiet_import():
        from zoo.converters import convert as read
        from zoo.presets import save_preset
    if verify and source.startswith("keras_hub:"):
        raise typer.BadParameter("--verify compares with checkpoints of the hub.")
    with err.status("Reading"):
        preset = read(source)
    if verify:
        from zoo.converters.parity import compare_with_transformers

        with err.status("Comparing"):
            rows = compare_with_transformers(preset, source)
        table = Table("Layer", "Largest absolute difference", box=None)
        for name, value in rows:
            table.add_row(name, f"{value:.1e}")
        err.print(table)
    save_preset(preset, folder, precision)
    labels = preset.task.labels
    what = "an encoder" if labels is None else f"a classifier of {len(labels)} outputs"
    err.print(f"{what}, {preset.model.count_params():,} weights.")
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)
