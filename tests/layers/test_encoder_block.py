import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import transformer
from zoo.layers import EncoderBlock, FeedForward, MultiHeadAttention

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes, all different: batch, length, size, heads, head size, hidden size.
B, L, E, H, D, F = 2, 3, 13, 7, 5, 11
NORMS = pytest.mark.parametrize("norm", ["pre", "post"])


def make_block(norm="post", activation="relu", dropout=0.0, epsilon=1e-5, **options):
    return EncoderBlock(
        MultiHeadAttention(H, H * D, name="attention", **options),
        FeedForward(F, activation=activation, name="feed_forward", **options),
        norm=norm,
        dropout=dropout,
        epsilon=epsilon,
        name="block",
        **options,
    )


@pytest.fixture
def make(randomize):
    """A built block whose every weight is random."""

    def made(norm="post", **options):
        block = make_block(norm, **options)
        block.build((None, None, E))
        return randomize(block, scale=0.5)

    return made


@pytest.fixture
def inputs(random):
    return random.normal(size=(B, L, E)).astype("float32")


@pytest.fixture
def positions(random):
    return random.normal(size=(B, L, E)).astype("float32")


@pytest.fixture
def key_mask():
    return np.array([[True, True, False], [True] * L])


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def numbers_of(layer):
    """Weights by their path below the layer, in float64."""
    return {
        weight.path.split("/", 1)[1]: as_numpy(weight).astype("float64")
        for weight in layer.weights
    }


def reference(block, inputs, key_mask=None, positions=None, activation="relu"):
    """Outputs and weights of a whole batch, by the loops of the reference."""
    key_mask = np.ones(inputs.shape[:2], bool) if key_mask is None else key_mask
    positions = np.zeros(inputs.shape) if positions is None else positions
    rows = [
        transformer.encoder_block(
            *parts,
            numbers_of(block),
            H,
            norm=block.norm,
            epsilon=block.epsilon,
            activation=getattr(transformer, activation),
        )
        for parts in zip(inputs, key_mask, positions, strict=True)
    ]
    return [np.stack(part) for part in zip(*rows, strict=True)]


def test_the_addresses_of_the_weights(make):
    dense = ("kernel", "bias")
    attention = ("query", "key", "value", "output")
    expected = {f"attention/{part}/{name}" for part in attention for name in dense}
    expected |= {
        f"feed_forward/{part}/{name}" for part in ("hidden", "output") for name in dense
    }
    expected |= {
        f"{norm}/{name}"
        for norm in ("attention_norm", "feed_forward_norm")
        for name in ("gamma", "beta")
    }
    assert set(numbers_of(make())) == expected


@NORMS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_outputs_and_weights_equal_the_reference(
    make, inputs, key_mask, positions, norm, masked, moved
):
    block = make(norm)
    given = {
        "key_mask": key_mask if masked else None,
        "positions": positions if moved else None,
    }
    outputs, weights = block(inputs, **given, return_weights=True)
    expected, expected_weights = reference(block, inputs, **given)
    np.testing.assert_allclose(as_numpy(outputs), expected, atol=2e-5)
    np.testing.assert_allclose(as_numpy(weights), expected_weights, atol=1e-5)
    np.testing.assert_allclose(as_numpy(block(inputs, **given)), expected, atol=2e-5)


def test_a_block_of_bert_equals_the_reference(make, inputs, key_mask):
    block = make("post", activation="gelu", epsilon=1e-12)
    expected, _ = reference(block, inputs, key_mask, activation="gelu")
    outputs = as_numpy(block(inputs, key_mask=key_mask))
    np.testing.assert_allclose(outputs, expected, atol=2e-5)


@NORMS
def test_the_epsilon_of_the_norms_is_the_one_given(make, inputs, norm):
    block = make(norm, epsilon=0.5)
    np.testing.assert_allclose(
        as_numpy(block(inputs)), reference(block, inputs)[0], atol=2e-5
    )


@NORMS
def test_positions_never_reach_the_values(make, inputs, positions, norm):
    block = make(norm)
    moved = as_numpy(block(inputs, positions=positions))
    assert abs(moved - as_numpy(block(inputs))).max() > 1e-2
    # Where queries and keys are always the same, positions have nowhere to show.
    for dense in (block.attention.query_dense, block.attention.key_dense):
        dense.kernel.assign(np.zeros(dense.kernel.shape))
    moved = as_numpy(block(inputs, positions=positions))
    np.testing.assert_array_equal(moved, as_numpy(block(inputs)))


@NORMS
def test_one_table_of_positions_serves_the_whole_batch(make, inputs, positions, norm):
    block = make(norm)
    whole = np.broadcast_to(positions[:1], positions.shape)
    np.testing.assert_allclose(
        as_numpy(block(inputs, positions=positions[:1])),
        as_numpy(block(inputs, positions=whole)),
        atol=1e-6,
    )


@NORMS
def test_masked_keys_have_no_weight(make, inputs, key_mask, norm):
    _, weights = make(norm)(inputs, key_mask=key_mask, return_weights=True)
    weights = as_numpy(weights)
    assert (weights[0][..., ~key_mask[0]] == 0.0).all()
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)


@NORMS
def test_padding_changes_nothing(make, random, inputs, key_mask, norm):
    block = make(norm)
    more = random.normal(scale=9.0, size=(B, 2, E)).astype("float32")
    padded_mask = np.concatenate([key_mask, np.zeros((B, 2), bool)], axis=1)
    padded = block(np.concatenate([inputs, more], axis=1), key_mask=padded_mask)
    np.testing.assert_allclose(
        as_numpy(padded)[:, :L], as_numpy(block(inputs, key_mask=key_mask)), atol=1e-5
    )


@NORMS
def test_a_sequence_of_padding_alone_stays_finite(make, inputs, key_mask, norm):
    key_mask[1] = False
    assert np.isfinite(as_numpy(make(norm)(inputs, key_mask=key_mask))).all()


def test_dropout_is_on_what_a_part_returns_and_only_while_training(make, random):
    keras.utils.set_random_seed(5)
    block = make("pre", dropout=0.5)
    inputs = random.normal(size=(B, 61, E)).astype("float32")
    trained = as_numpy(block(inputs, training=True))
    # Both updates of a number are dropped in a quarter of the cases: only the residual
    # connection is left then.
    untouched = (trained == inputs).mean()
    assert untouched == pytest.approx(0.25, abs=0.04)
    assert (as_numpy(block(inputs)) != inputs).mean() > 0.99


@NORMS
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_symbolic_outputs_have_the_real_shapes_and_types(inputs, norm, policy):
    block = make_block(norm, dtype=policy)
    outputs, weights = block(keras.Input((None, E)), return_weights=True)
    assert outputs.shape == (None, None, E)
    assert weights.shape == (None, H, None, None)
    symbolic = block(keras.KerasTensor(inputs.shape), return_weights=True)
    real = block(inputs, return_weights=True)
    for expected, output in zip(symbolic, real, strict=True):
        assert expected.shape == tuple(output.shape)
        assert expected.dtype == keras.backend.standardize_dtype(output.dtype)
    assert block(keras.KerasTensor(inputs.shape)).shape == (B, L, E)


@NORMS
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_the_reference(
    make, inputs, key_mask, positions, norm, policy
):
    block = make(norm, dtype=policy)
    outputs = block(inputs, key_mask=key_mask, positions=positions)
    assert keras.backend.standardize_dtype(outputs.dtype) == block.compute_dtype
    expected, _ = reference(block, inputs, key_mask, positions)
    # bfloat16 has 8 bits of precision, and the outputs are as large as 9.
    np.testing.assert_allclose(as_numpy(outputs), expected, atol=0.3, rtol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "middle"}, r"norm must be one of.*norm=middle"),
        ({"dropout": 1.0}, r"below 1.*dropout=1\.0"),
        ({"dropout": -0.1}, r"below 1.*dropout=-0\.1"),
    ],
)
def test_options_out_of_range_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_block(**options)


@NORMS
def test_the_config_makes_the_same_block(make, inputs, key_mask, norm):
    block = make(norm, activation="gelu", dropout=0.25, epsilon=1e-3)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(block)))
    copy = keras.saving.deserialize_keras_object(config)
    assert json.dumps(copy.get_config()) == json.dumps(block.get_config())
    assert (copy.norm, copy.dropout, copy.epsilon) == (norm, 0.25, 1e-3)
    copy.set_weights(block.get_weights())
    np.testing.assert_array_equal(
        as_numpy(copy(inputs, key_mask=key_mask)),
        as_numpy(block(inputs, key_mask=key_mask)),
    )


def copy_dense(dense, linear):
    dense.kernel.assign(linear.weight.detach().numpy().T)
    dense.bias.assign(linear.bias.detach().numpy())


def copy_norm(norm, theirs):
    norm.gamma.assign(theirs.weight.detach().numpy())
    norm.beta.assign(theirs.bias.detach().numpy())


def copy_attention(attention, theirs):
    kernels = np.split(theirs.in_proj_weight.detach().numpy(), 3)
    biases = np.split(theirs.in_proj_bias.detach().numpy(), 3)
    dense = (attention.query_dense, attention.key_dense, attention.value_dense)
    for ours, kernel, bias in zip(dense, kernels, biases, strict=True):
        ours.kernel.assign(kernel.T)
        ours.bias.assign(bias)
    copy_dense(attention.output_dense, theirs.out_proj)


@NORMS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_outputs_equal_those_of_torch(random, key_mask, norm, activation):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    theirs = torch.nn.TransformerEncoderLayer(
        H * D,
        H,
        F,
        dropout=0.0,
        activation=activation,
        layer_norm_eps=1e-5,
        batch_first=True,
        norm_first=norm == "pre",
    )
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    block = make_block(norm, activation)
    block.build((None, None, H * D))
    copy_attention(block.attention, theirs.self_attn)
    copy_dense(block.feed_forward.hidden_dense, theirs.linear1)
    copy_dense(block.feed_forward.output_dense, theirs.linear2)
    copy_norm(block.attention_norm, theirs.norm1)
    copy_norm(block.feed_forward_norm, theirs.norm2)
    inputs = random.normal(size=(B, L, H * D)).astype("float32")
    with torch.no_grad():
        expected = theirs(
            torch.tensor(inputs), src_key_padding_mask=torch.tensor(~key_mask)
        )
    outputs = as_numpy(block(inputs, key_mask=key_mask))
    np.testing.assert_allclose(outputs, expected.numpy(), rtol=1e-5, atol=1e-5)
