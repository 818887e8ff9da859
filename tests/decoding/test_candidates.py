import numpy as np
import pytest
import tensorflow as tf

from tests.decoding.table_model import log_softmax
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.decoding import DecodingOptions
from zoo.decoding.candidates import best_candidates, repeated_ngrams, top_k

NOTHING = tf.zeros([3, 1, 0], tf.int32)


@pytest.mark.parametrize(
    "size, count",
    # By blocks from 128 times as many on, with and without a rest.
    [(7, 3), (61, 60), (61, 61), (61, 67), (997, 7), (997, 1), (1024, 8), (1023, 8)],
)
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_is_exact(random, size, count, ties):
    values = random.normal(size=(5, size)).astype("float32")
    if ties:
        values = np.round(values)
    # The best may stand in the rest behind the last block.
    values[0, -1] += 50.0
    found, ids = (tensor.numpy() for tensor in top_k(tf.constant(values), count))
    np.testing.assert_array_equal(found, -np.sort(-values, axis=1)[:, :count])
    np.testing.assert_array_equal(np.take_along_axis(values, ids, axis=1), found)
    assert all(len(set(row)) == min(count, size) for row in ids.tolist())


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 2, 13])
def test_what_would_repeat_an_n_gram_is_found(random, n, length):
    ids = random.integers(4, 7, size=(11, length))
    found = repeated_ngrams(tf.constant(ids, tf.int32), n, 7).numpy()
    expected = np.zeros((11, 7))
    for row, tokens in enumerate(ids.tolist()):
        seen = {tuple(tokens[i : i + n]) for i in range(length - n + 1)}
        for token in range(7):
            if (*tokens[len(tokens) - n + 1 :], token)[-n:] in seen:
                expected[row, token] = -1e9
    if length == 13:
        assert expected.any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [17, 641])
@pytest.mark.parametrize(
    "options", [{}, {"no_repeat_ngram": 2}, {"min_length": 1}, {"suppressed": (5, 16)}]
)
def test_enough_candidates_stand_behind_those_that_are_out_of_the_question(
    random, size, options
):
    logits = random.normal(size=(3, size)).astype("float32")
    logits[:, [PADDING_ID, START_ID, UNKNOWN_ID, END_ID, 5, 16]] += 30.0
    # One token: whatever follows, no pair can have occurred.
    ids = tf.constant([[[4]], [[5]], [[6]]])
    step = 0 if "min_length" in options else 1
    found = best_candidates(
        tf.constant(logits), 3, step, ids, DecodingOptions(**options)
    )
    expected = log_softmax(logits.astype("float64"))
    never = [PADDING_ID, START_ID, UNKNOWN_ID, *options.get("suppressed", ())]
    never += [END_ID] if "min_length" in options else []
    expected[:, never] = -np.inf
    order = np.argsort(-expected, axis=1)[:, :3]
    best = tf.argsort(-found.log_probs, axis=1)[:, :3]
    chosen = tf.gather(found.ids, best, batch_dims=1)
    np.testing.assert_array_equal(chosen, order)
    np.testing.assert_allclose(
        tf.gather(found.log_probs, best, batch_dims=1),
        np.take_along_axis(expected, order, axis=1),
        rtol=1e-5,
    )


def test_log_probabilities_stay_finite_for_large_logits():
    logits = np.full((3, 17), 1e4, "float32")
    for options in ({}, {"no_repeat_ngram": 1}):
        found = best_candidates(
            tf.constant(logits), 1, 0, NOTHING, DecodingOptions(**options)
        )
        best = tf.reduce_max(found.log_probs, axis=1)
        np.testing.assert_allclose(best, -np.log(17), rtol=1e-3)


def test_an_id_beyond_the_vocabulary_is_refused():
    options = DecodingOptions(suppressed=(4, 17))
    with pytest.raises(ValueError, match=r"below 17, .* Received: 17"):
        best_candidates(tf.zeros([3, 17]), 1, 0, NOTHING, options)
