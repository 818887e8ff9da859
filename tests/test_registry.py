import dataclasses
import json
import subprocess
import sys
from typing import Literal

import pytest

from zoo import registry
from zoo.recipe import Part, Recipe, TrainingPlan


def made_up(name="made_up", **options):
    return Recipe(name, options, Part("a:B"), Part("c:D"), TrainingPlan(steps=7))


@pytest.fixture
def own_entries(monkeypatch):
    """Lets a test register recipes that are forgotten after it."""
    registry.entries()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.fixture
def options_recipe(own_entries):
    @registry.recipe(task="guessing")
    def made_up(
        kind: Literal["small", "large"] = "small",
        units: int = 3,
        rate: float = 0.5,
        tied: bool = False,
        label: str = "x",
    ) -> Recipe:
        """Made up to take options of every type."""
        return globals()["made_up"](
            kind=kind, units=units, rate=rate, tied=tied, label=label
        )

    return made_up


# Names


def test_names_are_sorted_and_include_those_of_the_recipes_folder(options_recipe):
    names = registry.names()
    assert names == sorted(names)
    assert {"made_up", "translation_rnn"} <= set(names)


def test_names_can_be_asked_for_by_task(options_recipe):
    assert registry.names(task="guessing") == ["made_up"]
    assert "made_up" not in registry.names(task="translation")


def test_an_unknown_task_is_refused_with_the_nearest(options_recipe):
    with pytest.raises(ValueError, match=r"No task 'guesing'.*mean 'guessing'\?"):
        registry.names(task="guesing")


def test_an_unknown_recipe_is_refused_with_the_nearest_and_a_list():
    message = r"No recipe 'translation_rn'\. Did you mean 'translation_rnn'\? There is:"
    with pytest.raises(ValueError, match=message):
        registry.get("translation_rn")


def test_a_name_like_no_other_gets_the_list_alone():
    with pytest.raises(ValueError, match=r"No recipe 'zzz'\. There is: .*_rnn"):
        registry.entry("zzz")


def test_an_entry_tells_what_its_docstring_begins_with(options_recipe):
    entry = registry.entry("made_up")
    assert entry.summary == "Made up to take options of every type."
    assert entry.task == "guessing"
    assert list(entry.options) == ["kind", "units", "rate", "tied", "label"]


# Registering


def test_a_name_can_be_registered_only_once(options_recipe):
    with pytest.raises(ValueError, match="'made_up' is already registered"):
        registry.recipe(task="guessing")(options_recipe)


def test_an_option_without_default_is_refused(own_entries):
    def forgetful(units: int, rate: float = 0.5) -> Recipe:
        """Has an option that cannot be left out."""

    with pytest.raises(ValueError, match="'units' of recipe 'forgetful' needs a def"):
        registry.recipe(task="guessing")(forgetful)
    assert "forgetful" not in registry.names()


# Options


def test_defaults_are_taken_where_nothing_is_said(options_recipe):
    assert registry.get("made_up").options == {
        "kind": "small",
        "units": 3,
        "rate": 0.5,
        "tied": False,
        "label": "x",
    }


@pytest.mark.parametrize(
    "option, text, value",
    [
        ("kind", "large", "large"),
        ("units", "17", 17),
        ("units", "1e3", 1_000),
        ("units", -5, -5),
        ("rate", "1e-3", 0.001),
        ("rate", 2, 2.0),
        ("tied", "true", True),
        ("tied", "False", False),
        ("tied", True, True),
        ("label", "17", "17"),
        ("label", "", ""),
    ],
)
def test_strings_are_read_as_the_type_of_the_option(
    options_recipe, option, text, value
):
    found = registry.get("made_up", **{option: text}).options[option]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "option, value",
    [
        ("units", "many"),
        ("units", "1.5"),
        ("units", 1.5),
        ("units", True),
        ("units", None),
        ("units", ""),
        ("units", [3]),
        ("units", "nan"),
        ("units", "inf"),
        ("rate", "fast"),
        ("rate", True),
        ("rate", None),
        ("rate", ""),
        ("tied", "yes"),
        ("tied", 1),
        ("tied", None),
        ("label", 3),
        ("label", None),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(options_recipe, option, value):
    with pytest.raises(ValueError, match=rf"{option} must be an? .*{option}="):
        registry.get("made_up", **{option: value})


def test_a_choice_that_does_not_exist_is_refused_with_the_nearest(options_recipe):
    message = r"No value of kind 'smal'\. Did you mean 'small'\? There is: small, large"
    with pytest.raises(ValueError, match=message):
        registry.get("made_up", kind="smal")


def test_an_unknown_option_is_refused_with_the_nearest(options_recipe):
    with pytest.raises(ValueError, match=r"No option 'unit'\. Did you mean 'units'\?"):
        registry.get("made_up", unit=3)
    with pytest.raises(ValueError, match=r"'stepps'\. Did you mean 'steps'\?"):
        registry.get("made_up", stepps=3)


def test_fields_of_the_plan_change_how_it_is_trained_and_nothing_else(options_recipe):
    plain = registry.get("made_up")
    changed = registry.get("made_up", steps="42", learning_rate="2e-4", units=5)
    assert changed.training == dataclasses.replace(
        plain.training, steps=42, learning_rate=2e-4
    )
    assert changed.options == plain.options | {"units": 5}


def test_a_value_of_the_plan_is_checked_too(options_recipe):
    with pytest.raises(ValueError, match="steps must be an int"):
        registry.get("made_up", steps="few")


# Recipes


def test_a_recipe_cannot_be_changed_in_place():
    recipe = registry.get("translation_rnn")
    for changed, field in ((recipe, "name"), (recipe.training, "steps")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(changed, field, None)


def test_a_recipe_with_another_plan_is_another_recipe():
    recipe = registry.get("translation_rnn")
    changed = recipe.with_training(steps=2 * recipe.training.steps)
    assert changed.training.steps == 2 * recipe.training.steps
    assert changed != recipe
    assert registry.get("translation_rnn") == recipe


def test_listing_recipes_imports_neither_tensorflow_nor_keras():
    script = (
        "import json, sys, zoo; zoo.names(); zoo.preset_names();"
        "zoo.get('translation_rnn', size='tiny');"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"tensorflow", "keras", "tensorflow_text", "jax", "torch", "matplotlib"}
    assert not heavy & set(json.loads(done.stdout))
