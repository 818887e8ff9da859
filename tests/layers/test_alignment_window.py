import math

import numpy as np
import pytest
from keras import ops

from tests.references import luong
from zoo.layers import AlignmentWindow

# Sizes, all different: batch, queries, keys, query size.
B, Q, K, G = 2, 3, 11, 7
WIDTH = 2


@pytest.fixture
def query(random):
    return random.normal(size=(B, Q, G)).astype("float32")


@pytest.fixture
def key_mask():
    return np.arange(K) < np.array([[5], [K]])


@pytest.fixture
def make(randomize):
    """A built window whose every weight is random."""

    def made(window, width=WIDTH, **options):
        layer = AlignmentWindow(window, width, **options)
        layer.build((None, None, G))
        return randomize(layer)

    return made


def test_the_global_window_shows_what_the_mask_shows(make, query, key_mask):
    layer = make("global")
    mask, factor = layer(query, num_keys=K, key_mask=key_mask)
    assert factor is None
    np.testing.assert_array_equal(mask, key_mask[:, None])
    assert layer(query, num_keys=K) == (None, None)
    assert layer.weights == []


def test_a_monotonic_window_goes_along_with_the_query(make, query, key_mask):
    layer = make("local_m")
    mask, factor = layer(query, num_keys=K, key_mask=key_mask)
    assert factor is None
    assert layer.weights == []
    for b, length in enumerate((5, K)):
        for q in range(Q):
            for k in range(K):
                expected = abs(k - q) <= WIDTH and k < length
                assert bool(mask[b, q, k]) == expected


def test_a_monotonic_window_goes_by_given_steps(make, query, key_mask):
    positions = np.array([[0, 4, 9], [10, 3, 30]])
    mask, _ = make("local_m")(
        query, num_keys=K, key_mask=key_mask, query_positions=positions
    )
    seen = [
        [np.flatnonzero(row).tolist() for row in rows]
        for rows in ops.convert_to_numpy(mask)
    ]
    # A step beyond the sentence, of 5 and of 11 words, looks at its end.
    assert seen == [
        [[0, 1, 2], [2, 3, 4], [2, 3, 4]],
        [[8, 9, 10], [1, 2, 3, 4, 5], [8, 9, 10]],
    ]


def test_without_a_mask_every_key_counts(make, query, key_mask):
    whole = np.ones((B, K), bool)
    for window in ("local_m", "local_p"):
        layer = make(window)
        given = layer(query, num_keys=K, key_mask=whole)
        none = layer(query, num_keys=K)
        np.testing.assert_array_equal(none[0], given[0])
        if window == "local_p":
            np.testing.assert_array_equal(none[1], given[1])


def test_a_predicted_window_equals_the_reference(make, query, key_mask):
    layer = make("local_p")
    weights = {
        f"window/{weight.path.split('/', 1)[1]}": weight.numpy().astype("float64")
        for weight in layer.weights
    }
    assert {name: array.shape for name, array in weights.items()} == {
        "window/hidden/kernel": (G, G),
        "window/centre_vector": (G,),
    }
    mask, factor = layer(query, num_keys=K, key_mask=key_mask)
    mask, factor = ops.convert_to_numpy(mask), ops.convert_to_numpy(factor)
    assert mask.shape == factor.shape == (B, Q, K)
    for b, length in enumerate((5, K)):
        for q in range(Q):
            centre = luong.centre("local_p", query[b, q], length, q, weights)
            for k in range(K):
                assert mask[b, q, k] == (abs(k - centre) <= WIDTH and k < length)
                expected = math.exp(-((k - centre) ** 2) / (2 * (WIDTH / 2) ** 2))
                assert factor[b, q, k] == pytest.approx(expected, abs=1e-5)


def test_a_predicted_window_does_not_go_by_steps(make, query):
    layer = make("local_p")
    positions = np.full((B, Q), 5)
    mask, factor = layer(query, num_keys=K)
    other_mask, other_factor = layer(query, num_keys=K, query_positions=positions)
    np.testing.assert_array_equal(mask, other_mask)
    np.testing.assert_array_equal(factor, other_factor)


def test_the_window_is_as_wide_as_it_is_told(make, query):
    for width in (1, 3):
        mask, _ = make("local_m", width)(
            query, num_keys=K, query_positions=np.full((B, Q), 5)
        )
        assert (ops.convert_to_numpy(mask).sum(-1) == 2 * width + 1).all()


def test_centres_of_long_sentences_are_right_in_half_precision(make, query):
    layer = make("local_m", dtype="bfloat16")
    positions = np.full((B, Q), 299)
    mask, _ = layer(query, num_keys=400, query_positions=positions)
    seen = np.flatnonzero(ops.convert_to_numpy(mask)[0, 0])
    assert seen.tolist() == [297, 298, 299, 300, 301]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": "local"}, r"global, local_m, local_p.*window='local'"),
        ({"window": "local_m", "width": 0}, r"at least 1.*width=0"),
    ],
)
def test_what_cannot_be_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        AlignmentWindow(**options)
