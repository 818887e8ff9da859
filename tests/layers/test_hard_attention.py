import numpy as np
import pytest
from keras import ops

from tests.backend import gradients
from tests.references import luong
from zoo.layers import HardAttention, LuongAttention
from zoo.layers.alignment_window import WINDOWS

# Sizes, all different: batch, queries, keys, query size, value size.
B, Q, K, G, D = 2, 3, 11, 7, 13
EVERY_WINDOW = pytest.mark.parametrize("window", WINDOWS)


@pytest.fixture
def inputs(random):
    query = random.normal(size=(B, Q, G)).astype("float32")
    values = random.normal(size=(B, K, D)).astype("float32")
    return query, values, np.arange(K) < np.array([[5], [K]])


@pytest.fixture
def make(randomize):
    """A built layer whose every weight is random, and its soft twin."""

    def made(**options):
        pair = []
        for kind in (HardAttention, LuongAttention):
            layer = kind("general", window_width=2, **options)
            layer.build((None, None, G), (None, None, D))
            pair.append(layer)
        hard, soft = pair
        randomize(hard)
        soft.set_weights(hard.get_weights())
        return hard, soft

    return made


@EVERY_WINDOW
def test_all_weight_is_on_the_likeliest_key(make, inputs, window):
    hard, soft = make(window=window)
    query, values, key_mask = inputs
    context, weights = map(ops.convert_to_numpy, hard(query, values, key_mask=key_mask))
    _, soft_weights = soft(query, values, key_mask=key_mask)
    for b in range(B):
        for q in range(Q):
            expected = luong.hard(ops.convert_to_numpy(soft_weights)[b, q])
            assert expected.sum() == 1.0
            # Exactly one-hot, and so exactly one of the values.
            np.testing.assert_array_equal(weights[b, q], expected)
            np.testing.assert_array_equal(
                context[b, q], values[b, int(expected.argmax())]
            )


def test_where_nothing_may_be_seen_nothing_is_chosen(make, inputs):
    query, values, key_mask = inputs
    key_mask[1] = False
    context, weights = make()[0](query, values, key_mask=key_mask)
    assert (ops.convert_to_numpy(weights)[1] == 0.0).all()
    assert (ops.convert_to_numpy(context)[1] == 0.0).all()
    assert (ops.convert_to_numpy(weights)[0].sum(-1) == 1.0).all()


def test_gradients_of_weights_are_those_of_the_soft_weights(make, inputs, random):
    """Straight through: a choice has no gradient of its own."""
    query, values, key_mask = inputs
    slope = random.normal(size=(B, Q, K)).astype("float32")

    def gradients_of(layer):
        def loss(tensors):
            _, weights = layer(tensors["query"], tensors["values"], key_mask=key_mask)
            return ops.sum(weights * slope)

        return gradients(loss, {"query": query, "values": values})

    hard, soft = make()
    ours, theirs = gradients_of(hard), gradients_of(soft)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)
        assert abs(ours[name]).max() > 1e-2


def test_gradients_of_values_come_from_the_chosen_ones_directly(make, inputs):
    query, values, key_mask = inputs
    layer, _ = make()
    keys = layer.project_keys(values)

    def loss(tensors):
        context, _ = layer(query, tensors["values"], key_mask=key_mask, keys=keys)
        return ops.sum(context)

    gradient = gradients(loss, {"values": values})["values"]
    _, weights = layer(query, values, key_mask=key_mask)
    times_chosen = ops.convert_to_numpy(weights).sum(1)
    np.testing.assert_allclose(
        gradient, np.repeat(times_chosen[..., None], D, axis=2), atol=1e-6
    )
