"""The folded layout of classifiers against the models, over the same random weights."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.inference import exported_reader
from zoo.inference.folded_classifier import FoldedClassifier
from zoo.models import (
    BertClassifier,
    HierarchicalClassifier,
    RNNClassifier,
    TransformerClassifier,
)

# Texts, length, vocabulary, outputs, units, hidden size, heads, [SEP], positions.
B, L, V, N, U, F, H, SEPARATOR, P = 5, 7, 23, 3, 10, 17, 5, 2, 13


def _bert(pooling, pooler, num_token_types, **options):
    return BertClassifier(
        V,
        N,
        SEPARATOR,
        U,
        F,
        H,
        max_length=P,
        pooling=pooling,
        pooler=pooler,
        num_token_types=num_token_types,
        **{"num_layers": 2} | options,
    )


# Each pooling with each pooler and with each number of token types.
MODELS = {
    "attention": lambda: _bert("attention", "none", 2),
    "attention-tanh": lambda: _bert("attention", "tanh", 0),
    "attention-relu": lambda: _bert("attention", "relu", 1, num_layers=3),
    "mean": lambda: _bert("mean", "none", 0, activation="relu"),
    "mean-tanh": lambda: _bert("mean", "tanh", 1, activation="gelu_tanh"),
    "mean-relu": lambda: _bert("mean", "relu", 2, epsilon=0.1),
    "first": lambda: _bert("first", "none", 1),
    "first-tanh": lambda: _bert("first", "tanh", 2),
    "first-relu": lambda: _bert("first", "relu", 0),
    "pre": lambda: TransformerClassifier(V, N, U, F, H, 3),
    "post": lambda: TransformerClassifier(V, N, U, F, H, 2, norm="post"),
}


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    """A model, its reader, and the reader's `read` as a graph."""
    model = _random(MODELS[request.param]())
    return model, *_reader(model)


def _random(model):
    """Every weight is random: biases, gains, shifts and queries too."""
    model.build(None)
    random = np.random.default_rng(7)
    for weight in model.weights:
        center = 1.0 if weight.path.endswith("gamma") else 0.0
        numbers = random.normal(center, 0.4, size=tuple(weight.shape))
        weight.assign(numbers.astype("float32"))
    return model


def _texts(random, shape=(B, L)):
    """The third text is empty, and separators stand in and at the end of texts."""
    ids = random.integers(3, V, size=shape).astype("int32")
    ids[:, 2] = ids[0, 4] = SEPARATOR
    for row, length in enumerate([7, 1, 0, 6, 3]):
        ids[row, length:] = 0
    return ids


def _reader(model):
    """What an export holds: `read` as a graph for batches of any shape."""
    reader, variables = exported_reader(model)
    assert isinstance(reader, FoldedClassifier)
    assert all(not variable.trainable for variable in variables)
    spec = tf.TensorSpec([None, None], tf.int32)
    return reader, tf.function(reader.read, input_signature=[spec], autograph=False)


def test_it_reads_and_classifies_as_the_model_does(case, random):
    model, reader, read = case
    ids = _texts(random)
    vectors, weights = model.read(ids)
    found = read(ids)
    np.testing.assert_allclose(found[0], vectors, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found[1], weights, atol=1e-5)
    np.testing.assert_allclose(
        reader.classify(found[0]), model.classify(vectors), atol=1e-5, rtol=1e-5
    )
    assert np.ptp(vectors, axis=0).max() > 0.5
    np.testing.assert_array_equal(found[1][2], np.zeros(L))


def test_a_text_alone_is_read_as_one_among_longer_ones(case, random):
    _, _, read = case
    ids = _texts(random)
    vectors, weights = read(ids)
    for row, length in enumerate([7, 1, 1, 6, 3]):
        alone, own = read(ids[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], vectors[row], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(own[0], weights[row, :length], atol=1e-5)


def test_a_batch_of_no_texts_has_no_vectors(case):
    _, _, read = case
    vectors, weights = read(np.zeros((0, 1), "int32"))
    assert (vectors.shape, weights.shape) == ((0, U), (0, 1))


@pytest.mark.parametrize("most", [1, 2 * L * H * L, 4 * L * H * L])
def test_a_large_batch_is_read_in_groups_with_the_same_result(
    monkeypatch, random, most
):
    """Of one text, of two, and of three and two."""
    model = _random(MODELS["attention"]())
    ids = _texts(random)
    expected = model.read(ids)
    monkeypatch.setattr("zoo.inference.folded_classifier._MOST_NUMBERS", most)
    _, read = _reader(model)
    for one, other in zip(read(ids), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_it_keeps_the_numbers_that_it_was_made_with(random):
    model = _random(MODELS["attention"]())
    reader, read = _reader(model)
    ids = _texts(random)
    before = [read(ids)[0].numpy(), reader.classify(tf.ones([1, U])).numpy()]
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    after = [read(ids)[0].numpy(), reader.classify(tf.ones([1, U])).numpy()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_weight_is_held_once_and_the_large_ones_by_no_graph():
    model = BertClassifier(997, N, 2, 32, 64, 4, num_layers=1)
    model.build(None)
    reader, read = _reader(model)
    held = sum(np.prod(variable.shape) for variable in reader.variables)
    # Words, and in the block queries, keys and values, output, and both products.
    assert held == 997 * 32 + 4 * 32 * 32 + 2 * 32 * 64
    size = read.get_concrete_function().graph.as_graph_def().ByteSize()
    weights = 4 * sum(np.prod(weight.shape) for weight in model.weights)
    # The table of positions stands there for both token types.
    weights += 4 * 512 * 32
    assert size < weights - 4 * held + 60_000


@pytest.mark.parametrize("kind", [RNNClassifier, HierarchicalClassifier])
def test_recurrent_models_stay_as_they_are(kind):
    model = kind(V, N)
    model.build(None)
    reader, variables = exported_reader(model)
    assert reader is model
    assert {id(weight) for weight in model.weights} <= set(map(id, variables))
    with pytest.raises(ValueError, match=f"{kind.__name__} has no folded layout"):
        FoldedClassifier(model)
