"""What is true of decoding by any method: batches, prefixes, weights, scores."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.decoding.table_model import (
    TableModel,
    attention,
    beam,
    hypotheses,
    log_softmax,
    sample,
    score_of,
    search,
    strip,
)
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID
from zoo.decoding import ModelStepper, decode, score
from zoo.models import RNNSeq2Seq, Transformer

EVERY_METHOD = pytest.mark.parametrize(
    "options",
    [beam(1, 0.8), beam(4, 0.8, 3), sample(3, temperature=1.4)],
    ids=["greedy", "beam", "sample"],
)


def compiled(stepper, options):
    """Decoding as a graph: one for all shapes."""
    ids = tf.TensorSpec([None, None], tf.int32)
    return tf.function(
        lambda *inputs: decode(stepper, *inputs[:2], options, *inputs[2:]),
        input_signature=[ids, tf.TensorSpec([None], tf.int32), ids],
        autograph=False,
    )


@pytest.fixture(scope="module")
def transformer():
    keras.utils.set_random_seed(3)
    model = Transformer(19, 23, 8, 13, 2, 1, 2, dropout=0.0)
    model.build(None)
    random = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.6, size=tuple(weight.shape)))
    # Sentences of many lengths.
    model.output_bias.assign_sub(tf.one_hot(END_ID, 23) * 4.0)
    return model


@EVERY_METHOD
def test_sixty_four_sentences_are_found_as_each_alone(transformer, options):
    random = np.random.default_rng(17)
    lengths = random.integers(1, 12, size=64)
    source = random.integers(4, 19, size=(64, 11)).astype("int32")
    source[np.arange(11) >= lengths[:, None]] = PADDING_ID
    limits = random.integers(1, 18, size=64).astype("int32")
    # Every third must start with one or two given tokens.
    prefixes = random.integers(4, 23, size=(64, 2)).astype("int32")
    prefixes[np.arange(64) % 3 > 0] = PADDING_ID
    prefixes[::2, 1] = PADDING_ID
    run = compiled(ModelStepper(transformer), options)
    together = run(source, limits, prefixes)
    lengths_found = set()
    for row in range(64):
        one = slice(row, row + 1)
        alone = run(source[one, : lengths[row]], limits[one], prefixes[one])
        assert hypotheses(alone) == hypotheses(together, row)
        np.testing.assert_allclose(together.scores[row], alone.scores[0], rtol=1e-5)
        whole, part = together.weights[row].numpy(), alone.weights[0].numpy()
        np.testing.assert_allclose(
            whole[:, : part.shape[1], : part.shape[2]], part, atol=1e-5
        )
        assert not whole[:, part.shape[1] :].any()
        assert not whole[:, :, part.shape[2] :].any()
        lengths_found |= {len(ids) for ids in hypotheses(alone)}
    assert len(lengths_found) > 7


class CountingStepper(ModelStepper):
    """Writes down how many sentences each step advances."""

    def __init__(self, model):
        super().__init__(model)
        self.counts = []

    def step(self, token_ids, state, memory):
        self.counts.append(token_ids.shape[0])
        return super().step(token_ids, state, memory)


def test_sentences_that_have_ended_are_advanced_no_further():
    source = np.array([[key, 3, 2] for key in range(1, 14)], "int32")
    limits = np.array([2, 9, 4, 7, 1, 8, 3, 6, 11, 5, 5, 4, 10], "int32")
    stepper = CountingStepper(TableModel(seed=6, sharpness=0.6))
    options = beam(1, min_length=20)
    found = decode(stepper, tf.constant(source), tf.constant(limits), options)
    ends = [len(hypotheses(found, row)[0]) for row in range(13)]
    assert ends == limits.tolist()
    # A step advances those that were left when a quarter had last ended.
    expected, active = [], ends
    for step in range(1, 12):
        expected.append(len(active))
        going_on = [end for end in active if end > step]
        if len(going_on) <= 0.75 * len(active):
            active = going_on
    assert stepper.counts == expected
    assert sum(expected) < 0.7 * 13 * 11


@pytest.mark.parametrize("beam_size, most", [(1, 1), (2, 2)])
def test_a_model_that_is_sure_of_ending_is_not_asked_again(beam_size, most):
    model = TableModel(seed=9)
    model.supports[:, END_ID] += 50.0
    stepper = CountingStepper(model)
    found = decode(stepper, tf.constant([[1, 1]]), tf.constant([50]), beam(beam_size))
    assert found.ids.shape[2] == len(stepper.counts) <= most


@EVERY_METHOD
def test_weights_are_those_with_which_each_token_was_chosen(options):
    model = TableModel(seed=7, sharpness=0.5)
    source = np.array([[4, 8, 1, 6, 3], [9, 2, 7, 0, 0]], "int32")
    found = search(model, source, [6, 5], options)
    for row, length in enumerate([5, 3]):
        for slot, ids in enumerate(hypotheses(found, row)):
            weights = found.weights[row, slot].numpy()
            expected = attention(ids, length, 5)
            np.testing.assert_allclose(weights[: len(ids)], expected, atol=1e-6)
            assert not weights[len(ids) :].any()


@EVERY_METHOD
def test_no_sentences_give_no_hypotheses(options):
    nothing = np.zeros((0, 3), "int32")
    model, count = TableModel(seed=0), options.num_hypotheses
    for prefixes in (None, nothing):
        found = search(model, nothing, np.zeros(0, "int32"), options, prefixes=prefixes)
        assert found.ids.shape == (0, count, 0)
        assert found.scores.shape == (0, count)
        assert found.weights.shape == (0, count, 0, 3)


@EVERY_METHOD
@pytest.mark.parametrize("given", [3, 4, 5])
def test_a_prefix_as_long_as_the_limit_is_ended_there(options, given):
    model = TableModel(seed=16)
    source = np.array([[3, 1, 8], [9, 2, 0]], "int32")
    prefixes = np.array([[5, 4, 4, 6, 5][:given], [0] * given], "int32")
    found = search(model, source, [4, 9], options, prefixes=prefixes)
    best = hypotheses(found, 0)[0]
    assert best == (5, 4, 4, END_ID)
    alpha = options.length_penalty
    expected = score_of(model, source[0], best, alpha)
    np.testing.assert_allclose(found.scores[0, 0], expected, rtol=1e-5)
    # The other sentence is free, and as it would be alone.
    alone = search(model, source[1:], [9], options)
    assert hypotheses(found, 1) == hypotheses(alone)


@EVERY_METHOD
def test_a_prefix_may_do_what_is_forbidden(options):
    forbidding = dataclasses.replace(
        options, no_repeat_ngram=1, suppressed=(6,), min_length=2
    )
    prefixes = np.array([[6, 4, 4]], "int32")
    found = search(TableModel(seed=17), [[3, 1]], [9], forbidding, prefixes=prefixes)
    # There are no more: the third place of the beam is empty.
    possible = {(6, 4, 4, END_ID), (6, 4, 4, 5, END_ID)}
    assert hypotheses(found)[0] in possible
    assert set(hypotheses(found)) <= {*possible, ()}


class BrokenModel(TableModel):
    """Its numbers are not numbers."""

    def step(self, token_ids, state, memory):
        logits, state, weights = super().step(token_ids, state, memory)
        return logits * np.nan, state, weights


@EVERY_METHOD
def test_a_broken_model_comes_to_an_end(options):
    found = search(BrokenModel(seed=0), [[3, 1], [5, 2]], [7, 3], options)
    assert found.ids.shape[2] <= 7


@pytest.fixture(scope="module")
def pairs():
    """Source and target ids, both padded."""
    random = np.random.default_rng(5)
    source = random.integers(4, 19, size=(5, 7)).astype("int32")
    target = random.integers(3, 23, size=(5, 11)).astype("int32")
    for row, (sources, targets) in enumerate([(7, 3), (1, 11), (4, 1), (5, 8), (2, 2)]):
        source[row, sources:] = PADDING_ID
        target[row, targets - 1] = END_ID
        target[row, targets:] = PADDING_ID
    return source, target


def recurrent(attention):
    keras.utils.set_random_seed(4)
    model = RNNSeq2Seq(19, 23, attention, embedding_size=5, units=3, dropout=0.0)
    model.build(None)
    return model


def forced(model, source, target):
    """Log probabilities, summed over the tokens, by running along the targets."""
    shifted = np.pad(target, [(0, 0), (1, 0)], constant_values=START_ID)[:, :-1]
    logits, _ = model.force(source, shifted)
    found = np.take_along_axis(
        log_softmax(np.asarray(logits, "float64")), target[..., None], axis=2
    )
    return np.sum(found[..., 0] * (target != PADDING_ID), axis=1)


def test_scores_of_given_translations_are_those_of_running_along_them(
    transformer, pairs
):
    for model in (transformer, recurrent("bahdanau"), recurrent("none")):
        found = score(ModelStepper(model), *map(tf.constant, pairs))
        np.testing.assert_allclose(found, forced(model, *pairs), rtol=1e-5)


def test_scores_of_given_translations_are_sums_over_their_tokens():
    model = TableModel(seed=18)
    source = np.array([[3, 1, 8], [9, 2, 0], [4, 7, 7]], "int32")
    # Whatever is never chosen can be scored all the same.
    target = np.array([[5, 5, 5, 2], [2, 0, 0, 0], [3, 6, 2, 0]], "int32")
    found = score(ModelStepper(model), tf.constant(source), tf.constant(target))
    expected = [
        score_of(model, *pair) for pair in zip(source, map(strip, target), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_without_attention_has_no_weights(pairs):
    found = search(recurrent("none"), pairs[0], [3] * 5, beam(2))
    assert found.weights.shape[3] == 7
    assert not found.weights.numpy().any()
