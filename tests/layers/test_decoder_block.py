import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.test_encoder_block import copy_attention, copy_dense, copy_norm
from tests.references import transformer
from zoo.layers import (
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    MultiHeadAttention,
    PositionEmbedding,
    RotaryPositions,
    SinePositions,
)

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes, all different: batch, length, keys, heads, head size, size, memory size,
# hidden size.
B, Q, K, H, D, E, M, F = 2, 3, 5, 7, 11, 13, 17, 19
NORMS = pytest.mark.parametrize("norm", ["pre", "post"])
POLICIES = pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])


def make_block(norm="post", causal=True, dropout=0.0, epsilon=1e-5, **options):
    """`key_value_heads` and `dtype` are the other options."""
    attention = {"num_key_value_heads": options.pop("key_value_heads", None), **options}
    return DecoderBlock(
        MultiHeadAttention(H, H * D, causal=causal, name="self_attention", **attention),
        MultiHeadAttention(H, H * D, name="cross_attention", **attention),
        FeedForward(F, name="feed_forward", **options),
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
        block.build((None, None, E), (None, None, M))
        return randomize(block, scale=0.5)

    return made


@pytest.fixture
def inputs(random):
    return random.normal(size=(B, Q, E)).astype("float32")


@pytest.fixture
def memory(random):
    return random.normal(size=(B, K, M)).astype("float32")


@pytest.fixture
def positions(random):
    return random.normal(size=(B, Q, E)).astype("float32")


@pytest.fixture
def memory_positions(random):
    return random.normal(size=(B, K, M)).astype("float32")


@pytest.fixture
def key_mask():
    return np.array([[True, True, False], [True] * Q])


@pytest.fixture
def memory_mask():
    return np.array([[True] * K, [True, False, True, True, False]])


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def numbers_of(layer):
    """Weights by their path below the layer, in float64."""
    return {
        weight.path.split("/", 1)[1]: as_numpy(weight).astype("float64")
        for weight in layer.weights
    }


def reference(block, inputs, memory, **given):
    """Outputs and both weights of a whole batch, by the loops of the reference."""
    defaults = {
        "key_mask": np.ones(inputs.shape[:2], bool),
        "memory_mask": np.ones(memory.shape[:2], bool),
        "positions": np.zeros(inputs.shape),
        "memory_positions": np.zeros(memory.shape),
    }
    rows = [
        transformer.decoder_block(
            *parts,
            numbers_of(block),
            H,
            block.self_attention.causal,
            norm=block.norm,
            epsilon=block.epsilon,
            activation=transformer.relu,
        )
        for parts in zip(inputs, memory, *(defaults | given).values(), strict=True)
    ]
    return [np.stack(part) for part in zip(*rows, strict=True)]


def test_the_addresses_of_the_weights(make):
    parts = ("self_attention", "cross_attention", "feed_forward")
    expected = {*parts, *(f"{part}_norm" for part in parts)}
    assert {address.split("/")[0] for address in numbers_of(make())} == expected


@NORMS
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_outputs_and_weights_equal_the_reference(
    make,
    inputs,
    memory,
    key_mask,
    memory_mask,
    positions,
    memory_positions,
    norm,
    causal,
    masked,
    moved,
):
    block = make(norm, causal=causal)
    given = {}
    if masked:
        given |= {"key_mask": key_mask, "memory_mask": memory_mask}
    if moved:
        given |= {"positions": positions, "memory_positions": memory_positions}
    outputs, weights = block(inputs, memory, **given, return_weights=True)
    expected, *expected_weights = reference(block, inputs, memory, **given)
    np.testing.assert_allclose(as_numpy(outputs), expected, atol=3e-5)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(as_numpy(ours), theirs, atol=1e-5)
    outputs = as_numpy(block(inputs, memory, **given))
    np.testing.assert_allclose(outputs, expected, atol=3e-5)


@NORMS
def test_object_queries_work_from_a_stream_of_zeros(
    make, memory, memory_mask, positions, memory_positions, norm
):
    block = make(norm, causal=False)
    given = {
        "memory_mask": memory_mask,
        "positions": np.broadcast_to(positions[:1], positions.shape),
        "memory_positions": memory_positions,
    }
    stream = np.zeros((B, Q, E), "float32")
    expected, *_ = reference(block, stream, memory, **given)
    given["positions"] = positions[:1]
    outputs = as_numpy(block(stream, memory, **given))
    np.testing.assert_allclose(outputs, expected, atol=3e-5)


@NORMS
def test_positions_never_reach_the_values(
    make, inputs, memory, positions, memory_positions, norm
):
    block = make(norm)
    still = as_numpy(block(inputs, memory))
    for moved in ({"positions": positions}, {"memory_positions": memory_positions}):
        assert abs(as_numpy(block(inputs, memory, **moved)) - still).max() > 1e-2
    # Where queries and keys are always the same, positions have nowhere to show.
    for attention in (block.self_attention, block.cross_attention):
        for dense in (attention.query_dense, attention.key_dense):
            dense.kernel.assign(np.zeros(dense.kernel.shape))
    still = as_numpy(block(inputs, memory))
    for moved in ({"positions": positions}, {"memory_positions": memory_positions}):
        outputs = as_numpy(block(inputs, memory, **moved))
        np.testing.assert_array_equal(outputs, still)


@NORMS
def test_a_later_token_changes_no_earlier_output_by_a_bit(make, inputs, memory, norm):
    block = make(norm)
    changed = inputs.copy()
    changed[:, -1] += 5.0
    before, after = (as_numpy(block(x, memory)) for x in (inputs, changed))
    np.testing.assert_array_equal(after[:, :-1], before[:, :-1])
    assert abs(after[:, -1] - before[:, -1]).max() > 0.1
    seen = as_numpy(make(norm, causal=False)(changed, memory))
    assert abs(seen[:, :-1] - before[:, :-1]).max() > 0.1


@NORMS
def test_masked_keys_have_no_weight(make, inputs, memory, key_mask, memory_mask, norm):
    _, (own, cross) = make(norm, causal=False)(
        inputs, memory, key_mask, memory_mask, return_weights=True
    )
    for weights, mask in ((own, key_mask), (cross, memory_mask)):
        weights = as_numpy(weights)
        for b in range(B):
            assert (weights[b][..., ~mask[b]] == 0.0).all()
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)


@NORMS
def test_padding_changes_nothing(
    make, random, inputs, memory, key_mask, memory_mask, norm
):
    block = make(norm, causal=False)

    def padded(array):
        shape = (B, 2, array.shape[-1])
        more = random.normal(scale=9.0, size=shape).astype("float32")
        return np.concatenate([array, more], axis=1)

    def masked(mask):
        return np.concatenate([mask, np.zeros((B, 2), bool)], axis=1)

    outputs = block(
        padded(inputs), padded(memory), masked(key_mask), masked(memory_mask)
    )
    expected = block(inputs, memory, key_mask, memory_mask)
    np.testing.assert_allclose(as_numpy(outputs)[:, :Q], as_numpy(expected), atol=1e-5)


@NORMS
def test_a_memory_of_padding_alone_stays_finite(make, inputs, memory, norm):
    outputs = make(norm)(inputs, memory, memory_mask=np.zeros((B, K), bool))
    assert np.isfinite(as_numpy(outputs)).all()


def decode(block, inputs, memory, sizes, memory_positions=None, **given):
    """Runs a block along `inputs` in steps of the given sizes."""
    cache = block.start(memory, memory_positions)
    positions = given.pop("positions", None)
    outputs, weights, at = [], [], 0
    for size in sizes:
        part = slice(at, at + size)
        given_now = {} if positions is None else {"positions": positions[:, part]}
        output, weight, cache = block.advance(
            inputs[:, part], cache, **given, **given_now
        )
        outputs.append(as_numpy(output))
        weights.append(as_numpy(weight))
        at += size
    return np.concatenate(outputs, axis=1), np.concatenate(weights, axis=2), cache


@NORMS
@pytest.mark.parametrize("key_value_heads", [None, 1])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1), (3,)])
def test_decoding_step_by_step_equals_the_whole(
    make, inputs, memory, memory_mask, norm, key_value_heads, sizes
):
    block = make(norm, key_value_heads=key_value_heads)
    outputs, weights, _ = decode(block, inputs, memory, sizes, memory_mask=memory_mask)
    expected, (_, expected_weights) = block(
        inputs, memory, memory_mask=memory_mask, return_weights=True
    )
    np.testing.assert_allclose(outputs, as_numpy(expected), atol=1e-5)
    np.testing.assert_allclose(weights, as_numpy(expected_weights), atol=1e-6)


@NORMS
def test_decoding_with_positions_equals_the_whole(
    make, inputs, memory, memory_mask, positions, memory_positions, norm
):
    block = make(norm)
    given = {
        "memory_mask": memory_mask,
        "positions": positions,
        "memory_positions": memory_positions,
    }
    outputs, _, _ = decode(block, inputs, memory, (1, 2), **given)
    expected = as_numpy(block(inputs, memory, **given))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_decoding_with_rotary_positions_equals_the_whole(
    randomize, inputs, memory, memory_mask
):
    """The positions of the queries and keys of the self-attention go on, too."""
    rotary = MultiHeadAttention(
        H, H * 2 * D, causal=True, positions=RotaryPositions(), name="self_attention"
    )
    block = make_block()
    block = DecoderBlock(rotary, block.cross_attention, block.feed_forward)
    block.build((None, None, E), (None, None, M))
    randomize(block, scale=0.5)
    outputs, _, _ = decode(block, inputs, memory, (2, 1), memory_mask=memory_mask)
    expected = as_numpy(block(inputs, memory, memory_mask=memory_mask))
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


@POLICIES
def test_the_cache_grows_and_the_memory_in_it_is_made_once(
    make, inputs, memory, policy
):
    block = make(dtype=policy)
    start = block.start(memory)
    grown = start
    for step in range(Q):
        _, _, longer = block.advance(inputs[:, step : step + 1], grown)
        assert longer["memory"] is start["memory"]
        for name, part in longer["self"].items():
            # What was there stays there.
            np.testing.assert_array_equal(
                as_numpy(part)[:, :, :step], as_numpy(grown["self"][name])
            )
        grown = longer
    for cache, length in ((start, 0), (grown, Q)):
        for name, part in cache["self"].items():
            assert tuple(part.shape) == (B, H, length, D), name
            dtype = keras.backend.standardize_dtype(part.dtype)
            assert dtype == block.compute_dtype
        assert {tuple(part.shape) for part in cache["memory"].values()} == {
            (B, H, K, D)
        }


def test_nothing_is_remembered_between_steps(make, inputs, memory):
    block = make()
    _, _, cache = block.advance(inputs[:, :1], block.start(memory))
    first, _, _ = block.advance(inputs[:, 1:2], cache)
    block.advance(-inputs, block.start(-memory))
    again, _, _ = block.advance(inputs[:, 1:2], cache)
    np.testing.assert_array_equal(as_numpy(first), as_numpy(again))


def test_rows_of_a_cache_can_be_chosen_as_beam_search_does(make, inputs, memory):
    block = make()
    rows = np.array([1, 1, 0])
    _, _, cache = block.advance(inputs[:, :2], block.start(memory))
    cache = keras.tree.map_structure(lambda part: ops.take(part, rows, axis=0), cache)
    output, _, _ = block.advance(inputs[rows, 2:], cache)
    expected = block(inputs[rows], memory[rows])
    np.testing.assert_allclose(
        as_numpy(output)[:, 0], as_numpy(expected)[:, -1], atol=1e-5
    )


@POLICIES
def test_decoding_in_a_graph_loop_equals_the_whole(
    make, inputs, memory, memory_mask, policy
):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("The loop is TensorFlow's.")
    block = make("pre", dtype=policy)
    invariant = tf.TensorShape([None, H, None, D])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, E]),
            tf.TensorSpec([None, None, M]),
            tf.TensorSpec([None, None], tf.bool),
        ]
    )
    def decoded(inputs, memory, memory_mask):
        cache = block.start(memory)
        steps = tf.shape(inputs)[1]

        def step(t, cache, outputs):
            output, _, cache = block.advance(inputs[:, t : t + 1], cache, memory_mask)
            return t + 1, cache, tf.concat([outputs, output], axis=1)

        empty = tf.zeros([tf.shape(inputs)[0], 0, E], block.compute_dtype)
        return tf.while_loop(
            lambda t, *_: t < steps,
            step,
            (tf.constant(0), cache, empty),
            shape_invariants=(
                tf.TensorShape([]),
                tf.nest.map_structure(lambda _: invariant, cache),
                tf.TensorShape([None, None, E]),
            ),
        )[2]

    expected = as_numpy(block(inputs, memory, memory_mask=memory_mask))
    outputs = as_numpy(decoded(inputs, memory, memory_mask))
    # In bfloat16 the sums of a longer cache come in another order.
    tolerance = 1e-5 if policy == "float32" else 0.2
    np.testing.assert_allclose(outputs, expected, atol=tolerance)


def test_decoding_needs_a_causal_block(make, memory):
    with pytest.raises(ValueError, match=r"causal=False.*causal=True"):
        make(causal=False).start(memory)


def test_decoding_needs_a_built_block(memory):
    with pytest.raises(ValueError, match=r"not built.*Call it once"):
        make_block().start(memory)


def test_dropout_is_on_what_a_part_returns_and_only_while_training(make, random):
    keras.utils.set_random_seed(5)
    block = make("pre", dropout=0.5)
    inputs = random.normal(size=(B, 61, E)).astype("float32")
    memory = random.normal(size=(B, K, M)).astype("float32")
    trained = as_numpy(block(inputs, memory, training=True))
    # All three updates of a number are dropped in an eighth of the cases.
    untouched = (trained == inputs).mean()
    assert untouched == pytest.approx(1 / 8, abs=0.03)
    assert (as_numpy(block(inputs, memory)) != inputs).mean() > 0.99


@NORMS
@POLICIES
def test_symbolic_outputs_have_the_real_shapes_and_types(inputs, memory, norm, policy):
    block = make_block(norm, dtype=policy)
    outputs, (own, cross) = block(
        keras.Input((None, E)), keras.Input((K, M)), return_weights=True
    )
    assert outputs.shape == (None, None, E)
    assert own.shape == (None, H, None, None)
    assert cross.shape == (None, H, None, K)
    asked = (keras.KerasTensor(inputs.shape), keras.KerasTensor(memory.shape))
    assert block(*asked).shape == (B, Q, E)
    symbolic = keras.tree.flatten(block(*asked, return_weights=True))
    real = keras.tree.flatten(block(inputs, memory, return_weights=True))
    for expected, output in zip(symbolic, real, strict=True):
        assert expected.shape == tuple(output.shape)
        assert expected.dtype == keras.backend.standardize_dtype(output.dtype)


@NORMS
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_the_reference(
    make, inputs, memory, memory_mask, norm, policy
):
    block = make(norm, dtype=policy)
    outputs = block(inputs, memory, memory_mask=memory_mask)
    assert keras.backend.standardize_dtype(outputs.dtype) == block.compute_dtype
    expected, *_ = reference(block, inputs, memory, memory_mask=memory_mask)
    # bfloat16 has 8 bits of precision, and the outputs are as large as 9.
    np.testing.assert_allclose(as_numpy(outputs), expected, atol=0.3, rtol=0.05)


def test_options_out_of_range_are_an_error():
    with pytest.raises(ValueError, match=r"norm must be one of.*norm=middle"):
        make_block("middle")
    with pytest.raises(ValueError, match=r"below 1.*dropout=1\.0"):
        make_block(dropout=1.0)


@NORMS
def test_the_config_makes_the_same_block(make, inputs, memory, memory_mask, norm):
    block = make(norm, dropout=0.25, epsilon=1e-3)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(block)))
    copy = keras.saving.deserialize_keras_object(config)
    assert json.dumps(copy.get_config()) == json.dumps(block.get_config())
    assert (copy.norm, copy.dropout, copy.epsilon) == (norm, 0.25, 1e-3)
    copy.set_weights(block.get_weights())
    ours, _, _ = decode(block, inputs, memory, (1, 2), memory_mask=memory_mask)
    theirs, _, _ = decode(copy, inputs, memory, (1, 2), memory_mask=memory_mask)
    np.testing.assert_array_equal(ours, theirs)


LOAD_AND_ASK = """
import sys
import keras, numpy as np
import zoo.layers
model = keras.models.load_model(sys.argv[1] + "/model.keras")
asked = np.load(sys.argv[1] + "/asked.npz")
answer = model([asked["inputs"], asked["memory"], asked["memory_mask"]])
np.save(sys.argv[1] + "/answer.npy", keras.ops.convert_to_numpy(answer))
"""


def test_a_saved_model_answers_the_same_in_another_process(
    make, random, memory, memory_mask, tmp_path
):
    """A Transformer in small: the decoder's memory is what an encoder made."""
    size = 2 * E
    inputs = random.normal(size=(B, Q, size)).astype("float32")
    asked = [
        keras.Input((None, size)),
        keras.Input((None, M)),
        keras.Input((None,), dtype="bool"),
    ]
    encoder = EncoderBlock(
        MultiHeadAttention(H, H * D, name="attention"),
        FeedForward(F, name="feed_forward"),
        name="encoder",
    )
    words = asked[0] + SinePositions(name="positions")(asked[0])
    places = PositionEmbedding(23, M, name="places")(asked[1])
    seen = encoder(asked[1], key_mask=asked[2], positions=places)
    model = keras.Model(asked, make_block()(words, seen, memory_mask=asked[2]))
    model.save(tmp_path / "model.keras")
    given = {"inputs": inputs, "memory": memory, "memory_mask": memory_mask}
    np.savez(tmp_path / "asked.npz", **given)
    subprocess.run([sys.executable, "-c", LOAD_AND_ASK, tmp_path], check=True)
    answer = np.load(tmp_path / "answer.npy")
    np.testing.assert_allclose(answer, as_numpy(model([*given.values()])), atol=1e-6)


@NORMS
def test_outputs_equal_those_of_torch(random, key_mask, memory_mask, norm):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    size = H * D
    theirs = torch.nn.TransformerDecoderLayer(
        size, H, F, 0.0, layer_norm_eps=1e-5, batch_first=True, norm_first=norm == "pre"
    )
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    block = make_block(norm)
    block.build((None, None, size), (None, None, size))
    copy_attention(block.self_attention, theirs.self_attn)
    copy_attention(block.cross_attention, theirs.multihead_attn)
    copy_dense(block.feed_forward.hidden_dense, theirs.linear1)
    copy_dense(block.feed_forward.output_dense, theirs.linear2)
    copy_norm(block.self_attention_norm, theirs.norm1)
    copy_norm(block.cross_attention_norm, theirs.norm2)
    copy_norm(block.feed_forward_norm, theirs.norm3)
    inputs = random.normal(size=(B, Q, size)).astype("float32")
    memory = random.normal(size=(B, K, size)).astype("float32")
    with torch.no_grad():
        expected = theirs(
            torch.tensor(inputs),
            torch.tensor(memory),
            tgt_mask=torch.triu(torch.ones(Q, Q, dtype=torch.bool), 1),
            tgt_key_padding_mask=torch.tensor(~key_mask),
            memory_key_padding_mask=torch.tensor(~memory_mask),
        )
    outputs = as_numpy(block(inputs, memory, key_mask, memory_mask))
    np.testing.assert_allclose(outputs, expected.numpy(), rtol=1e-5, atol=1e-5)
