"""Models that commands take as NAME=SOURCE: exports, or presets that become some."""

import os
import re
from pathlib import Path

import typer

from zoo.cli.console import err, quiet_import
from zoo.cli.exported import is_export
from zoo.files import GRAPH
from zoo.presets import find_test_split, preset_folder

# A name stands in addresses, before a colon, and in a folder's name.
_NAME = re.compile(r"[^\W_][\w.-]*")


def models_of(sources: list[str]) -> dict[str, str]:
    """Exports and presets by the names of their models, checked to be there.

    Args:
        sources: each as NAME=SOURCE or, under its own name, as SOURCE.
    """
    found: dict[str, str] = {}
    for each in sources:
        name, source = _named(each)
        if not _NAME.fullmatch(name):
            raise typer.BadParameter(
                f"{name!r} is no name for a model: letters, digits and . _ -, first a "
                f"letter or digit. Give it one, as NAME={source or 'SOURCE'}."
            )
        if name in found:
            raise typer.BadParameter(
                f"Two models are called {name}: give one another name, as NAME=SOURCE."
            )
        if (Path(source) / GRAPH).is_file():
            raise typer.BadParameter(
                f"{source} is one version: name the folder that it lies in, "
                f"{Path(source).resolve().parent}."
            )
        if not is_export(source):
            preset_folder(source)
        found[name] = source
    return found


def _named(text: str) -> tuple[str, str]:
    """A model's name and its source."""
    name, equals, source = text.partition("=")
    # A folder's name may hold the sign too.
    if equals and ("/" not in name or not Path(text).exists()):
        return name, source
    return Path(text).resolve().name, text


def exported_preset(
    preset: str,
    folder: Path,
    weights: str = "float32",
    watch: Path | None = None,
    server: str | None = None,
    **options,
) -> Path:
    """Exports a preset as the next version in a folder.

    Args:
        preset: its name, or its folder.
        folder: the model's base path.
        weights: "float32" or "int8".
        watch: a file of typical data for int8; else the preset's test split.
        server: the release of TF Serving that must run it; the newest if `None`.
        **options: what the export answers with.
    """
    own = find_test_split(preset_folder(preset))
    if weights == "int8":
        # Read when TensorFlow is imported.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with quiet_import():
        from zoo.pretrained import load

        trained = load(preset)
    typical = ()
    if watch is not None:
        typical = trained.task.read(watch).sources
    elif weights == "int8" and own is not None:
        typical = trained.task.read_back(own).sources
    with err.status(f"Exporting {preset}"):
        return trained.export(folder, weights, typical, server, **options)
