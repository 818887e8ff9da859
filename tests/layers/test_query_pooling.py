import numpy as np
import pytest

from tests.references import multi_head
from zoo.layers import QueryPooling
from zoo.weights import weight_address

# Sizes, all different: batch, positions, value size, heads, size of a head.
B, K, D, H, S = 2, 5, 7, 3, 4
MASK = np.arange(K) < np.array([[K], [2]])


@pytest.fixture
def layer(randomize):
    layer = QueryPooling(H, H * S)
    layer.build((None, None, D))
    return randomize(layer)


def test_a_learnt_query_reads_through_every_head(layer, random):
    values = random.normal(size=(B, K, D)).astype("float32")
    found, weights = layer(values, key_mask=MASK)
    arrays = {
        weight_address(weight).removeprefix("attention/"): np.asarray(weight, "float64")
        for weight in layer.weights
    }
    query = np.broadcast_to(arrays["query"], (B, 1, D))
    expected, shares = multi_head.multi_head(
        query, values, values, arrays, S, key_mask=MASK
    )
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(weights, shares[:, :, 0].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(np.sum(weights, axis=1), [1, 1], atol=1e-6)
    assert (np.asarray(weights)[~MASK] == 0).all()


def test_the_heads_differ(layer, random):
    """Their mean is not what one head alone would say."""
    values = random.normal(size=(B, K, D)).astype("float32")
    _, heads = layer.attention(
        np.repeat(np.asarray(layer.query), B, axis=0),
        values,
        return_weights=True,
    )
    assert np.ptp(np.asarray(heads)[:, :, 0], axis=1).max() > 0.05


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="num_heads"):
        QueryPooling(3, 10)
