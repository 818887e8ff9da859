import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.references import bahdanau
from zoo.layers import BahdanauAttention

# Sizes, all different: batch, queries, keys, query size, value size, units.
B, Q, K, G, D, U = 2, 3, 5, 7, 11, 13
VARIANTS = pytest.mark.parametrize("normalize", [False, True])


@pytest.fixture
def inputs(random):
    query = random.normal(size=(B, Q, G)).astype("float32")
    values = random.normal(size=(B, K, D)).astype("float32")
    key_mask = np.array([[True, True, False, True, False], [True] * K])
    return query, values, key_mask


@pytest.fixture
def make(randomize):
    """A built layer whose every weight is random."""

    def made(normalize=False, **options):
        layer = BahdanauAttention(U, normalize=normalize, **options)
        layer.build((None, None, G), (None, None, D))
        return randomize(layer)

    return made


def reference(layer, query, values, key_mask, **replaced):
    """Contexts and weights of a whole batch, by the loops of the reference."""
    numbers = numbers_of(layer) | replaced
    vector, bias = numbers["score_vector"], 0.0
    if layer.normalize:
        vector = bahdanau.normed_vector(vector, numbers["score_gain"])
        bias = numbers["score_bias"]
    context = np.zeros((B, Q, D))
    weights = np.zeros((B, Q, K))
    for b in range(B):
        for q in range(Q):
            context[b, q], weights[b, q] = bahdanau.attend(
                query[b, q],
                values[b],
                key_mask[b],
                numbers["query/kernel"],
                numbers["key/kernel"],
                vector,
                bias,
            )
    return context, weights


def numbers_of(layer):
    """Weights by their path below the layer, in float64."""
    return {
        weight.path.split("/", 1)[1]: np.asarray(weight, "float64")
        for weight in layer.weights
    }


def as_numpy(outputs):
    return [ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs]


@VARIANTS
def test_context_and_weights_equal_the_reference(make, inputs, normalize):
    layer = make(normalize)
    query, values, key_mask = inputs
    outputs = as_numpy(layer(query, values, key_mask=key_mask))
    for output, expected in zip(outputs, reference(layer, *inputs), strict=True):
        np.testing.assert_allclose(output, expected, atol=2e-5)


@VARIANTS
def test_without_a_mask_every_key_is_visible(make, inputs, normalize):
    layer = make(normalize)
    query, values, _ = inputs
    outputs = as_numpy(layer(query, values))
    everything = np.ones((B, K), bool)
    for output, expected in zip(
        outputs, reference(layer, query, values, everything), strict=True
    ):
        np.testing.assert_allclose(output, expected, atol=2e-5)


@VARIANTS
def test_masked_keys_have_no_weight_and_a_row_of_them_gives_zeros(
    make, inputs, normalize
):
    query, values, key_mask = inputs
    key_mask[1] = False
    context, weights = as_numpy(make(normalize)(query, values, key_mask=key_mask))
    assert (weights[0][:, ~key_mask[0]] == 0.0).all()
    assert (weights[1] == 0.0).all()
    assert (context[1] == 0.0).all()
    np.testing.assert_allclose(weights[0].sum(-1), 1.0, atol=1e-6)


@VARIANTS
def test_gradients_are_finite_with_a_fully_masked_row(make, inputs, normalize):
    layer = make(normalize)
    query, values, key_mask = inputs
    key_mask[1] = False
    query, values = tf.constant(query), tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch([query, values])
        context, _ = layer(query, values, key_mask=key_mask)
        loss = tf.reduce_sum(tf.square(context))
    sources = [query, values, *[weight.value for weight in layer.weights]]
    gradients = tape.gradient(loss, sources)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert (gradients[0][1].numpy() == 0.0).all()
    assert (gradients[1][1].numpy() == 0.0).all()


@VARIANTS
def test_given_keys_are_the_same_as_computed_keys(make, inputs, normalize):
    layer = make(normalize)
    query, values, key_mask = inputs
    keys = layer.project_keys(values)
    assert keys.shape == (B, K, U)
    given = as_numpy(layer(query, values, key_mask=key_mask, keys=keys))
    computed = as_numpy(layer(query, values, key_mask=key_mask))
    for one, other in zip(given, computed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_given_keys_are_what_is_compared(make, inputs):
    query, values, _ = inputs
    _, weights = make()(query, values, keys=np.zeros((B, K, U), "float32"))
    np.testing.assert_allclose(weights, np.full((B, Q, K), 1 / K), atol=1e-6)


def test_keys_can_be_projected_before_the_first_call(inputs):
    layer = BahdanauAttention(U)
    query, values, _ = inputs
    keys = layer.project_keys(values)
    given = as_numpy(layer(query, values, keys=keys))
    computed = as_numpy(layer(query, values))
    for one, other in zip(given, computed, strict=True):
        np.testing.assert_array_equal(one, other)


@VARIANTS
def test_more_masked_keys_change_nothing(make, inputs, random, normalize):
    layer = make(normalize)
    query, values, key_mask = inputs
    more = random.normal(scale=9.0, size=(B, 2, D)).astype("float32")
    padded_mask = np.concatenate([key_mask, np.zeros((B, 2), bool)], axis=1)
    context, weights = as_numpy(layer(query, values, key_mask=key_mask))
    padded_context, padded_weights = as_numpy(
        layer(query, np.concatenate([values, more], axis=1), key_mask=padded_mask)
    )
    np.testing.assert_allclose(padded_context, context, atol=1e-6)
    np.testing.assert_allclose(padded_weights[..., :K], weights, atol=1e-6)
    assert (padded_weights[..., K:] == 0.0).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_symbolic_outputs_have_the_real_shapes_and_types(make, inputs, policy):
    layer = make(dtype=policy)
    query, values, key_mask = inputs
    symbolic = layer(
        keras.Input((None, G)),
        keras.Input((K, D)),
        key_mask=keras.Input((K,), dtype="bool"),
    )
    assert [output.shape for output in symbolic] == [(None, None, D), (None, None, K)]
    whole = layer(keras.KerasTensor(query.shape), keras.KerasTensor(values.shape))
    real = layer(query, values, key_mask=key_mask)
    for expected, output in zip(whole, real, strict=True):
        assert expected.shape == tuple(output.shape)
        assert expected.dtype == keras.backend.standardize_dtype(output.dtype)


@VARIANTS
def test_gradients_equal_finite_differences(make, inputs, random, normalize):
    """Differences are taken of the float64 reference: there a step of 1e-5 is exact to
    about 1e-9, so the tolerance is float32's own, of sums of some hundred terms."""
    layer = make(normalize)
    query, values, key_mask = inputs
    slope_context = random.normal(size=(B, Q, D))
    slope_weights = random.normal(size=(B, Q, K))
    query_tensor, values_tensor = tf.constant(query), tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch([query_tensor, values_tensor])
        context, weights = layer(query_tensor, values_tensor, key_mask=key_mask)
        loss = tf.reduce_sum(context * slope_context.astype("float32"))
        loss += tf.reduce_sum(weights * slope_weights.astype("float32"))
    sources = {weight.path.split("/", 1)[1]: weight.value for weight in layer.weights}
    sources |= {"query": query_tensor, "values": values_tensor}
    gradients = tape.gradient(loss, sources)

    at = numbers_of(layer) | {"query": query, "values": values}
    at = {name: array.astype("float64") for name, array in at.items()}

    def reference_loss(**moved):
        parts = at | moved
        context, weights = reference(
            layer, parts.pop("query"), parts.pop("values"), key_mask, **parts
        )
        return (context * slope_context).sum() + (weights * slope_weights).sum()

    for name, array in at.items():
        # A random direction tests all entries at once.
        direction = random.normal(size=array.shape)
        ahead = reference_loss(**{name: array + 1e-5 * direction})
        behind = reference_loss(**{name: array - 1e-5 * direction})
        expected = (ahead - behind) / 2e-5
        along = (gradients[name].numpy() * direction).sum()
        assert along == pytest.approx(expected, rel=1e-4, abs=1e-4), name
        assert abs(expected) > 1e-2, f"{name} must matter for the test to mean much"


@VARIANTS
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_half_precision_gives_finite_numbers_of_its_own_type(
    make, inputs, policy, normalize
):
    layer = make(normalize, dtype=policy)
    query, values, key_mask = inputs
    key_mask[1] = False
    outputs = layer(100.0 * query, 100.0 * values, key_mask=key_mask)
    for output in outputs:
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
    context, weights = as_numpy(outputs)
    assert np.isfinite(context).all()
    assert np.isfinite(weights).all()
    assert (weights[1] == 0.0).all()


def test_mixed_precision_is_near_the_reference(make, inputs):
    layer = make(dtype="mixed_bfloat16")
    query, values, key_mask = inputs
    outputs = as_numpy(layer(query, values, key_mask=key_mask))
    for output, expected in zip(outputs, reference(layer, *inputs), strict=True):
        # bfloat16 has 8 bits of precision, and a score sums 13 terms.
        np.testing.assert_allclose(output, expected, atol=0.1)


def test_the_normed_variant_starts_with_the_gain_of_the_paper(inputs):
    layer = BahdanauAttention(U, normalize=True)
    layer(*inputs[:2])
    assert float(layer.score_gain.numpy()) == pytest.approx(U**-0.5)
    assert (layer.score_bias.numpy() == 0.0).all()


@pytest.mark.parametrize("units", [0, -3])
def test_units_that_are_not_positive_are_an_error(units):
    with pytest.raises(ValueError, match=f"positive integer.*units={units}"):
        BahdanauAttention(units)


@VARIANTS
def test_the_config_makes_the_same_layer(normalize):
    layer = BahdanauAttention(
        U, normalize=normalize, dtype="mixed_bfloat16", name="looking"
    )
    copy = BahdanauAttention.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.units, copy.normalize, copy.name) == (U, normalize, "looking")
    assert copy.compute_dtype == "bfloat16"
