"""Commands that give a preset to the world."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from zoo.cli.console import err, out, quiet_import
from zoo.files import check_vacant
from zoo.presets import find_test_split, preset_folder

_EXAMPLES = 2


def save(
    preset: Annotated[str, typer.Argument(help="A shipped preset, or one's folder.")],
    kind: Annotated[
        Literal["hf", "keras"],
        typer.Option(
            "--format",
            help="hf: a folder for Hugging Face's hub; keras: the bare model as a "
            ".keras file, with the vocabulary beside.",
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="A new folder.")],
    precision: Annotated[
        str, typer.Option(help="Of weights for the hub: float32, float16 or int8.")
    ] = "float32",
    language: Annotated[
        str | None,
        typer.Option(help="Codes of languages for the hub, such as en or en,zh."),
    ] = None,
    example: Annotated[
        list[str] | None,
        typer.Option(help="A text that the hub's page offers to try; repeatable."),
    ] = None,
) -> None:
    """Write a preset for Hugging Face's hub, or for plain Keras."""
    if kind == "keras" and (precision != "float32" or language or example):
        raise typer.BadParameter(
            "--precision, --language and --example go with --format hf."
        )
    check_vacant(folder)
    with quiet_import():
        import keras  # noqa: F401  (it loads TensorFlow, now and not later)

        from zoo.presets import load_preset
        from zoo.sharing import save_for_hub, save_for_keras
    with err.status("Reading"):
        loaded = load_preset(preset)
    if kind == "keras":
        save_for_keras(loaded, folder)
    else:
        texts = tuple(example or _examples(loaded.task, preset_folder(preset)))
        languages = tuple(language.split(",")) if language else ()
        save_for_hub(loaded, folder, precision, languages, texts)
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)


def push(
    folder: Annotated[Path, typer.Argument(help="What zoo save --format hf wrote.")],
    address: Annotated[str, typer.Argument(help="hf://owner/name")],
    private: Annotated[
        bool, typer.Option("--private", help="For its owner's eyes, if it is new.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would go, and send nothing.")
    ] = False,
) -> None:
    """Upload a folder to Hugging Face's hub, by its own client and login."""
    from zoo.hub.sources import repository_of
    from zoo.sharing import files_to_push
    from zoo.sharing import push as send

    repository_of(address)
    files = files_to_push(folder)
    table = Table("File", "Bytes", box=None)
    for name, size in files.items():
        table.add_row(name, f"{size:,}")
    err.print(table)
    if dry_run:
        return err.print(f"Nothing was sent to {address}.", highlight=False)
    with err.status("Sending"):
        place = send(folder, address, private)
    out.print(place, markup=False, highlight=False, soft_wrap=True)


def _examples(task, folder: Path) -> list[str]:
    """The first inputs of a preset's test split, where they are short texts."""
    path = find_test_split(folder)
    if path is None or task.name == "detection":
        return []
    data = task.read_back(path)
    texts = data.sources if task.name == "translation" else data.texts
    return [text for text in texts if len(text) <= 200][:_EXAMPLES]
