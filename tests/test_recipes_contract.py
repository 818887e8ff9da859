"""What every recipe must do. A new recipe joins by existing."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

import zoo
from tests.commands import in_new_process
from zoo import registry
from zoo.export import contract
from zoo.export.check_export import check_export
from zoo.export.warm_up import read_warm_up
from zoo.files import read_json, write_json

GOLDEN = Path(__file__).parent / "golden"
RECIPES = registry.names()
# What a tiny model reaches at least, and how many examples it needs for it.
SCORES = {"translation": 80, "text_classification": 0.9, "detection": 0.35}
EXAMPLES = {"translation": 1500, "text_classification": 600, "detection": 400}


@pytest.fixture(scope="module", params=RECIPES)
def learnt(request, tmp_path_factory):
    """The tiny size of a recipe, trained on its task's made-up data.

    Trained once, whichever processes the tests are spread over.
    """
    recipe = zoo.get(request.param, size="tiny")
    task = recipe.task.resolve()
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    run = shared / f"{request.param}-run"
    with open(shared / f"{request.param}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "preset").is_dir():
            data = task.made_up(EXAMPLES[task.name], seed=1)
            zoo.train(recipe, data, task.made_up(40, seed=2), run)
    folder = tmp_path_factory.mktemp(request.param)
    return zoo.load(run / "preset"), task.made_up(40, seed=3), folder, run


def inputs_of(test, folder) -> list[str]:
    """A few raw inputs, as JSON can carry them: images as paths."""
    found = test.sources[:5]
    if isinstance(found[0], str):
        return found
    for image in found:
        (folder / image.name).write_bytes(image.read_bytes())
    return [str(folder / image.name) for image in found]


def test_its_tiny_size_learns_a_made_up_set(learnt):
    trained, test, *_ = learnt
    assert trained._runner.score(test) > SCORES[trained.task.name]


def test_its_run_ends_with_a_preset_that_loads(learnt):
    trained, test, folder, run = learnt
    again = zoo.load(run / "preset")
    inputs = inputs_of(test, folder)
    assert again(inputs) == trained(inputs)
    assert again.recipe == trained.recipe


def test_a_new_process_loads_its_preset_and_answers_the_same(learnt):
    trained, test, folder, run = learnt
    inputs = inputs_of(test, folder)
    assert in_new_process(_load_and_ask, run / "preset", inputs) == trained(inputs)


def _load_and_ask(preset, inputs):
    return zoo.load(preset)(inputs)


@pytest.fixture(scope="module")
def exported(learnt):
    """Its export, no longer where it was written."""
    trained, _, folder, _ = learnt
    return trained.export(folder / "exports").rename(folder / "moved")


def test_its_export_is_audited_and_answers_in_a_clean_process(exported):
    report = check_export(exported)
    assert "serving_default" in report
    assert all(entry["values"] > 0 for entry in report.values())


def test_its_signatures_are_what_clients_rely_on(learnt, exported):
    """To change them on purpose, run it once with RENEW_GOLDEN=1 and read the change.

    What clients rely on are names, dtypes and shapes.
    """
    golden = GOLDEN / f"{learnt[0].recipe.name}.json"
    found = contract(exported)
    if "RENEW_GOLDEN" in os.environ:
        write_json(golden, found)
    assert read_json(golden) == found


def test_each_of_its_signatures_is_warmed_up(exported):
    requests = read_warm_up(exported)
    assert {request.signature for request in requests} == set(contract(exported))


def test_its_weights_have_stable_addresses(learnt):
    """Built twice, a model names its weights alike: files stay readable."""
    from zoo.weights import model_arrays

    trained, *_ = learnt
    first, second = (
        trained.recipe.build_model(trained.task.model_options()) for _ in range(2)
    )
    assert list(model_arrays(first)) == list(model_arrays(second))


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_documented(name):
    entry = registry.entry(name)
    assert entry.summary.endswith(".")
    assert entry.paper.startswith("https://")
    assert f"zoo train {name}" in sys.modules[f"recipes.{name}"].__doc__
    document = entry.function.__doc__
    for option in entry.options:
        assert f"{option}:" in document, f"{name} does not document {option}"


@pytest.mark.parametrize("name", RECIPES)
def test_its_file_has_its_name(name):
    assert registry.entry(name).function.__module__ == f"recipes.{name}"
