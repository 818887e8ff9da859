import numpy as np
import pytest

from tests.references import conditional as reference
from zoo.layers import ConditionalAttention
from zoo.weights import weight_address

# Sizes, all different: batch, queries, cells, sizes of query, value and either's
# positions, heads, size of a head.
B, Q, K, G, D, P, R, H, S = 2, 3, 5, 7, 11, 13, 17, 4, 6
U = H * S
MASK = np.array([[True, True, False, True, True], [False, True, False, False, True]])


def numbers(random, *shape):
    return random.normal(size=shape).astype("float32")


def arrays_of(layer, randomize):
    randomize(layer, scale=0.4)
    return {weight_address(w): np.asarray(w, "float64") for w in layer.weights}


def test_content_and_position_have_scores_of_their_own(random, randomize):
    layer = ConditionalAttention(H, U)
    query, values = numbers(random, B, Q, G), numbers(random, B, K, D)
    places, cell_places = numbers(random, B, Q, P), numbers(random, B, K, R)
    layer(query, values, places, cell_places)
    arrays = arrays_of(layer, randomize)
    found, weights = layer(
        query, values, places, cell_places, key_mask=MASK, return_weights=True
    )
    for row in range(B):
        expected, shares = reference.attention(
            query[row], values[row], places[row], cell_places[row], MASK[row],
            arrays, "", H,
        )  # fmt: skip
        np.testing.assert_allclose(found[row], expected, atol=1e-5)
        np.testing.assert_allclose(weights[row], shares, atol=1e-6)
        assert np.ptp(shares, axis=(0, 1)).max() > 0.05
    alone = layer(query, values, places, cell_places, key_mask=MASK)
    np.testing.assert_array_equal(alone, found)


@pytest.mark.parametrize("num_heads, units", [(0, 6), (3, 0), (4, 6)])
def test_sizes_that_do_not_divide_are_refused(num_heads, units):
    with pytest.raises(ValueError, match=f"units={units}, num_heads={num_heads}"):
        ConditionalAttention(num_heads, units)
