"""Commands that show what there is. They import neither Keras nor TensorFlow."""

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zoo import registry
from zoo.cli.console import escape, out, print_json, print_tree
from zoo.cli.options import Json
from zoo.presets import preset_names, read_card


def list_(
    task: Annotated[str | None, typer.Option(help="Only recipes of this task.")] = None,
    as_json: Json = False,
) -> None:
    """Recipes, and the trained presets of each."""
    found = registry.entries()
    rows = [
        {
            "recipe": name,
            "task": found[name].task,
            "summary": found[name].summary,
            "presets": [p for p in preset_names() if p.startswith(f"{name}/")],
        }
        for name in registry.names(task)
    ]
    if as_json:
        return print_json(rows)
    table = Table(box=None, padding=(0, 2, 1, 0))
    table.add_column("Recipe", no_wrap=True)
    table.add_column("What it is")
    table.add_column("Presets", no_wrap=True)
    for row in rows:
        presets = "\n".join(row["presets"]) or "-"
        table.add_row(f"{row['recipe']}\n({row['task']})", row["summary"], presets)
    out.print(table)


def describe(
    name: Annotated[
        str, typer.Argument(help="A recipe, a preset or a preset's folder.")
    ],
    as_json: Json = False,
) -> None:
    """Options and plan of a recipe, or the card of a preset."""
    if name not in registry.entries() and ("/" in name or Path(name).exists()):
        content = read_card(name)
        return print_json(content) if as_json else print_tree(content)
    entry = registry.entry(name)
    made = entry.function()
    content = {
        "recipe": name,
        "task": entry.task,
        "summary": entry.summary,
        "paper": entry.paper,
        "options": {
            key: {"type": _type_name(option.annotation), "default": option.default}
            for key, option in entry.options.items()
        },
        "model": {"class": made.model.target, **made.model.options},
        "training": dataclasses.asdict(made.training),
        "documentation": inspect.getdoc(entry.function),
    }
    if as_json:
        return print_json(content)
    out.print(escape(content.pop("documentation").strip()) + "\n")
    print_tree(content)


def _type_name(kind) -> str:
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    return name.replace("typing.", "")
