import numpy as np
import pytest
from keras import ops

from tests.references import luong
from zoo.layers import LuongAttention
from zoo.layers.alignment_window import WINDOWS
from zoo.layers.luong_attention import SAME_SIZE, SCORES

# Sizes, all different: batch, queries, keys, query size, value size, units, positions.
B, Q, K, G, D, U, P = 2, 3, 11, 7, 13, 17, 5
WIDTH = 2
EVERY_SCORE = pytest.mark.parametrize("score", SCORES)
EVERY_WINDOW = pytest.mark.parametrize("window", WINDOWS)

# Every weight, as saved files name them.
ADDRESSES = {
    "dot": {},
    "scaled_dot": {},
    "general": {"key/kernel": (D, G)},
    "scaled_general": {"key/kernel": (D, G), "score_gain": ()},
    "concat": {"query/kernel": (G, U), "key/kernel": (D, U), "score_vector": (U,)},
    "location": {"location/kernel": (G, P)},
    "cosine": {"score_gain": ()},
}
WINDOW_ADDRESSES = {"window/hidden/kernel": (G, G), "window/centre_vector": (G,)}


def value_size(score):
    return G if score in SAME_SIZE else D


@pytest.fixture
def ask(random):
    """Query, values and a mask of two sentences, for a score."""

    def asked(score):
        query = random.normal(size=(B, Q, G)).astype("float32")
        values = random.normal(size=(B, K, value_size(score))).astype("float32")
        return query, values, np.arange(K) < np.array([[4], [K]])

    return asked


def new(score, **options):
    units = {"units": U} if score == "concat" else {}
    return LuongAttention(score, max_keys=P, window_width=WIDTH, **units, **options)


@pytest.fixture
def make(randomize):
    """A built layer whose every weight is random."""

    def made(score, **options):
        layer = new(score, **options)
        layer.build((None, None, G), (None, None, value_size(score)))
        return randomize(layer)

    return made


def numbers_of(layer):
    return {
        weight.path.split("/", 1)[1]: weight.numpy().astype("float64")
        for weight in layer.weights
    }


@EVERY_SCORE
@EVERY_WINDOW
def test_context_and_weights_equal_the_reference(make, ask, score, window):
    layer = make(score, window=window)
    query, values, key_mask = ask(score)
    context, weights = layer(query, values, key_mask=key_mask)
    numbers = numbers_of(layer)
    for b in range(B):
        for q in range(Q):
            expected_context, expected_weights = luong.attend(
                score,
                window,
                WIDTH,
                query[b, q],
                values[b],
                key_mask[b],
                numbers,
                t=q,
                max_keys=P,
            )
            np.testing.assert_allclose(weights[b, q], expected_weights, atol=1e-5)
            np.testing.assert_allclose(context[b, q], expected_context, atol=2e-5)


@EVERY_SCORE
@EVERY_WINDOW
def test_a_layer_has_the_weights_of_its_score_and_window(score, window):
    layer = new(score, window=window)
    layer.build((None, None, G), (None, None, value_size(score)))
    expected = ADDRESSES[score] | (WINDOW_ADDRESSES if window == "local_p" else {})
    found = {name: array.shape for name, array in numbers_of(layer).items()}
    assert found == expected


@EVERY_SCORE
def test_given_keys_are_the_same_as_computed_keys(make, ask, score):
    layer = make(score)
    query, values, key_mask = ask(score)
    keys = layer.project_keys(values)
    given = layer(query, values, key_mask=key_mask, keys=keys)
    computed = layer(query, values, key_mask=key_mask)
    for one, other in zip(given, computed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("score", ["dot", "general", "concat", "cosine"])
def test_given_keys_are_what_is_compared(make, ask, score):
    layer = make(score)
    query, values, _ = ask(score)
    keys = np.zeros_like(layer.project_keys(values))
    _, weights = layer(query, values, keys=keys)
    np.testing.assert_allclose(weights, np.full((B, Q, K), 1 / K), atol=1e-6)


@pytest.mark.parametrize("score", ["general", "scaled_general", "concat"])
def test_keys_cannot_be_projected_to_a_size_that_is_not_known(ask, score):
    _, values, _ = ask(score)
    with pytest.raises(ValueError, match=rf"score='{score}'.*Call the layer once"):
        new(score).project_keys(values)


@pytest.mark.parametrize("score", ["dot", "scaled_dot", "location", "cosine"])
def test_scores_without_projections_compare_the_values_themselves(make, ask, score):
    _, values, _ = ask(score)
    np.testing.assert_array_equal(make(score).project_keys(values), values)


@EVERY_SCORE
def test_a_monotonic_window_goes_by_given_steps(make, ask, score):
    layer = make(score, window="local_m")
    query, values, key_mask = ask(score)
    together = layer(query, values, key_mask=key_mask)
    for q in range(Q):
        alone = layer(
            query[:, q : q + 1],
            values,
            key_mask=key_mask,
            query_positions=np.full((B, 1), q),
        )
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[:, 0], other[:, q], atol=1e-6)


def test_the_gaussian_is_not_renormalised(make, ask):
    """Equation 10 multiplies, so a row sums to less than 1, and at most to 1."""
    query, values, key_mask = ask("general")
    _, weights = make("general", window="local_p")(query, values, key_mask=key_mask)
    totals = ops.convert_to_numpy(weights).sum(-1)
    assert (totals > 0.0).all()
    assert (totals < 0.99).all()
    for window in ("global", "local_m"):
        _, weights = make("general", window=window)(query, values, key_mask=key_mask)
        np.testing.assert_allclose(
            ops.convert_to_numpy(weights).sum(-1), np.ones((B, Q)), atol=1e-6
        )


def test_location_looks_at_no_key_and_knows_so_many_positions(make, ask):
    layer = make("location")
    query, values, _ = ask("location")
    _, weights = layer(query, values)
    _, other = layer(query, -3.0 * values)
    np.testing.assert_array_equal(weights, other)
    weights = ops.convert_to_numpy(weights)
    assert (weights[..., :P] > 0.0).all()
    assert (weights[..., P:] == 0.0).all()


def test_location_serves_fewer_keys_than_positions(make, ask):
    query, values, _ = ask("location")
    _, weights = make("location")(query, values[:, :2])
    np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1.0, atol=1e-6)


def test_gains_start_where_they_are_said_to():
    for score, start in (("scaled_general", 1.0), ("cosine", 10.0)):
        layer = new(score)
        layer.build((None, None, G), (None, None, value_size(score)))
        assert float(layer.score_gain.numpy()) == start


def test_concat_has_the_size_of_the_query_when_no_other_is_given():
    layer = LuongAttention("concat")
    layer.build((None, None, G), (None, None, D))
    assert tuple(layer.score_vector.shape) == (G,)


@pytest.mark.parametrize("score", SAME_SIZE)
def test_values_of_another_size_are_an_error_that_says_what_to_do(score):
    message = rf"score='{score}'.*query size 7, value size 13.*score='general'"
    with pytest.raises(ValueError, match=message):
        LuongAttention(score).build((None, None, G), (None, None, D))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "additive"}, r"dot, scaled_dot, general.*score='additive'"),
        ({"score": "concat", "units": 0}, r"units=0, max_keys=128"),
        ({"score": "location", "max_keys": 0}, r"units=None, max_keys=0"),
        ({"window": "local"}, r"global, local_m, local_p.*window='local'"),
        ({"window_width": 0}, r"at least 1.*width=0"),
    ],
)
def test_what_cannot_be_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        LuongAttention(**options)
