import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.references import multi_head
from zoo.layers import (
    ALiBiPositions,
    BucketedPositions,
    MultiHeadAttention,
    RelativePositions,
    RotaryPositions,
)

# All different: batch, queries, keys, head size, query, value, key and output sizes.
# Three heads, or six where they share keys; the head size is even for rotary positions.
B, Q, K, D, G, V, C, O = 2, 5, 7, 10, 11, 13, 17, 19  # noqa: E741
WEIGHT_SCALE = 0.3

OPTIONS = {
    "plain": {},
    "causal": {"causal": True},
    "no bias": {"use_bias": False},
    "window": {"window_width": 2},
    "causal window": {"window_width": 2, "causal": True},
    "grouped": {"num_heads": 6, "num_key_value_heads": 3},
    "multi-query": {"num_key_value_heads": 1},
    "rotary": {"positions": lambda: RotaryPositions()},
    "rotary halves": {
        "positions": lambda: RotaryPositions(30.0, "halves"),
        "causal": True,
    },
    "alibi": {"positions": lambda: ALiBiPositions()},
    "causal alibi": {"positions": lambda: ALiBiPositions(), "causal": True},
    "bucketed": {"positions": lambda: BucketedPositions(8, 5)},
    "causal bucketed": {
        "positions": lambda: BucketedPositions(6, 5, bidirectional=False),
        "causal": True,
    },
    "relative": {"positions": lambda: RelativePositions(2)},
    "causal relative": {"positions": lambda: RelativePositions(2), "causal": True},
}
EVERY_OPTION = pytest.mark.parametrize("option", OPTIONS)
CAUSAL_OPTIONS = pytest.mark.parametrize(
    "option", [name for name, options in OPTIONS.items() if options.get("causal")]
)
MASKS = pytest.mark.parametrize("masked", [False, True])


def new_layer(option, **more):
    options = {"num_heads": 3, **OPTIONS[option], **more}
    if "positions" in options:
        options["positions"] = options["positions"]()
    return MultiHeadAttention(units=options["num_heads"] * D, **options)


@pytest.fixture
def make(randomize):
    """A built layer whose every weight is random; sizes are those of its inputs."""

    def made(option="plain", *sizes, **more):
        layer = new_layer(option, **more)
        layer.build(*[(None, None, size) for size in sizes or (G, V, C)])
        return randomize(layer, WEIGHT_SCALE)

    return made


@pytest.fixture
def inputs(random):
    sizes = ((Q, G), (K, V), (K, C))
    return [random.normal(size=(B, *size)).astype("float32") for size in sizes]


@pytest.fixture
def tokens(random):
    """One sequence that attends to itself."""
    return random.normal(size=(B, K, G)).astype("float32")


@pytest.fixture
def masks(random):
    """Without any key for a whole sentence, and for single queries."""
    key_mask = random.random((B, K)) < 0.7
    key_mask[1] = False
    attention_mask = random.random((B, Q, K)) < 0.7
    attention_mask[0, 2] = False
    return {"key_mask": key_mask, "attention_mask": attention_mask}


def numbers_of(layer):
    """Weights by their path below the layer, in float64."""
    return {
        weight.path.split("/", 1)[1]: np.asarray(weight, "float64")
        for weight in layer.weights
    }


def reference(layer, query, values, keys, weights=None, **masks):
    """Outputs and weights of the layer by the loops of the reference."""
    weights = weights or numbers_of(layer)
    options = {"causal": layer.causal, "window_width": layer.window_width, **masks}
    scheme = layer.positions
    if isinstance(scheme, RotaryPositions):
        options["turn"] = lambda vector, at: multi_head.rotary(
            vector, at, scheme.base, scheme.layout
        )
    elif isinstance(scheme, ALiBiPositions):
        slopes = multi_head.alibi_slopes(layer.num_heads)
        options["bias"] = lambda head, distance: -slopes[head] * abs(distance)
    elif isinstance(scheme, BucketedPositions):
        table = weights["positions/bias"]
        settings = scheme.num_buckets, scheme.max_distance, scheme.bidirectional
        options["bias"] = lambda head, distance: table[
            multi_head.bucket(distance, *settings), head
        ]
    elif isinstance(scheme, RelativePositions):
        options["key_vectors"] = weights["positions/keys"]
        options["value_vectors"] = weights["positions/values"]
    return multi_head.multi_head(query, values, keys, weights, D, **options)


def as_numpy(outputs):
    return [ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs]


def assert_same(outputs, expected, atol=1e-5):
    for output, array in zip(as_numpy(outputs), as_numpy(expected), strict=True):
        np.testing.assert_allclose(output, array, atol=atol)


@EVERY_OPTION
@MASKS
def test_output_and_weights_equal_the_reference(make, inputs, masks, option, masked):
    layer = make(option)
    query, values, keys = inputs
    given = masks if masked else {}
    outputs = layer(query, values, keys=keys, return_weights=True, **given)
    assert_same(outputs, reference(layer, *inputs, **given))


@EVERY_OPTION
def test_values_are_by_default_the_query_and_keys_the_values(make, tokens, option):
    layer = make(option, G)
    outputs = layer(tokens, return_weights=True)
    assert_same(outputs, reference(layer, tokens, tokens, tokens))


def test_a_query_without_keys_gets_no_weight_and_the_bias(make, inputs, masks):
    layer = make()
    query, values, keys = inputs
    output, weights = as_numpy(
        layer(query, values, keys=keys, return_weights=True, **masks)
    )
    bias = numbers_of(layer)["output/bias"]
    for at in [(0, 2), (1, 0), (1, 4)]:
        assert (weights[at[0], :, at[1]] == 0.0).all()
        np.testing.assert_allclose(output[at], bias, atol=1e-6)


# Paths other than full, with what they need: a window, and queries that are the keys.
PATHS = [
    (option, path)
    for option, options in OPTIONS.items()
    for path in ("blockwise", "banded")
    if "relative" not in option and (path == "blockwise" or "window_width" in options)
] + [("rotary", "banded"), ("causal alibi", "banded"), ("bucketed", "banded")]


@pytest.mark.parametrize("option,path", PATHS)
@MASKS
def test_every_path_gives_the_same_values_and_gradients(
    make, random, tokens, masks, option, path, masked
):
    given = {"key_mask": masks["key_mask"]} if masked else {}
    if masked:
        given["attention_mask"] = random.random((B, K, K)) < 0.7
    more = {"window_width": 2} if path == "banded" else {}
    layer = make(option, G, path=path, **more)
    full = new_layer(option, path="full", **more)
    full.build(tokens.shape)
    full.set_weights(layer.get_weights())
    slope = random.normal(size=tokens.shape).astype("float32")
    found, expected = [], []
    for one, into in ((layer, found), (full, expected)):
        tensor = tf.constant(tokens)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            output = one(tensor, **given)
            loss = tf.reduce_sum(output * slope)
        sources = [tensor, *[weight.value for weight in one.weights]]
        gradients = tape.gradient(loss, sources)
        into += [output, *map(tf.convert_to_tensor, gradients)]
    assert_same(found, expected, atol=2e-5)


@pytest.mark.parametrize("path", ["full", "blockwise", "banded"])
def test_lengths_may_be_unknown_in_a_graph(make, tokens, masks, path):
    layer = make("causal", G, path=path, window_width=3)
    specs = [tf.TensorSpec((None, None, G)), tf.TensorSpec((None, None), "bool")]
    function = tf.function(
        lambda tokens, mask: layer(tokens, key_mask=mask), input_signature=specs
    )
    key_mask = masks["key_mask"]
    for length in (K, 3):
        part, mask = tokens[:, :length], key_mask[:, :length]
        assert_same([function(part, mask)], [layer(part, key_mask=mask)], atol=1e-6)


CAUSAL_PATHS = [("full", None), ("blockwise", None), ("full", 2), ("banded", 2)]


@pytest.mark.parametrize("path,window_width", CAUSAL_PATHS)
def test_causal_outputs_do_not_change_with_the_future(
    make, random, tokens, path, window_width
):
    layer = make("causal", G, path=path, window_width=window_width)
    changed = tokens.copy()
    changed[:, 4:] = random.normal(scale=30.0, size=(B, K - 4, G))
    before, after = as_numpy([layer(tokens), layer(changed)])
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any(axis=-1).all()


@CAUSAL_OPTIONS
def test_steps_with_a_cache_are_the_whole(make, tokens, option):
    layer = make(option, G)
    whole, weights = as_numpy(layer(tokens, return_weights=True))
    cache = layer.project(tokens[:, :0])
    for first, size in ((0, 1), (1, 1), (2, 3), (5, 2)):
        part = tokens[:, first : first + size]
        cache = layer.extend(cache, part)
        step, step_weights = layer(part, cache=cache, return_weights=True)
        span = slice(first, first + size)
        assert_same(
            [step, step_weights],
            [whole[:, span], weights[:, :, span, : first + size]],
            atol=1e-6,
        )


@EVERY_OPTION
def test_a_cache_is_what_values_and_keys_are_projected_to(make, inputs, masks, option):
    layer = make(option)
    query, values, keys = inputs
    cache = layer.project(values, keys)
    assert set(cache) == {"keys", "values"}
    for heads in cache.values():
        assert heads.shape == (B, layer.num_key_value_heads, K, D)
    given = layer(query, cache=cache, return_weights=True, **masks)
    computed = layer(query, values, keys=keys, return_weights=True, **masks)
    assert_same(given, computed, atol=0)


def test_a_cache_can_be_made_before_the_first_call(inputs):
    layer = new_layer("plain")
    query, values, keys = inputs
    output = layer(query, cache=layer.project(values, keys))
    assert_same([output], [layer(query, values, keys=keys)], atol=0)
    copy = MultiHeadAttention.from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    assert_same([output], [copy(query, values, keys=keys)], atol=0)


def copy_of_keras(layer, theirs):
    """Copies weights: the same numbers in the same order, in other shapes."""
    for own, other in zip(layer.weights, theirs.weights, strict=True):
        own.assign(ops.reshape(other, own.shape))
    return layer


@MASKS
def test_cross_attention_equals_that_of_keras(make, inputs, masks, masked):
    query, values, keys = inputs
    mask = masks["attention_mask"] if masked else None
    if masked:
        mask[:, :, 3] = True
    theirs = keras.layers.MultiHeadAttention(3, D, output_shape=O)
    options = {"attention_mask": mask}
    expected = theirs(query, values, keys, return_attention_scores=True, **options)
    layer = copy_of_keras(make("plain", output_size=O), theirs)
    assert_same(
        layer(query, values, keys=keys, return_weights=True, **options), expected
    )


@pytest.mark.parametrize("option", ["causal", "grouped", "multi-query"])
@MASKS
def test_self_attention_equals_that_of_keras(make, tokens, masks, option, masked):
    layer = make(option, G)
    mask = np.repeat(masks["key_mask"][:, None], K, axis=1) if masked else None
    if masked:
        mask[:, :, 0] = True
    if option == "causal":
        theirs = keras.layers.MultiHeadAttention(3, D)
    else:
        theirs = keras.layers.GroupQueryAttention(
            D, layer.num_heads, layer.num_key_value_heads
        )
    options = {"attention_mask": mask}
    expected = theirs(
        tokens,
        tokens,
        return_attention_scores=True,
        use_causal_mask=option == "causal",
        **options,
    )
    copy_of_keras(layer, theirs)
    assert_same(layer(tokens, return_weights=True, **options), expected)


@pytest.mark.parametrize("option", ["plain", "causal relative", "bucketed", "grouped"])
def test_gradients_equal_finite_differences(make, inputs, random, masks, option):
    """Differences are taken of the float64 reference, along a random direction, which
    tests all entries at once."""
    layer = make(option)
    slopes = [
        random.normal(size=size) for size in ((B, Q, G), (B, layer.num_heads, Q, K))
    ]
    tensors = [tf.constant(array) for array in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs = layer(
            tensors[0], tensors[1], keys=tensors[2], return_weights=True, **masks
        )
        loss = sum(
            tf.reduce_sum(output * slope.astype("float32"))
            for output, slope in zip(outputs, slopes, strict=True)
        )
    sources = {weight.path.split("/", 1)[1]: weight.value for weight in layer.weights}
    sources |= dict(zip(("query", "values", "keys"), tensors, strict=True))
    gradients = tape.gradient(loss, sources)
    at = numbers_of(layer) | dict(zip(("query", "values", "keys"), inputs, strict=True))
    at = {name: np.asarray(array, "float64") for name, array in at.items()}

    def reference_loss(**moved):
        parts = at | moved
        arrays = [parts.pop(name) for name in ("query", "values", "keys")]
        outputs = reference(layer, *arrays, weights=parts, **masks)
        return sum(
            (output * slope).sum()
            for output, slope in zip(outputs, slopes, strict=True)
        )

    for name, array in at.items():
        direction = random.normal(size=array.shape)
        ahead = reference_loss(**{name: array + 1e-5 * direction})
        behind = reference_loss(**{name: array - 1e-5 * direction})
        expected = (ahead - behind) / 2e-5
        along = (tf.convert_to_tensor(gradients[name]).numpy() * direction).sum()
        assert along == pytest.approx(expected, rel=1e-4, abs=2e-4), name
        # A bias of all keys moves all scores of a query alike: no weight changes.
        assert name == "key/bias" or abs(expected) > 1e-2, f"{name} must matter"


@pytest.mark.parametrize("path", ["full", "blockwise", "banded"])
def test_gradients_are_finite_where_nothing_is_seen(make, tokens, masks, path):
    layer = make("causal", G, window_width=2, path=path)
    tensor = tf.constant(tokens)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        output = layer(tensor, key_mask=masks["key_mask"])
        loss = tf.reduce_sum(tf.square(output))
    gradients = tape.gradient(loss, [tensor, *[w.value for w in layer.weights]])
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert (gradients[0][1].numpy() == 0.0).all()


def test_dropout_works_while_training_on_the_weights_that_are_returned(make, tokens):
    layer = make("plain", G, dropout=0.5)
    same = make("plain", G)
    same.set_weights(layer.get_weights())
    assert_same([layer(tokens)], [same(tokens)], atol=0)
    output, weights = layer(tokens, return_weights=True, training=True)
    kept = as_numpy([weights])[0] != 0.0
    assert 0.2 < kept.mean() < 0.8
    _, plain = as_numpy(same(tokens, return_weights=True))
    np.testing.assert_allclose(weights, 2.0 * plain * kept, atol=1e-6)
    numbers = numbers_of(layer)
    projected = tokens @ numbers["value/kernel"] + numbers["value/bias"]
    values = multi_head.split_heads(projected, D)
    context = (np.asarray(weights, "float64") @ values).transpose(0, 2, 1, 3)
    expected = context.reshape(B, K, 3 * D) @ numbers["output/kernel"]
    np.testing.assert_allclose(output, expected + numbers["output/bias"], atol=1e-5)


@pytest.mark.parametrize("path", ["full", "blockwise", "banded"])
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
def test_half_precision_gives_finite_numbers_of_its_own_type(
    make, tokens, masks, policy, path
):
    layer = make("causal", G, dtype=policy, window_width=2, path=path)
    output = layer(30.0 * tokens, key_mask=masks["key_mask"])
    assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
    assert np.isfinite(as_numpy([output])[0]).all()


@EVERY_OPTION
def test_mixed_precision_is_near_the_reference(make, inputs, option):
    layer = make(option, dtype="mixed_bfloat16")
    query, values, keys = inputs
    outputs = layer(query, values, keys=keys, return_weights=True)
    # bfloat16 has 8 bits of precision.
    assert_same(outputs, reference(layer, *inputs), atol=0.15)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("output_size", [None, O])
def test_symbolic_outputs_have_the_real_shapes_and_types(
    make, inputs, policy, output_size
):
    layer = make("plain", dtype=policy, output_size=output_size)
    query, values, keys = inputs
    symbols = keras.Input((None, G)), keras.Input((K, V))
    output, weights = layer(*symbols, keys=keras.Input((K, C)), return_weights=True)
    assert output.shape == (None, None, output_size or G)
    assert weights.shape == (None, 3, None, K)
    real = layer(query, values, keys=keys, return_weights=True)
    cache = layer.project(values, keys)
    symbolic_cache = {
        name: keras.KerasTensor(tuple(heads.shape)) for name, heads in cache.items()
    }
    query = keras.KerasTensor(query.shape)
    for expected in (
        layer(
            query,
            keras.KerasTensor(values.shape),
            keys=keras.KerasTensor(keys.shape),
            return_weights=True,
        ),
        layer(query, cache=symbolic_cache, return_weights=True),
    ):
        for symbol, output in zip(expected, real, strict=True):
            assert symbol.shape == tuple(output.shape)
            assert symbol.dtype == keras.backend.standardize_dtype(output.dtype)
    assert layer(query, cache=symbolic_cache).shape == real[0].shape


@EVERY_OPTION
def test_the_config_makes_the_same_layer(make, inputs, option):
    layer = make(option, dropout=0.25, path="full", name="looking", output_size=O)
    copy = MultiHeadAttention.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.name, copy.dropout, copy.asked_path) == ("looking", 0.25, "full")
    query, values, keys = inputs
    assert copy(query, values, keys=keys).shape == (B, Q, O)
    copy.set_weights(layer.get_weights())
    outputs = [each(query, values, keys=keys) for each in (copy, layer)]
    assert_same(outputs[:1], outputs[1:], atol=0)


def test_weights_have_plain_addresses(make):
    addresses = [
        f"{name}/{part}"
        for name in ("query", "key", "value", "output")
        for part in ("kernel", "bias")
    ]
    layer = make("relative")
    assert set(numbers_of(layer)) == {*addresses, "positions/keys", "positions/values"}
    shapes = {name: array.shape for name, array in numbers_of(layer).items()}
    assert shapes["query/kernel"] == (G, 3 * D)
    assert shapes["positions/keys"] == (5, D)


# Keras copies TensorFlow variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_answers_the_same(make, inputs, tmp_path):
    query, values, _ = inputs
    asked = [keras.Input((None, G)), keras.Input((None, V))]
    layer = make("causal bucketed", G, V, name="attention")
    model = keras.Model(asked, layer(*asked, return_weights=True))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert_same(copy([query, values]), model([query, values]), atol=0)


def test_auto_chooses_by_size_and_options():
    def chosen(queries, keys, return_weights=False, training=False, **options):
        layer = MultiHeadAttention(3, 3 * D, **options)
        return layer.path_for(queries, keys, return_weights, training)

    assert chosen(128, 128) == "full"
    assert chosen(4096, 4096) == "blockwise"
    assert chosen(1, 4096) == "full"
    assert chosen(None, 4096) == chosen(4096, None) == "full"
    assert chosen(4096, 4096, return_weights=True) == "full"
    assert chosen(4096, 4096, positions=RelativePositions()) == "full"
    assert chosen(4096, 4096, positions=BucketedPositions()) == "blockwise"
    assert chosen(4096, 4096, training=True) == "blockwise"
    assert chosen(4096, 4096, training=True, dropout=0.1) == "full"
    assert chosen(4096, 4096, dropout=0.1) == "blockwise"
    assert chosen(4096, 4096, window_width=64) == "banded"
    assert chosen(4096, 4097, window_width=64) == "blockwise"
    assert chosen(4096, 4096, window_width=2048) == "blockwise"
    assert chosen(128, 128, path="blockwise") == "blockwise"
    assert chosen(None, None, path="banded", window_width=2) == "banded"


@pytest.mark.parametrize("path", ["blockwise", "banded"])
@pytest.mark.parametrize(
    "call,options,reason",
    [
        ({"return_weights": True}, {}, "return_weights=True"),
        ({"training": True}, {"dropout": 0.25}, "dropout=0.25"),
        ({}, {"positions": lambda: RelativePositions()}, "RelativePositions"),
    ],
)
def test_what_needs_all_weights_is_an_error_on_other_paths(
    tokens, path, call, options, reason
):
    options = {
        name: made() if callable(made) else made for name, made in options.items()
    }
    with pytest.raises(ValueError, match=f'path="{path}".*{reason}.*path="full"'):
        layer = MultiHeadAttention(3, 3 * D, window_width=2, path=path, **options)
        layer(tokens, **call)


def test_the_banded_path_is_for_self_attention(make, inputs):
    layer = make("plain", path="banded", window_width=2)
    query, values, keys = inputs
    with pytest.raises(ValueError, match=r"self-attention.*5 queries, 7 keys"):
        layer(query, values, keys=keys)


@pytest.mark.parametrize(
    "options,message",
    [
        ({"num_heads": 3, "units": 10}, "multiple of num_heads.*units=10"),
        ({"num_heads": 0, "units": 10}, "num_heads=0"),
        ({"num_heads": 2, "units": 0}, "units=0"),
        (
            {"num_heads": 6, "units": 12, "num_key_value_heads": 4},
            "must divide num_heads.*num_key_value_heads=4",
        ),
        (
            {"num_heads": 6, "units": 12, "num_key_value_heads": 0},
            "num_key_value_heads=0",
        ),
        ({"num_heads": 2, "units": 4, "window_width": -1}, "window_width=-1"),
        ({"num_heads": 2, "units": 4, "positions": "rotary"}, "PositionScheme.*rotary"),
        ({"num_heads": 2, "units": 4, "path": "flash"}, "path must be one of.*flash"),
        ({"num_heads": 2, "units": 4, "path": "banded"}, "window_width"),
    ],
)
def test_options_that_do_not_go_together_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**options)
