"""Fine-tuning a classifier: other labels, fresh parts, staged and decayed rates."""

import json

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.tasks.classification import random_model
from tests.training import small_classifier
from zoo.data.labelled_text import LabelledText
from zoo.presets import Preset, load_preset
from zoo.tasks.text_classification import TextClassificationTask
from zoo.training import prepare_finetuning, prepare_run, train_run
from zoo.weights import model_arrays, read_arrays

# A few eager steps are quicker than tracing a graph, but tf.data traces its own; and
# a fine-tuning so short makes nothing better.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Even though the"),
    pytest.mark.filterwarnings("ignore::zoo.training.FineTuningWarning"),
    pytest.mark.filterwarnings("ignore::zoo.data.parallel_text.DataWarning"),
]
QUICK = {"steps": 4, "round_steps": 2, "average_last": 1, "warmup_steps": 0}
TEXTS = ["the cat", "a dog", "猫坐。", "狗？", "is it?", "cat dog"] * 4
KNOWN = LabelledText(TEXTS, ["en", "en", "zh", "question", "question", "zh"] * 4)
OTHER = LabelledText(TEXTS, ["zh", "new", "zh", "question"] * 6)
NUMBERS = LabelledText(TEXTS, ["1", "2.5", "4", "-3", "0", "7"] * 4)


@pytest.fixture(scope="module", autouse=True)
def eagerly():
    tf.config.run_functions_eagerly(True)
    with small_classifier.registered():
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def base():
    """A preset that was never trained."""
    recipe = zoo.get("small_classifier")
    task = TextClassificationTask.learn(KNOWN, 90)
    return Preset(recipe, task, random_model(task, recipe, 0.3), {}, "some/base")


def prepared(base, folder, data=KNOWN, **options):
    found = prepare_finetuning(base, data, data, folder, **QUICK | options)
    return found, read_arrays(folder / "start.safetensors")[0]


def differing(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


# Heads


def test_a_kept_head_starts_as_it_was(base, tmp_path):
    _, start = prepared(base, tmp_path / "run")
    assert differing(start, model_arrays(base.model)) == set()


def test_a_reset_head_starts_fresh_and_all_else_as_it_was(base, tmp_path):
    _, start = prepared(base, tmp_path / "run", OTHER, head="reset")
    old = model_arrays(base.model)
    assert start["head/kernel"].shape == (7, 3)
    assert differing(start, old) == {"head/kernel", "head/bias"}
    assert (start["head/bias"] == 0).all()
    assert np.abs(start["head/kernel"]).max() < 0.05


def test_a_reused_head_keeps_the_columns_of_labels_in_both_by_name(base, tmp_path):
    _, start = prepared(base, tmp_path / "run", OTHER, head="reuse")
    old = model_arrays(base.model)
    names = base.task.labels.names
    assert names == ("en", "question", "zh")
    for row, name in enumerate(("new", "question", "zh")):
        for weight in ("head/kernel", "head/bias"):
            if name == "new":
                assert np.abs(start[weight][..., row]).max() < 0.05
            else:
                known = old[weight][..., names.index(name)]
                np.testing.assert_array_equal(start[weight][..., row], known)


def test_labels_that_are_not_known_are_refused_with_the_way_out(base, tmp_path):
    with pytest.raises(ValueError, match=r"'new' \(6.*--reset-head.*--reuse-head"):
        prepared(base, tmp_path / "run", OTHER)
    assert not (tmp_path / "run").exists()


def test_another_kind_takes_a_fresh_head(base, tmp_path):
    with pytest.raises(ValueError, match="For kind=regression"):
        prepared(base, tmp_path / "run", NUMBERS, kind="regression")
    prepared(base, tmp_path / "run", NUMBERS, head="reset", kind="regression")
    tuned = train_run(tmp_path / "run")
    assert tuned.recipe.options["kind"] == "regression"
    assert tuned.task.labels.kind == "regression"
    assert tuned.model.num_outputs == 1
    loaded = load_preset(tmp_path / "run" / "preset")
    assert loaded.task.labels == tuned.task.labels


def test_an_encoder_gets_a_head(base, tmp_path):
    task = TextClassificationTask(base.task.vocabulary, None)
    model = base.recipe.build_model(task.model_options())
    encoder = Preset(base.recipe, task, model, {}, "some/encoder")
    prepared(encoder, tmp_path / "run")
    tuned = train_run(tmp_path / "run")
    assert tuned.task.labels.names == ("en", "question", "zh")
    (entry,) = tuned.card["fine_tuning"]
    assert entry["parent"] == "some/encoder"


# Fresh parts


def test_what_a_pattern_names_starts_fresh(base, tmp_path):
    _, start = prepared(base, tmp_path / "run", reset=["hidden/.*"])
    found = differing(start, model_arrays(base.model))
    assert found == {
        name for name in model_arrays(base.model) if name.startswith("hidden/")
    }


def test_a_pattern_that_matches_nothing_is_refused(base, tmp_path):
    with pytest.raises(ValueError, match=r"reset='hiden/\.\*'.*'hidden/\.\*'"):
        prepared(base, tmp_path / "run", reset=["hiden/.*"])


# Rates by depth and by time


def test_rates_fall_with_the_depth_and_own_ones_count_after(base, tmp_path):
    found, _ = prepared(
        base, tmp_path / "run", layer_decay=0.5, rates={"embedding/.*": 3.0}
    )
    assert found["plan"].rates == (
        ("embedding/.*", 0.25),
        ("hidden/.*", 0.5),
        ("head/.*", 1.0),
        ("embedding/.*", 3.0),
    )
    with pytest.raises(ValueError, match=r"layer_decay.*Received: 1.5"):
        prepared(base, tmp_path / "other", layer_decay=1.5)


def test_weights_stay_bit_by_bit_until_their_step(base, tmp_path):
    options = {"unfreeze": {"embedding/.*": 2}, "monitor": "perplexity"}
    options |= {"patience": 9, "weight_decay": 0.1}
    prepared(base, tmp_path / "run", **options)
    train_run(tmp_path / "run")
    name = "embedding/embeddings"
    start = model_arrays(base.model)[name]
    # Its round files are of steps 2 and 4; the average keeps one of them.
    history = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in history] == [2, 4]
    rounds = sorted((tmp_path / "run").glob("round-*.safetensors"))
    assert read_arrays(rounds[-1])[0][name].tobytes() != start.tobytes()

    prepared(base, tmp_path / "late", **options | {"unfreeze": {"embedding/.*": 4}})
    train_run(tmp_path / "late")
    rounds = sorted((tmp_path / "late").glob("round-*.safetensors"))
    last = read_arrays(rounds[-1])[0]
    assert last[name].tobytes() == start.tobytes()
    others = differing(last, model_arrays(base.model))
    assert others == set(last) - {name}


# What decides


def test_another_metric_may_decide(tmp_path):
    recipe = zoo.get("small_classifier", monitor="macro_f1", patience=1, **QUICK)
    prepare_run(recipe, KNOWN, KNOWN, tmp_path / "run")
    card = train_run(tmp_path / "run").card
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert all(row["score"] == row["val_macro_f1"] for row in rows)
    assert card["training"]["validation"] == max(row["score"] for row in rows)
    assert any(row["val_macro_f1"] != row["val_accuracy"] for row in rows)


def test_training_stops_when_no_round_is_better(base, tmp_path):
    """At a rate of 0 none is."""
    options = {"learning_rate": 0.0, "patience": 2, "monitor": "macro_f1", "steps": 40}
    prepared(base, tmp_path / "run", **options)
    tuned = train_run(tmp_path / "run")
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert tuned.card["fine_tuning"][0]["kept"] == "start"


@pytest.mark.parametrize("monitor", ["bleu", "rmse"])
def test_an_unknown_metric_is_refused_with_those_there_are(monitor, base, tmp_path):
    message = f"'{monitor}'.*score, accuracy, macro_f1, perplexity"
    with pytest.raises(ValueError, match=message):
        prepared(base, tmp_path / "run", monitor=monitor)
    recipe = zoo.get("small_classifier", monitor=monitor)
    with pytest.raises(ValueError, match=message):
        prepare_run(recipe, KNOWN, KNOWN, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
