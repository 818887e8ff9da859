"""Finds recipes by name and checks the options they are asked for."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from zoo.recipe import Recipe, TrainingPlan
from zoo.values import convert, convert_fields, unknown


@dataclass(frozen=True)
class Entry:
    """A registered recipe function and what is said about it."""

    name: str
    task: str
    paper: str
    function: Callable[..., Recipe]

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.function).split("\n")[0]

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.function).parameters)


_entries: dict[str, Entry] = {}


def recipe(task: str, paper: str = ""):
    """Registers a recipe function under its own name.

    Args:
        task: the kind of problem, such as "translation".
        paper: where the architecture was described.

    Raises:
        ValueError: the name is taken, or an option has no default.
    """

    def register(function: Callable[..., Recipe]) -> Callable[..., Recipe]:
        name = function.__name__
        if name in _entries:
            raise ValueError(f"A recipe named {name!r} is already registered.")
        for option in inspect.signature(function).parameters.values():
            if option.default is option.empty:
                raise ValueError(
                    f"Option {option.name!r} of recipe {name!r} needs a default."
                )
        _entries[name] = Entry(name, task, paper, function)
        return function

    return register


def entries() -> dict[str, Entry]:
    """All recipes by name: the `recipes` package's and those registered since."""
    import recipes

    for module in pkgutil.iter_modules(recipes.__path__):
        importlib.import_module(f"recipes.{module.name}")
    return dict(sorted(_entries.items()))


def names(task: str | None = None) -> list[str]:
    """The names of all recipes, or of those for one task.

    Raises:
        ValueError: no recipe has that task.
    """
    found = entries()
    tasks = sorted({entry.task for entry in found.values()})
    if task is not None and task not in tasks:
        raise ValueError(unknown("task", task, tasks))
    return [name for name, entry in found.items() if task in (None, entry.task)]


def entry(name: str) -> Entry:
    """One recipe's entry.

    Raises:
        ValueError: no such recipe; the message lists what exists.
    """
    found = entries()
    if name not in found:
        raise ValueError(unknown("recipe", name, list(found)))
    return found[name]


def get(name: str, **options: Any) -> Recipe:
    """Makes a recipe.

    Args:
        name: one of `names()`.
        **options: the recipe's own options, and fields of `TrainingPlan` (such as
            `steps` or `seed`), which change how it is trained. Strings are converted
            to an option's type.

    Returns:
        The frozen recipe.

    Raises:
        ValueError: an unknown name or option (with the nearest match), or a value of
            the wrong type.
    """
    chosen = entry(name)
    kinds = get_type_hints(chosen.function)
    own = [key for key in options if key in chosen.options]
    plan = [key for key in options if key in get_type_hints(TrainingPlan)]
    for key in options:
        if key not in own and key not in plan:
            known = [*chosen.options, *get_type_hints(TrainingPlan)]
            raise ValueError(unknown("option", key, known))
    made = chosen.function(
        **{key: convert(key, options[key], kinds[key]) for key in own}
    )
    changes = convert_fields(TrainingPlan, {key: options[key] for key in plan})
    return made.with_training(**changes) if changes else made
