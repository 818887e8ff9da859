import numpy as np
import pytest

from tests.references import modulated as reference
from zoo.layers import SpatiallyModulatedAttention
from zoo.weights import weight_address

# Sizes, all different: batch, queries, cells, sizes of query and value, heads, size of
# a head.
B, Q, K, G, D, H, S = 2, 3, 5, 7, 11, 4, 6
U = H * S
MASK = np.array([[True, True, False, True, True], [False, True, False, False, True]])


@pytest.fixture
def asked(random):
    query, values = random.normal(size=(B, Q, G)), random.normal(size=(B, K, D))
    boxes = random.uniform(0.2, 0.8, size=(B, Q, 4))
    # Thinner than any box is taken for.
    boxes[0, 1, 2] = 0.001
    places = random.uniform(size=(B, K, 2))
    return [each.astype("float32") for each in (query, values, boxes, places)]


def test_scores_are_of_content_and_of_a_gaussian_at_the_box(asked, randomize):
    layer = SpatiallyModulatedAttention(H, U)
    layer(*asked)
    randomize(layer, scale=0.4)
    arrays = {weight_address(w): np.asarray(w, "float64") for w in layer.weights}
    # Widths that a head may not have.
    layer.width_dense.bias.assign(np.array([5, -5, 0, 0, 1, 0, -1, 0], "float32"))
    arrays["width/bias"] = np.array([5, -5, 0, 0, 1, 0, -1, 0], "float64")
    found, weights = layer(*asked, key_mask=MASK, return_weights=True)
    for row in range(B):
        own = [each[row].astype("float64") for each in asked]
        expected, shares = reference.attention(*own, MASK[row], arrays, "", H)
        np.testing.assert_allclose(weights[row], shares, atol=2e-5)
        np.testing.assert_allclose(found[row], expected, atol=1e-4)
        assert np.ptp(shares, axis=(0, 1)).max() > 0.05
    alone = layer(*asked, key_mask=MASK)
    np.testing.assert_array_equal(alone, found)


def test_heads_begin_around_the_rim_of_a_box():
    """Where a Gaussian is 0, at its centre, of a layer that has learnt nothing."""
    layer = SpatiallyModulatedAttention(8, 16)
    places = np.stack(np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201)), -1)
    places = places.reshape(1, -1, 2).astype("float32")
    box = np.array([[[0.5, 0.4, 0.4, 0.2]]], "float32")
    query = np.ones((1, 1, 3), "float32")
    layer.build(query.shape, (1, 1, 3))
    logs = np.asarray(layer.log_gaussians(query, box, places))
    assert logs.shape == (1, 8, 1, 201 * 201)
    best = places[0, logs[0, :, 0].argmax(axis=-1)]
    left, right, top, bottom = 0.36, 0.64, 0.33, 0.47
    expected = {
        (right, 0.4), (right, bottom), (0.5, bottom), (left, bottom),
        (left, 0.4), (left, top), (0.5, top), (right, top),
    }  # fmt: skip
    assert {(round(float(x), 3), round(float(y), 3)) for x, y in best} == expected
    np.testing.assert_allclose(logs.max(axis=-1), 0, atol=1e-4)


def test_a_box_twice_as_large_is_looked_at_alike(random):
    layer = SpatiallyModulatedAttention(3, 6)
    query = random.normal(size=(1, 1, 5)).astype("float32")
    layer.build(query.shape, (1, 1, 5))
    places = random.uniform(0.3, 0.5, size=(1, 7, 2)).astype("float32")
    box = np.array([[[0.4, 0.4, 0.1, 0.15]]], "float32")
    near = layer.log_gaussians(query, box, places)
    far = layer.log_gaussians(query, 2 * box, 2 * places)
    np.testing.assert_allclose(far, near, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_heads, units", [(0, 6), (3, 0), (4, 6)])
def test_sizes_that_do_not_divide_are_refused(num_heads, units):
    with pytest.raises(ValueError, match=f"units={units}, num_heads={num_heads}"):
        SpatiallyModulatedAttention(num_heads, units)
