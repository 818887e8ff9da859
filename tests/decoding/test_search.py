"""Search against exhaustive enumeration, on a model that is a table of numbers."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.decoding import DecodingOptions, ModelStepper, decode

VOCABULARY = 7
CHOOSABLE = [END_ID, 4, 5, 6]


def search(model, source_ids, max_lengths, options, **more):
    return decode(ModelStepper(model), source_ids, max_lengths, options, **more)


def beam(size, alpha=1.0, best=1, **options):
    return DecodingOptions(
        beam_size=size, length_penalty=alpha, num_hypotheses=best, **options
    )


class TableModel:
    """Logits depend on the sentence, the last token and how many came before it.

    The state counts tokens and remembers the one before the last, so a beam that
    reorders tokens but not states gives other scores. The attention weights of a step
    are one-hot at (number of tokens + last token) modulo the source length.
    """

    def __init__(self, seed, sharpness=2.0):
        random = np.random.default_rng(seed)
        shape = (11, VOCABULARY, VOCABULARY, VOCABULARY)
        self.table = tf.constant(sharpness * random.normal(size=shape), tf.float32)
        self.supports = tf.constant(random.normal(size=(13, VOCABULARY)), tf.float32)

    def encode(self, source_ids, training=False):
        return {
            "key": source_ids[:, 0] % 11,
            "length": tf.reduce_sum(tf.cast(source_ids != 0, tf.int32), axis=1),
            "grid": tf.cast(source_ids, tf.float32),
        }

    def initial_state(self, memory):
        count = tf.shape(memory["key"])[0]
        return (tf.zeros([count, 1], tf.int32), tf.zeros([count, 1], tf.int32))

    def step(self, token_ids, state, memory):
        count, before = state
        index = tf.stack([memory["key"], before[:, 0], token_ids], axis=1)
        logits = tf.gather_nd(self.table, index) + tf.gather(
            self.supports, count[:, 0] % 13
        )
        at = (count[:, 0] + token_ids) % memory["length"]
        weights = tf.one_hot(at, tf.shape(memory["grid"])[1])
        return logits, (count + 1, token_ids[:, None]), weights


def _score(model, key, ids, alpha):
    """Log probability over length penalty, written out."""
    before, last, total = 0, START_ID, 0.0
    for count, token in enumerate(ids):
        logits = model.table[key, before, last].numpy() + model.supports[count].numpy()
        logits = logits.astype("float64")
        total += logits[token] - np.log(np.sum(np.exp(logits)))
        before, last = last, token
    return total / ((5 + len(ids)) / 6) ** alpha


def _exhaustive(model, key, longest, alpha):
    """Every hypothesis of at most `longest` tokens with its score, best first."""
    found = []
    for length in range(1, longest + 1):
        for words in itertools.product([4, 5, 6], repeat=length - 1):
            ids = (*words, END_ID)
            found.append((_score(model, key, ids, alpha), ids))
    return sorted(found, reverse=True)


def _strip(ids):
    return tuple(int(token) for token in ids if token != PADDING_ID)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_wide_beam_finds_the_exhaustive_best_in_order(alpha, seed):
    model, longest = TableModel(seed), 4
    source = tf.constant([[5, 9, 0], [7, 3, 2]])
    # 40 beams hold every unfinished prefix of up to three tokens.
    found = search(model, source, tf.constant([longest] * 2), beam(40, alpha, 40))
    for row in range(2):
        expected = _exhaustive(model, int(source[row, 0]), longest, alpha)[:40]
        np.testing.assert_allclose(
            found.scores[row], [score for score, _ in expected], rtol=1e-5
        )
        assert [_strip(ids) for ids in found.ids.numpy()[row]] == [
            ids for _, ids in expected
        ]


@pytest.mark.parametrize("beam_size", [1, 2, 4])
def test_every_score_is_that_of_its_own_tokens(beam_size):
    model = TableModel(seed=3)
    source = tf.constant([[key, 2, 3] for key in range(1, 8)])
    found = search(model, source, tf.fill([7], 6), beam(beam_size, 0.7, beam_size))
    for row, key in enumerate(source[:, 0].numpy()):
        for ids, score in zip(found.ids[row].numpy(), found.scores[row], strict=True):
            expected = _score(model, int(key), _strip(ids), 0.7)
            np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_greedy_takes_the_best_token_at_each_step():
    model = TableModel(seed=4)
    found = search(model, tf.constant([[3, 1]]), tf.constant([6]), beam(1))
    before, last, expected = 0, START_ID, []
    while last != END_ID and len(expected) < 6:
        logits = model.table[3, before, last] + model.supports[len(expected)]
        allowed = [END_ID] if len(expected) == 5 else CHOOSABLE
        token = max(allowed, key=lambda one, logits=logits: float(logits[one]))
        expected.append(token)
        before, last = last, token
    assert _strip(found.ids[0, 0].numpy()) == tuple(expected)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_padding_start_and_unknown_are_never_chosen(beam_size):
    model = TableModel(seed=5)
    boost = np.zeros((1, VOCABULARY), "float32")
    boost[0, [PADDING_ID, START_ID, UNKNOWN_ID]] = 50.0
    model.supports = model.supports + boost
    found = search(model, tf.constant([[2, 1]]), tf.constant([5]), beam(beam_size))
    chosen = {token for ids in found.ids[0].numpy() for token in _strip(ids)}
    assert chosen <= set(CHOOSABLE)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_sentence_does_not_depend_on_its_batch(beam_size):
    model = TableModel(seed=6)
    rows = [
        [key, 3, 2, 0, 0][: 2 + key % 3] + [0] * (3 - key % 3) for key in range(1, 9)
    ]
    source = tf.constant(rows)
    limits = tf.constant([2, 9, 4, 7, 1, 8, 3, 6])
    options = beam(beam_size, 0.8, beam_size)
    together = search(model, source, limits, options)
    for row in range(8):
        alone = search(model, source[row : row + 1], limits[row : row + 1], options)
        for one, other in zip(
            together.ids[row].numpy(), alone.ids[0].numpy(), strict=True
        ):
            assert _strip(one) == _strip(other)
        np.testing.assert_allclose(together.scores[row], alone.scores[0], rtol=1e-6)
        length = alone.weights.shape[2]
        np.testing.assert_array_equal(
            together.weights[row, :, :length], alone.weights[0]
        )


@pytest.mark.parametrize("beam_size", [1, 4])
def test_weights_are_those_with_which_each_token_was_chosen(beam_size):
    model = TableModel(seed=7, sharpness=0.5)
    source = tf.constant([[4, 8, 1, 6, 3], [9, 2, 7, 0, 0]])
    found = search(model, source, tf.constant([6, 5]), beam(beam_size, 1.0, beam_size))
    for row, length in enumerate([5, 3]):
        for slot in range(beam_size):
            ids = _strip(found.ids[row, slot].numpy())
            for step, last in enumerate((START_ID, *ids[:-1])):
                expected = np.zeros(5)
                expected[(step + last) % length] = 1.0
                np.testing.assert_array_equal(
                    found.weights[row, slot, step].numpy(), expected
                )
            assert not np.any(found.weights[row, slot, len(ids) :].numpy())


def test_stopping_early_changes_nothing():
    """The search may stop earlier for one hypothesis than for six, and finds the same
    one."""
    model = TableModel(seed=8)
    steps = {1: 0, 6: 0}
    for key in range(1, 11):
        found = {
            wanted: search(
                model,
                tf.constant([[key, 5]]),
                tf.constant([12]),
                beam(6, 1.0, wanted),
            )
            for wanted in steps
        }
        for wanted in steps:
            steps[wanted] += found[wanted].weights.shape[2]
        best, same = (_strip(found[wanted].ids[0, 0].numpy()) for wanted in steps)
        assert best == same
    assert steps[1] < steps[6]


def test_a_longer_hypothesis_may_still_overtake_a_finished_one():
    """Ending at once scores -1; going on costs 1.2 at first and nothing later, which
    at seven tokens is -1.2 over a penalty of 2."""
    model = TableModel(seed=0, sharpness=0.0)
    logits = np.full((13, VOCABULARY), -40.0, "float32")
    logits[0, END_ID], logits[0, 4] = -1.0, -1.2
    logits[0, PADDING_ID] = np.log(1 - np.exp(-1.0) - np.exp(-1.2))
    logits[1:6, 4] = 0.0
    logits[6:, END_ID] = 0.0
    model.supports = tf.constant(logits)
    found = search(model, tf.constant([[1]]), tf.constant([9]), beam(2, 1.0))
    assert _strip(found.ids[0, 0].numpy()) == (4, 4, 4, 4, 4, 4, END_ID)
    np.testing.assert_allclose(found.scores[0, 0], -0.6, rtol=1e-4)


def test_a_finished_search_has_taken_no_needless_steps():
    """A model that is sure of ending at once is not asked again."""
    model = TableModel(seed=9)
    sure = np.zeros((13, VOCABULARY), "float32")
    sure[:, END_ID] = 30.0
    model.supports = tf.constant(sure)
    found = search(model, tf.constant([[1, 1]]), tf.constant([50]), beam(1))
    assert found.ids.shape[2] == 1
    found = search(model, tf.constant([[1, 1]]), tf.constant([50]), beam(2))
    assert found.ids.shape[2] <= 2


@pytest.mark.parametrize(
    "options", [{"beam_size": 0}, {"length_penalty": -0.1}, {"num_hypotheses": 5}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=rf"Received: .*{next(iter(options))}="):
        DecodingOptions(**options)
