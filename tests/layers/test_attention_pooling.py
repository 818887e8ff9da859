import numpy as np
import pytest

from tests.references import pooling
from zoo.layers import AttentionPooling

# Sizes, all different: batch, positions, value size, units.
B, K, D, U = 3, 5, 7, 11
MASK = np.arange(K) < np.array([[K], [2], [0]])


@pytest.fixture
def values(random):
    return random.normal(size=(B, K, D)).astype("float32")


def built(**options):
    layer = AttentionPooling(U, **options)
    layer.build((None, None, D))
    return layer


def test_it_is_what_the_paper_s_equations_say(values, randomize):
    layer = randomize(built())
    kernel, bias, context = (np.asarray(weight) for weight in layer.weights)
    if kernel.shape != (D, U):
        context, kernel, bias = kernel, bias, context
    found, weights = layer(values, key_mask=MASK)
    for row in range(B):
        total, shares = pooling.pool(values[row], MASK[row], kernel, bias, context)
        np.testing.assert_allclose(found[row], total, atol=1e-5)
        np.testing.assert_allclose(weights[row], shares, atol=1e-6)
    np.testing.assert_allclose(np.sum(weights, axis=1), [1, 1, 0], atol=1e-6)


def test_without_a_mask_every_position_counts(values, randomize):
    layer = randomize(built())
    found, weights = layer(values)
    expected, shares = layer(values, key_mask=np.ones((B, K), bool))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(weights, shares)


def test_started_at_the_mean_it_is_the_mean_exactly(values):
    found, weights = built(start="mean")(values, key_mask=MASK)
    np.testing.assert_array_equal(weights[0], np.full(K, 1 / K, "float32"))
    np.testing.assert_array_equal(weights[1], [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(found[0], values[0].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[1], values[1, :2].mean(axis=0), atol=1e-6)


def test_started_at_random_it_tells_positions_apart(values):
    _, weights = built()(values)
    assert np.ptp(np.asarray(weights[0])) > 1e-3


@pytest.mark.parametrize(
    "options, message", [({"units": 0}, "units=0"), ({"start": "end"}, "start=end")]
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionPooling(**{"units": U} | options)
