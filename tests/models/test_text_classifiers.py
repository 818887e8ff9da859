"""What all four text classifiers promise, and what each has of its own."""

import itertools
import json
import re

import keras
import numpy as np
import pytest

from tests.references import pooling
from zoo.losses import LabelLoss
from zoo.models import (
    BertClassifier,
    HierarchicalClassifier,
    RNNClassifier,
    RNNSeq2Seq,
    Transformer,
    TransformerClassifier,
)
from zoo.weights import assign_arrays, model_arrays, weight_address

# Sizes, all different: ids, outputs, units, heads, separator.
V, N, U, H, SEP = 23, 3, 14, 7, 9

SMALL = {
    "rnn": lambda **more: RNNClassifier(
        **{"vocabulary_size": V, "num_outputs": N, "embedding_size": 5, "units": U // 2}
        | {"attention_units": 11, "num_layers": 2}
        | more
    ),
    "transformer": lambda **more: TransformerClassifier(
        **{"vocabulary_size": V, "num_outputs": N, "units": U, "hidden_size": 19}
        | {"num_heads": H, "num_layers": 2}
        | more
    ),
    "bert": lambda **more: BertClassifier(
        **{"vocabulary_size": V, "num_outputs": N, "separator_id": SEP, "units": U}
        | {"hidden_size": 19, "num_heads": H, "num_layers": 2, "max_length": 17}
        | more
    ),
    "hierarchical": lambda **more: HierarchicalClassifier(
        **{"vocabulary_size": V, "num_outputs": N, "embedding_size": 5, "units": U // 2}
        | {"attention_units": 11}
        | more
    ),
}
EVERY = pytest.mark.parametrize("name", SMALL)
TEXTS = [[3, 1, 4, SEP, 5, SEP], [2, 7], [8], [6, 6, 5, 12]]
DOCUMENTS = [[[3, 1, 4], [1, 5], [9]], [[2, 7, 1, 8]], [[8]], [[6, 6], [5]]]


def padded(rows, *sizes):
    """Lists of any depth as one array of some sizes, 0 elsewhere."""
    array = np.zeros((len(rows), *sizes), "int32")
    for place, row in enumerate(rows):
        if len(sizes) == 1:
            array[place, : len(row)] = row
        else:
            array[place, : len(row)] = padded(row, *sizes[1:])
    return array


def ids_of(name, rows=slice(None), more=0):
    """Token ids of some of the texts, with some positions more than they need."""
    if name == "hierarchical":
        chosen = DOCUMENTS[rows]
        words = max(len(words) for document in chosen for words in document)
        return padded(chosen, max(map(len, chosen)) + more, words + more)
    return padded(TEXTS[rows], max(map(len, TEXTS[rows])) + more)


@pytest.fixture
def make(randomize):
    """Makes a built model whose every weight is random."""

    def made(name, **options):
        model = SMALL[name](**options)
        model.build(None)
        return randomize(model, scale=0.4)

    return made


def read(model, ids):
    return [np.asarray(found) for found in model.read(ids)]


# What all promise


@EVERY
def test_padding_and_other_texts_of_a_batch_change_nothing(name, make):
    model = make(name)
    together, weights = read(model, ids_of(name, more=3))
    assert np.ptp(together, axis=0).max() > 0.1
    for row in range(len(TEXTS)):
        ids = ids_of(name, slice(row, row + 1))
        alone, own = read(model, ids)
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)
        inside = tuple(map(slice, own.shape[1:]))
        np.testing.assert_allclose(own[0], weights[row][inside], atol=1e-6)
        outputs = model({"token_ids": ids})
        np.testing.assert_allclose(outputs, model.classify(alone), atol=1e-5)


@EVERY
def test_weights_sum_to_1_and_are_0_at_padding(name, make):
    ids = ids_of(name, more=2)
    _, weights = read(make(name), ids)
    assert weights.shape == ids.shape
    np.testing.assert_allclose(weights.sum(axis=tuple(range(1, ids.ndim))), 1.0, 1e-5)
    assert (weights[ids == 0] == 0).all()
    assert (weights >= 0).all()


@EVERY
def test_a_text_of_nothing_but_padding_is_finite_and_harms_none(name, make):
    model = make(name)
    ids = np.concatenate([ids_of(name), np.zeros_like(ids_of(name)[:1])])
    vectors, weights = read(model, ids)
    assert np.isfinite(vectors).all()
    assert (weights[-1] == 0).all()
    np.testing.assert_allclose(vectors[:-1], read(model, ids[:-1])[0], atol=1e-5)


@EVERY
def test_without_outputs_it_gives_vectors(name, make):
    model = make(name, num_outputs=0)
    ids = ids_of(name)
    assert model.head is None
    assert not [w for w in model.weights if weight_address(w).startswith("head")]
    np.testing.assert_array_equal(model({"token_ids": ids}), model.read(ids)[0])


OPTIONS = {
    "rnn": [{"cell": "lstm", "num_layers": 1}, {"dropout": 0.3}],
    "transformer": [{"norm": "post", "num_layers": 1}, {"norm": "pre"}],
    "bert": [
        {"pooling": "mean", "pooler": "tanh", "num_token_types": 0},
        {"pooling": "first", "pooler": "relu", "activation": "relu"},
        {"pooling": "attention", "num_layers": 3, "activation": "gelu_tanh"},
    ],
    "hierarchical": [{"cell": "lstm"}, {"embedding_dropout": 0.0}],
}
CASES = [(name, options) for name in OPTIONS for options in OPTIONS[name]]
EVERY_OPTION = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{name} {options}" for name, options in CASES]
)


@EVERY_OPTION
def test_the_config_makes_the_same_model(name, options, make):
    model = make(name, **options)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(model)
    assert copy.get_config() == model.get_config()
    assert options.items() <= model.get_config().items()
    if not copy.built:
        copy.build(None)
    assign_arrays(copy, model_arrays(model))
    inputs = {"token_ids": ids_of(name)}
    np.testing.assert_array_equal(copy(inputs), model(inputs))


TRANSLATORS = [
    (Transformer, {"units": 14, "hidden_size": 5, "num_heads": 7, "num_layers": n} | o)
    for n, o in (
        (2, {"norm": "pre", "num_decoder_layers": 1}),
        (1, {"norm": "post"}),
        (1, {"share_embeddings": True}),
    )
] + [
    (RNNSeq2Seq, {"embedding_size": 5, "units": 7} | dict(options))
    for options in (
        *itertools.product(
            [("attention", a) for a in ("bahdanau", "none")],
            [("cell", c) for c in ("gru", "lstm")],
            [("num_layers", n) for n in (1, 2)],
            [("bidirectional", b) for b in (True, False)],
        ),
        {"attention": "general", "window": "local_p", "input_feeding": True}.items(),
        {"attention": "dot", "num_layers": 2}.items(),
    )
]


def patterns_that_match(model):
    """Of each weight, how many of the model's parts it belongs to."""
    parts = model.parts_by_depth()
    assert len(set(parts)) == len(parts)
    return {
        weight_address(weight): sum(
            re.fullmatch(part, weight_address(weight)) is not None for part in parts
        )
        for weight in model.weights
    }


@EVERY_OPTION
def test_every_weight_of_a_classifier_has_one_depth(name, options):
    model = SMALL[name](**options)
    model.build(None)
    found = patterns_that_match(model)
    assert set(found.values()) == {1}, found
    last = model.parts_by_depth()[-1]
    assert re.fullmatch(last, "head/kernel") and re.fullmatch(last, "head/bias")


@pytest.mark.parametrize(
    ("make_model", "options"),
    TRANSLATORS,
    ids=[f"{m.__name__} {dict(list(o.items())[2:])}" for m, o in TRANSLATORS],
)
def test_every_weight_of_a_translation_model_has_one_depth(make_model, options):
    model = make_model(V, V, **options)
    model.build(None)
    found = patterns_that_match(model)
    assert set(found.values()) == {1}, found


@EVERY
def test_dropout_acts_in_training_alone(name, make):
    rates = {"dropout": 0.5}
    model = make(name, **rates)
    inputs = {"token_ids": ids_of(name)}
    still = np.asarray(model(inputs))
    np.testing.assert_array_equal(model(inputs, training=False), still)
    assert (np.asarray(model(inputs, training=True)) != still).any()


@pytest.mark.parametrize("name", ["rnn", "hierarchical"])
def test_an_unknown_cell_is_refused(name):
    with pytest.raises(ValueError, match="cell='rnn'"):
        SMALL[name](cell="rnn")


@EVERY
@pytest.mark.parametrize("options", [{"num_outputs": -1}, {"dropout": 1.0}])
def test_a_size_out_of_range_is_refused(name, options):
    with pytest.raises(ValueError, match="{}={}".format(*next(iter(options.items())))):
        SMALL[name](**options)


# BERT


def test_token_types_change_after_the_first_separator(make):
    model = make("bert")
    ids = np.array([[3, SEP, 5, 6, SEP, 0], [3, 4, SEP, 0, 0, 0], [3, 5, 4, 6, 2, 0]])
    expected = [[0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0] * 6]
    np.testing.assert_array_equal(model._types(ids), expected)
    # They make a difference: the embedding of the second type is that of its words.
    before = read(model, ids)[0]
    table = model.type_embedding.embeddings
    table.assign(np.asarray(table) * [[1], [-1]])
    after = read(model, ids)[0]
    changed = np.abs(after - before).max(axis=1) > 1e-3
    np.testing.assert_array_equal(changed, [True, False, False])


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_what_the_head_reads_is_the_mean_or_the_first_state(pooling, make):
    model = make("bert", pooling=pooling)
    ids = ids_of("bert", more=2)
    states = np.asarray(model.states(ids)[-1])
    vectors, weights = read(model, ids)
    for row, text in enumerate(TEXTS):
        wanted = states[row, : len(text)]
        wanted = wanted.mean(axis=0) if pooling == "mean" else wanted[0]
        np.testing.assert_allclose(vectors[row], wanted, atol=1e-5)
        shares = np.zeros(ids.shape[1])
        shares[: len(text)] = 1 / len(text) if pooling == "mean" else 0
        shares[0] = shares[0] or 1
        np.testing.assert_allclose(weights[row], shares, atol=1e-6)


def test_attention_pooling_starts_at_the_mean_exactly():
    attending, mean = (SMALL["bert"](pooling=name) for name in ("attention", "mean"))
    for model in (attending, mean):
        model.build(None)
    assign_arrays(mean, model_arrays(attending), reset=["pooling/.*"])
    for ids in (ids_of("bert"), ids_of("bert", more=4)):
        for found, expected in zip(attending.read(ids), mean.read(ids), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pooler", ["tanh", "relu"])
def test_a_pooler_is_a_dense_layer_on_the_pooled_vector(pooler, make):
    model = make("bert", pooling="first", pooler=pooler)
    ids = ids_of("bert")
    first = np.asarray(model.states(ids)[-1])[:, 0]
    kernel, bias = (np.asarray(weight) for weight in model.pooler.weights)
    squash = np.tanh if pooler == "tanh" else lambda x: np.maximum(x, 0)
    expected = squash(first @ kernel + bias)
    np.testing.assert_allclose(read(model, ids)[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "option", [{"pooling": "max"}, {"pooler": "gelu"}, {"activation": "tanh"}]
)
def test_what_bert_does_not_have_is_refused(option):
    with pytest.raises(ValueError, match="{}='{}'".format(*next(iter(option.items())))):
        SMALL["bert"](**option)


# Hierarchical


def test_a_document_is_pooled_by_words_and_then_by_sentences(make):
    """Equations 5 to 10, given the recurrent layers' states."""
    model = make("hierarchical")
    document = DOCUMENTS[0]
    sentences = []
    for sentence, own in zip(document, document, strict=True):
        ids = np.array([sentence])
        states = model.word_states(model.embedding(ids))
        weights = arrays_of(model.word_pooling)
        total, _ = pooling.pool(np.asarray(states)[0], [True] * len(own), **weights)
        sentences.append(total)
    states = model.sentence_states(np.array([sentences], "float32"))
    weights = arrays_of(model.sentence_pooling)
    expected, shares = pooling.pool(np.asarray(states)[0], [True] * 3, **weights)
    ids = ids_of("hierarchical", more=2)
    vectors, words, by_sentence = map(np.asarray, model.read_levels(ids))
    np.testing.assert_allclose(vectors[0], expected, atol=1e-5)
    np.testing.assert_allclose(by_sentence[0, :3], shares, atol=1e-5)
    np.testing.assert_allclose(words[0, :3].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(
        read(model, ids)[1], words * by_sentence[..., None], atol=1e-7
    )


def arrays_of(layer) -> dict:
    dense = layer.hidden_dense
    return {
        "kernel": np.asarray(dense.kernel),
        "bias": np.asarray(dense.bias),
        "context_vector": np.asarray(layer.context_vector),
    }


# Training


@EVERY
def test_one_step_moves_every_weight_that_the_texts_have_to_do_with(name, make):
    model = make(name, dropout=0.0)
    model.compile("sgd", LabelLoss(), run_eagerly=True)
    before = {name: array.copy() for name, array in model_arrays(model).items()}
    targets = np.array([0, 2, 1, 0])
    model.train_on_batch({"token_ids": ids_of(name)}, targets)
    after = model_arrays(model)
    still = {name for name in before if np.array_equal(before[name], after[name])}
    # Softmax does not care for what is added to all scores alike.
    assert {name for name in still if not name.endswith("key/bias")} == set()
