"""Labelled texts to batches, other data, calibration, and a task's files."""

import copy
import json

import numpy as np
import pytest

from tests.tasks.classification import (
    DATA,
    MULTI,
    NAMES,
    NUMBERS,
    PAIRS,
    TWICE,
    learn,
)
from zoo.data.encoded_texts import EncodedTexts
from zoo.data.label_set import LabelSet
from zoo.data.labelled_text import LabelledText
from zoo.data.ragged import Ragged
from zoo.data.vocabulary import END_ID
from zoo.tasks.text_classification import TextClassificationTask

OTHER = LabelledText(DATA.texts * 2, ["zh", "new"] * 6)


@pytest.fixture(scope="module")
def task():
    return learn()[0]


def rows(ragged):
    return [ragged[number].tolist() for number in range(len(ragged))]


# Encoding


def test_labels_are_by_name_in_the_order_of_code_points(task):
    assert task.labels.names == ("en", "question", "zh")
    assert task.model_options()["num_outputs"] == 3
    encoded = task.encode(TWICE)
    assert [task.labels.names[n] for n in encoded.targets] == TWICE.labels


def test_a_text_is_its_pieces_and_the_end(task):
    encoded = task.encode(TWICE)
    expected = [[*task.vocabulary.processor.encode(t), END_ID] for t in TWICE.texts]
    assert rows(encoded.ids) == expected
    assert encoded.sentence_ends is None
    assert encoded.weights.tolist() == [1.0] * 12


def test_long_texts_are_cut_and_flagged():
    task, _ = learn(max_pieces=8)
    encoded = task.encode(TWICE)
    assert max(encoded.ids.lengths) == 8
    assert all(row[-1] == END_ID for row in rows(encoded.ids))
    _, truncated = task.codec.encode(TWICE.texts)
    whole = [len(task.vocabulary.processor.encode(text)) + 1 for text in TWICE.texts]
    assert truncated.numpy().tolist() == [length > 8 for length in whole]


def test_balanced_weights_give_every_class_the_same_sum_in_training_alone():
    task, _ = learn(
        data=TWICE.chosen([0, 1, 6, 7, 2, 3, 4, 5]), class_weights="balanced"
    )
    data = TWICE.chosen([0, 1, 6, 7, 2, 3])
    encoded = task.encode(data, training=True)
    sums = [
        encoded.weights[encoded.targets == n].sum() for n in range(len(task.labels))
    ]
    np.testing.assert_allclose(sums, [2.0, 2.0, 2.0], rtol=1e-6)
    assert task.encode(data).weights.tolist() == [1.0] * 6


def test_balanced_weights_are_for_one_label_of_many():
    with pytest.raises(ValueError, match=r"class_weights=balanced.*kind=multi"):
        learn(data=MULTI, kind="multi", class_weights="balanced")


def test_pairs_are_read_as_pairs():
    task, _ = learn(data=PAIRS)
    assert task.has_pairs
    assert (rows(task.encode(PAIRS).ids)[0].count(END_ID)) == 2
    with pytest.raises(ValueError, match=r"reads pairs of texts.*has single texts"):
        task.check(PAIRS, TWICE)
    with pytest.raises(ValueError, match=r"reads single texts.*the data has pairs"):
        learn()[0].check(PAIRS, PAIRS)


def test_wordpiece_pairs_are_as_bert_has_them():
    task, _ = learn("bert", PAIRS)
    start, end = task.vocabulary.start_id, task.vocabulary.end_id
    assert task.model_options()["separator_id"] == end
    for row in rows(task.encode(PAIRS).ids):
        assert (row[0], row[-1], row.count(end)) == (start, end, 2)


def test_documents_are_encoded_sentence_by_sentence():
    task, _ = learn("hierarchical", words=5, sentences=4)
    encoded = task.encode(TWICE)
    counts = np.diff(encoded.sentence_ends, prepend=0)
    ids, _ = task.codec.encode(TWICE.texts)
    expected = ids.to_list()
    assert counts.tolist() == [len(document) for document in expected]
    assert rows(encoded.ids) == [row for document in expected for row in document]
    assert max(encoded.ids.lengths) <= 5
    assert max(counts) <= 4


def test_documents_have_no_pairs():
    with pytest.raises(ValueError, match="single documents, not pairs"):
        learn("hierarchical", PAIRS)


def test_a_made_up_set_names_what_it_is_about():
    data = TextClassificationTask.made_up(50, seed=3)
    assert data == TextClassificationTask.made_up(50, seed=3)
    assert set(data.labels) == {"animal", "plant", "weather"}


def test_a_lost_tokenizer_is_made_again(task):
    """`keras.utils.set_random_seed` clears what holds it."""
    import keras

    before = rows(task.encode(DATA).ids)
    keras.utils.set_random_seed(1)
    assert rows(task.encode(DATA).ids) == before


# Other data


def test_to_keep_the_head_the_labels_must_be_known(task):
    assert task.for_data(DATA.chosen([0, 3])) is task
    with pytest.raises(ValueError, match=r"'new'.*--reset-head.*--reuse-head"):
        task.for_data(OTHER)


@pytest.mark.parametrize("head", ["reset", "reuse"])
def test_a_new_head_takes_the_labels_of_the_data(task, head):
    warm = copy.copy(task)
    warm.temperature = 2.0
    other = warm.for_data(OTHER, head)
    assert other.labels.names == ("new", "zh")
    assert other.temperature == 1.0
    assert other.vocabulary is task.vocabulary
    assert (warm.labels.names, warm.temperature) == (task.labels.names, 2.0)
    assert other.head_rows(task) == [None, 2]


def test_another_kind_needs_a_new_head(task):
    with pytest.raises(ValueError, match=r"kind single. For kind=multi.*--reset-head"):
        task.for_data(MULTI, kind="multi")
    other = task.for_data(NUMBERS, "reset", kind="regression")
    assert (other.labels.kind, len(other.labels)) == ("regression", 1)
    assert other.head_rows(task) == task.head_rows(other)[:1] == [None]


def test_an_encoder_takes_the_labels_and_the_pairs_of_the_data(task):
    encoder = TextClassificationTask(task.vocabulary, None)
    assert encoder.model_options()["num_outputs"] == 0
    found = encoder.for_data(PAIRS)
    assert found.has_pairs and found.labels.names == ("en", "question", "zh")
    assert encoder.labels is None and not encoder.has_pairs
    assert found.head_rows(encoder) == [None] * 3


def test_an_unknown_way_with_the_head_is_refused(task):
    with pytest.raises(ValueError, match="head='drop'"):
        task.for_data(DATA, "drop")


# Calibration


class Fixed:
    """A model that gives what its inputs say, and batches of that."""

    def __init__(self, outputs, targets):
        ids = Ragged.from_rows([[n + 1] for n in range(len(targets))])
        self.data = EncodedTexts(ids, targets, np.ones(len(targets), "float32"))
        self.outputs = outputs
        self.batches = self.data.batches(64, None)

    def __call__(self, inputs, training):
        assert not training
        rows = inputs["token_ids"][:, 0] - 1
        # A row that fills a batch up would be wildly wrong.
        return np.where(rows[:, None] < 0, [[90.0, -90.0, 0]], self.outputs[rows])


def drawn(random, count, temperature):
    """Outputs, and targets as often as their probabilities at a temperature say."""
    outputs = random.normal(scale=6.0, size=(count, 3)).astype("float32")
    shares = np.exp(outputs / temperature)
    shares /= shares.sum(axis=1, keepdims=True)
    targets = [random.choice(3, p=share / share.sum()) for share in shares]
    return outputs, np.array(targets, "int32")


def test_the_temperature_is_what_the_data_were_drawn_with(task, random):
    model = Fixed(*drawn(random, 3_001, 3.0))
    found = task.calibrated(model, model.batches)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert task.temperature == 1.0


def test_of_few_examples_no_temperature_is_fitted(task, random):
    model = Fixed(*drawn(random, 99, 3.0))
    assert task.calibrated(model, model.batches).temperature == 1.0
    model = Fixed(*drawn(random, 100, 3.0))
    assert task.calibrated(model, model.batches).temperature > 1.0


def test_without_mistakes_no_temperature_is_fitted(task, random):
    outputs, _ = drawn(random, 200, 3.0)
    model = Fixed(outputs, outputs.argmax(axis=1).astype("int32"))
    assert task.calibrated(model, model.batches).temperature == 1.0


def test_a_regression_has_no_temperature(random):
    task, _ = learn(data=NUMBERS, kind="regression")
    assert task.calibrated(None, None) is task


# Files


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_loaded_as_it_was_saved(name, tmp_path):
    task, recipe = learn(name)
    task.temperature = 1.7
    task.save(tmp_path)
    found = recipe.task.resolve().load(tmp_path)
    assert type(found) is type(task)
    assert found.describe() == task.describe()
    assert found.labels == task.labels
    assert found.model_options() == task.model_options()
    assert rows(found.encode(TWICE).ids) == rows(task.encode(TWICE).ids)
    for option in ("class_weights", "has_pairs", "words", "sentences"):
        assert getattr(found, option, None) == getattr(task, option, None)


def test_an_encoder_is_saved_without_labels(task, tmp_path):
    encoder = TextClassificationTask(task.vocabulary, None, 33)
    encoder.save(tmp_path)
    assert not (tmp_path / "labels.json").exists()
    found = TextClassificationTask.load(tmp_path)
    assert (found.labels, found.max_pieces) == (None, 33)
    assert found.describe()["labels"] is None


def test_another_format_is_refused(task, tmp_path):
    task.save(tmp_path)
    path = tmp_path / "task.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 7}))
    with pytest.raises(ValueError, match="another format than 1"):
        TextClassificationTask.load(tmp_path)


# What training takes


@pytest.mark.parametrize(
    "labels, first, count",
    [
        (LabelSet("single", ("a", "b")), "accuracy", 3),
        (LabelSet("multi", ("a", "b")), "micro_f1", 3),
        (LabelSet("regression"), "rmse", 1),
    ],
)
def test_the_first_metric_is_the_score_of_the_kind(task, labels, first, count):
    own = TextClassificationTask(task.vocabulary, labels)
    metrics = own.metrics()
    assert (next(iter(metrics)), len(metrics)) == (first, count)
    assert all(metric.name == name for name, (metric, _) in metrics.items())
    wanted = {"rmse": False, "perplexity": False}
    assert all(more == wanted.get(name, True) for name, (_, more) in metrics.items())
    loss = own.loss(0.1)
    assert (loss.kind, loss.label_smoothing) == (labels.kind, 0.1)
