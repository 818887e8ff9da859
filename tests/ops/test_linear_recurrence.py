import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, gradients
from zoo.ops.linear_recurrence import linear_recurrence

B, U = 3, 5


def one_by_one(decays, updates):
    state, states = np.zeros((B, U)), []
    for t in range(updates.shape[1]):
        state = decays[:, t] * state + updates[:, t]
        states.append(state)
    return np.stack(states, axis=1)


def numbers(random, length):
    decays = random.uniform(size=(B, length, U)).astype("float32")
    return decays, random.normal(size=(B, length, U)).astype("float32")


# Powers of two, their neighbours, and others.
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 61, 128])
def test_it_is_a_step_after_another(random, length):
    decays, updates = numbers(random, length)
    found = np.asarray(linear_recurrence(decays, updates))
    np.testing.assert_allclose(found, one_by_one(decays, updates), atol=1e-5)


def test_a_state_that_nothing_takes_away_is_a_sum(random):
    _, updates = numbers(random, 37)
    found = np.asarray(linear_recurrence(np.ones_like(updates), updates))
    np.testing.assert_allclose(found, np.cumsum(updates, axis=1), atol=1e-5)
    found = np.asarray(linear_recurrence(np.zeros_like(updates), updates))
    np.testing.assert_array_equal(found, updates)


def test_a_length_that_a_graph_does_not_know_changes_nothing(random):
    if BACKEND != "tensorflow":
        pytest.skip("only TensorFlow's graphs have unknown lengths")
    import tensorflow as tf

    decays, updates = numbers(random, 13)
    slopes = tf.constant(random.normal(size=updates.shape), tf.float32)

    def run(decays, updates):
        with tf.GradientTape() as tape:
            tape.watch((decays, updates))
            states = linear_recurrence(decays, updates)
            loss = tf.reduce_sum(states * slopes[:, : tf.shape(states)[1]])
        return states, *tape.gradient(loss, (decays, updates))

    unknown = [tf.TensorSpec([None, None, U])] * 2
    graph = tf.function(run, input_signature=unknown, autograph=False)
    known = run(tf.constant(decays), tf.constant(updates))
    for length in (13, 1):
        found = graph(decays[:, :length], updates[:, :length])
        np.testing.assert_allclose(found[0], known[0][:, :length], atol=1e-6)
    for one, other in zip(graph(decays, updates), known, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_gradients_are_those_of_the_recurrence(random):
    """Backwards: g_t = slope_t + decay_{t+1} g_{t+1}."""
    decays, updates = numbers(random, 11)
    slopes = random.normal(size=updates.shape).astype("float32")
    found = gradients(
        lambda given: ops.sum(linear_recurrence(given["a"], given["b"]) * slopes),
        {"a": decays, "b": updates},
    )
    states = one_by_one(decays, updates)
    after, wanted = np.zeros((B, U)), np.zeros_like(updates)
    for t in range(10, -1, -1):
        after = slopes[:, t] + (decays[:, t + 1] * after if t < 10 else 0.0)
        wanted[:, t] = after
    before = np.pad(states, [(0, 0), (1, 0), (0, 0)])[:, :-1]
    np.testing.assert_allclose(found["b"], wanted, atol=1e-4)
    np.testing.assert_allclose(found["a"], wanted * before, atol=1e-4)
