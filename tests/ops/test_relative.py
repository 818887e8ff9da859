import numpy as np
import pytest
from keras import ops

from tests.references import multi_head
from zoo.ops.relative import (
    alibi_slopes,
    by_distance,
    by_key,
    distances,
    position_buckets,
)

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

SIZES = pytest.mark.parametrize(
    "queries,keys", [(5, 7), (7, 5), (3, 3), (1, 5), (5, 1), (1, 1)]
)


@SIZES
@pytest.mark.parametrize("offset", [0, 11])
def test_distances_hold_each_one_between_a_query_and_a_key_in_order(
    queries, keys, offset
):
    found = {k - (q + offset) for q in range(queries) for k in range(keys)}
    given = ops.convert_to_numpy(distances(queries, keys, offset))
    assert given.tolist() == sorted(found)


@SIZES
def test_rows_by_distance_become_rows_by_key(random, queries, keys):
    rows = random.normal(size=(2, queries, queries + keys - 1)).astype("float32")
    sheared = ops.convert_to_numpy(by_key(rows, keys))
    assert sheared.shape == (2, queries, keys)
    for q in range(queries):
        for k in range(keys):
            expected = rows[:, q, k - q + queries - 1]
            np.testing.assert_array_equal(sheared[:, q, k], expected)


@SIZES
def test_one_row_by_distance_serves_all_queries(random, queries, keys):
    row = random.normal(size=(2, 1, queries + keys - 1)).astype("float32")
    sheared = ops.convert_to_numpy(by_key(row, keys))
    same = by_key(np.repeat(row, queries, axis=1), keys)
    np.testing.assert_array_equal(sheared, ops.convert_to_numpy(same))


@SIZES
def test_rows_by_key_become_rows_by_distance(random, queries, keys):
    rows = random.normal(size=(2, queries, keys)).astype("float32")
    expected = np.zeros((2, queries, queries + keys - 1), "float32")
    for q in range(queries):
        for k in range(keys):
            expected[:, q, k - q + queries - 1] = rows[:, q, k]
    np.testing.assert_array_equal(ops.convert_to_numpy(by_distance(rows)), expected)


@pytest.mark.parametrize("num_heads", [1, 2, 3, 5, 8, 12, 16, 17])
def test_slopes_are_those_of_the_paper(num_heads):
    np.testing.assert_allclose(
        alibi_slopes(num_heads), multi_head.alibi_slopes(num_heads), rtol=1e-12
    )


def test_eight_heads_have_the_slopes_that_the_paper_prints():
    assert alibi_slopes(8) == [2.0**-i for i in range(1, 9)]


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_buckets,farthest", [(32, 128), (20, 100), (8, 7)])
def test_buckets_are_those_of_the_paper(num_buckets, farthest, bidirectional):
    positions = np.arange(-300, 301, dtype="int32")
    buckets = position_buckets(positions, num_buckets, farthest, bidirectional)
    expected = [
        multi_head.bucket(distance, num_buckets, farthest, bidirectional)
        for distance in positions.tolist()
    ]
    assert ops.convert_to_numpy(buckets).tolist() == expected
