import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import bahdanau, luong
from zoo.models import RNNSeq2Seq
from zoo.models.rnn_seq2seq import ATTENTIONS, CELLS
from zoo.weights import assign_arrays, model_arrays

# Sizes, all different: batch, source and target length, both vocabularies, embedding
# size, units.
B, S, T, V_SOURCE, V, E, H = 3, 7, 5, 13, 17, 11, 19
EVERY_ATTENTION = pytest.mark.parametrize("attention", ATTENTIONS)
EVERY_CELL = pytest.mark.parametrize("cell", CELLS)

# Every way of wiring: what a score or a window computes is tested at its layer.
MODELS = {
    "none": {"attention": "none"},
    "none, two lstm layers": {"attention": "none", "cell": "lstm", "num_layers": 2},
    "bahdanau": {},
    "normed_bahdanau, local_m, two lstm layers": {
        "attention": "normed_bahdanau",
        "window": "local_m",
        "window_width": 1,
        "cell": "lstm",
        "num_layers": 2,
    },
    "general, local_p, fed, two layers": {
        "attention": "general",
        "window": "local_p",
        "window_width": 2,
        "input_feeding": True,
        "num_layers": 2,
    },
    "dot, local_m, fed, lstm": {
        "attention": "dot",
        "window": "local_m",
        "window_width": 2,
        "input_feeding": True,
        "cell": "lstm",
    },
    "hard, one direction": {"attention": "hard", "bidirectional": False},
}
EVERY_MODEL = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)

SOURCE = np.array(
    [[4, 12, 9, 1, 2, 8, 3], [7, 5, 3, 0, 0, 0, 0], [6, 6, 11, 10, 3, 0, 0]]
)
TARGET = np.array([[2, 9, 16, 4, 1], [2, 7, 0, 0, 0], [2, 5, 13, 8, 0]])

# Every weight of the model with "gru" and "bahdanau", as saved files name them.
ADDRESSES = {
    "source_embedding/embeddings": (V_SOURCE, E),
    "target_embedding/embeddings": (V, E),
    "encoder/forward_gru/gru_cell/kernel": (E, 3 * H),
    "encoder/forward_gru/gru_cell/recurrent_kernel": (H, 3 * H),
    "encoder/forward_gru/gru_cell/bias": (2, 3 * H),
    "encoder/backward_gru/gru_cell/kernel": (E, 3 * H),
    "encoder/backward_gru/gru_cell/recurrent_kernel": (H, 3 * H),
    "encoder/backward_gru/gru_cell/bias": (2, 3 * H),
    "start_state_0/kernel": (2 * H, H),
    "start_state_0/bias": (H,),
    "decoder/attention/query/kernel": (H, H),
    "decoder/attention/key/kernel": (2 * H, H),
    "decoder/attention/score_vector": (H,),
    "decoder/cell/kernel": (E + 2 * H, 3 * H),
    "decoder/cell/recurrent_kernel": (H, 3 * H),
    "decoder/cell/bias": (2, 3 * H),
    "readout/kernel": (H + 2 * H + E, E),
    "readout/bias": (E,),
    "output_bias": (V,),
}

# The same of a stack of two with the decoder of Luong et al. and input feeding.
STACKED_OPTIONS = {
    "attention": "scaled_general",
    "window": "local_p",
    "input_feeding": True,
    "cell": "lstm",
    "num_layers": 2,
}
STACKED_ADDRESSES = {
    "source_embedding/embeddings": (V_SOURCE, E),
    "target_embedding/embeddings": (V, E),
    **{
        f"{layer}/{direction}_lstm/lstm_cell/{name}": shape
        for layer, size in (("encoder", E), ("encoder_1", 2 * H))
        for direction in ("forward", "backward")
        for name, shape in (
            ("kernel", (size, 4 * H)),
            ("recurrent_kernel", (H, 4 * H)),
            ("bias", (4 * H,)),
        )
    },
    **{
        f"decoder/cell/cell_{index}/{name}": shape
        for index, size in ((0, E + E), (1, H))
        for name, shape in (
            ("kernel", (size, 4 * H)),
            ("recurrent_kernel", (H, 4 * H)),
            ("bias", (4 * H,)),
        )
    },
    "decoder/attention/key/kernel": (2 * H, H),
    "decoder/attention/score_gain": (),
    "decoder/attention/window/hidden/kernel": (H, H),
    "decoder/attention/window/centre_vector": (H,),
    "decoder/attentional/kernel": (2 * H + H, E),
    **{f"start_state_{index}/kernel": (2 * H, H) for index in range(4)},
    **{f"start_state_{index}/bias": (H,) for index in range(4)},
    "output_bias": (V,),
}


def make_model(**options):
    sizes = {"embedding_size": E, "units": H, "dropout": 0.0}
    model = RNNSeq2Seq(V_SOURCE, V, **(sizes | options))
    model.build(None)
    return model


@pytest.fixture
def make(randomize):
    """A model whose every weight is random, biases and gains too."""

    def made(**options):
        return randomize(make_model(**options), scale=0.4)

    return made


def force(model, source=SOURCE, target=TARGET, **options):
    return [
        ops.convert_to_numpy(ops.cast(output, "float32"))
        for output in model.force(source, target, **options)
    ]


@EVERY_MODEL
def test_forced_steps_are_the_steps_of_a_decoder(make, options):
    model = make(**options)
    forced_logits, forced_weights = force(model)
    memory = model.encode(SOURCE)
    state = model.initial_state(memory)
    for t in range(T):
        logits, state, weights = model.step(TARGET[:, t], state, memory)
        assert tuple(logits.shape) == (B, V)
        np.testing.assert_allclose(logits, forced_logits[:, t], atol=1e-5)
        np.testing.assert_allclose(weights, forced_weights[:, t], atol=1e-5)


def test_logits_and_weights_equal_the_reference_sentence_by_sentence(make):
    """The reference is given sentences without padding, one at a time."""
    model = make()
    logits, weights = force(model)
    assert logits.shape == (B, T, V)
    assert weights.shape == (B, T, S)
    arrays = model_arrays(model)
    for b in range(B):
        source, target = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        expected, expected_weights = bahdanau.rnnsearch(source, target, arrays)
        np.testing.assert_allclose(logits[b, : len(target)], expected, atol=1e-4)
        np.testing.assert_allclose(
            weights[b, : len(target), : len(source)], expected_weights, atol=1e-5
        )
        assert (weights[b, :, len(source) :] == 0.0).all()


@pytest.mark.parametrize(
    ("attention", "window", "fed"),
    [
        ("general", "local_p", True),
        ("general", "global", False),
        ("concat", "local_m", True),
    ],
)
def test_the_decoder_of_luong_equals_the_reference_sentence_by_sentence(
    make, attention, window, fed
):
    model = make(attention=attention, window=window, window_width=2, input_feeding=fed)
    logits, weights = force(model)
    arrays = model_arrays(model)
    for b in range(B):
        source, target = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        expected, expected_weights = luong.luong_decoder(
            source, target, arrays, attention, window, 2, fed
        )
        np.testing.assert_allclose(logits[b, : len(target)], expected, atol=1e-4)
        np.testing.assert_allclose(
            weights[b, : len(target), : len(source)], expected_weights, atol=1e-5
        )
        assert (weights[b, :, len(source) :] == 0.0).all()


@EVERY_MODEL
def test_padding_source_and_target_further_changes_nothing(make, options):
    model = make(**options)
    logits, weights = force(model)
    padded_logits, padded_weights = force(
        model, np.pad(SOURCE, ((0, 0), (0, 4))), np.pad(TARGET, ((0, 0), (0, 6)))
    )
    np.testing.assert_allclose(padded_logits[:, :T], logits, atol=1e-5)
    if model.attention != "none":
        np.testing.assert_allclose(padded_weights[:, :T, :S], weights, atol=1e-5)
        assert (padded_weights[..., S:] == 0.0).all()


def test_a_sentence_does_not_depend_on_its_neighbours(make):
    model = make()
    logits, _ = force(model)
    for b in range(B):
        alone, _ = force(model, SOURCE[b : b + 1], TARGET[b : b + 1])
        np.testing.assert_allclose(alone[0], logits[b], atol=1e-5)


@EVERY_MODEL
def test_later_target_tokens_change_no_earlier_logits(make, options):
    model = make(**options)
    logits, _ = force(model)
    changed = 2
    target = TARGET.copy()
    target[:, changed:] = (target[:, changed:] + 3) % V
    other, _ = force(model, target=target)
    np.testing.assert_array_equal(other[:, :changed], logits[:, :changed])
    assert (other[:, changed:] != logits[:, changed:]).any(axis=-1).all()


@EVERY_CELL
def test_without_attention_a_source_of_any_length_is_one_vector(make, cell):
    model = make(attention="none", cell=cell)
    for length in (S, 23):
        source = np.resize(SOURCE, (B, length))
        memory = model.encode(source)
        assert {name: tuple(part.shape) for name, part in memory.items()} == {
            "values": (B, 1, 2 * H),
            "key_mask": (B, 1),
            "summary": (B, 2 * H),
        }
        np.testing.assert_array_equal(memory["values"][:, 0], memory["summary"])
        assert ops.convert_to_numpy(memory["key_mask"]).all()
        _, weights = force(model, source)
        np.testing.assert_array_equal(weights, np.ones((B, T, 1)))


def test_with_attention_memory_grows_with_the_source(make):
    memory = make().encode(SOURCE)
    assert {name: tuple(part.shape) for name, part in memory.items()} == {
        "values": (B, S, 2 * H),
        "keys": (B, S, H),
        "key_mask": (B, S),
        "summary": (B, 2 * H),
    }
    np.testing.assert_array_equal(memory["key_mask"], SOURCE > 0)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_values_have_the_size_that_a_score_needs(make, attention, bidirectional):
    """Scores that compare with the values themselves are given sums of directions."""
    model = make(attention=attention, bidirectional=bidirectional)
    values = model.encode(SOURCE)["values"]
    summed = attention in ("dot", "scaled_dot", "cosine")
    assert values.shape[-1] == (2 * H if bidirectional and not summed else H)


def test_summed_values_are_the_sum_of_both_directions(make):
    beside, summed = make(attention="general"), make(attention="dot")
    encoder = {
        name: array
        for name, array in model_arrays(beside).items()
        if name.startswith(("source_embedding/", "encoder/"))
    }
    assign_arrays(summed, model_arrays(summed) | encoder)
    both = ops.convert_to_numpy(beside.encode(SOURCE)["values"])
    values = ops.convert_to_numpy(summed.encode(SOURCE)["values"])
    np.testing.assert_allclose(values, both[..., :H] + both[..., H:], atol=1e-6)


@EVERY_CELL
def test_the_decoder_starts_from_both_directions(make, cell):
    """A token at either end of the source moves the start state."""
    model = make(cell=cell)
    state = model.initial_state(model.encode(SOURCE))
    for position in (0, -1):
        source = SOURCE.copy()
        source[0, position] = 5
        moved = model.initial_state(model.encode(source))
        for part, other in zip(state, moved, strict=True):
            difference = ops.convert_to_numpy(part - other)
            assert abs(difference[0]).max() > 1e-3
            assert (difference[1:] == 0.0).all()


@EVERY_MODEL
def test_a_row_of_nothing_but_padding_gives_finite_logits(make, options):
    model = make(**options)
    expected, _ = force(model)
    source, target = SOURCE.copy(), TARGET.copy()
    source[1], target[1] = 0, 0
    logits, weights = force(model, source, target)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits[[0, 2]], expected[[0, 2]], atol=1e-5)
    if model.attention != "none":
        assert (weights[1] == 0.0).all()


def test_call_gives_the_logits_of_forced_steps(make):
    model = make()
    logits = model({"source_ids": SOURCE, "target_ids": TARGET})
    np.testing.assert_array_equal(logits, force(model)[0])


def test_symbolic_logits_have_open_batch_and_lengths(make):
    ids = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    assert make()(ids).shape == (None, None, V)


def test_dropout_acts_only_while_training(make):
    model = make(dropout=0.5)
    still, _ = force(model)
    again, _ = force(model)
    trained, _ = force(model, training=True)
    np.testing.assert_array_equal(still, again)
    assert abs(trained - still).max() > 1e-2


def test_the_addresses_of_weights_are_those_of_saved_files():
    for _ in range(2):
        arrays = model_arrays(make_model())
        assert {name: array.shape for name, array in arrays.items()} == ADDRESSES


def test_the_addresses_of_a_stack_are_those_of_saved_files():
    arrays = model_arrays(make_model(**STACKED_OPTIONS))
    assert {name: array.shape for name, array in arrays.items()} == STACKED_ADDRESSES


OWN_WEIGHTS = {
    "bahdanau": ["query/kernel", "key/kernel", "score_vector"],
    "normed_bahdanau": [
        "query/kernel",
        "key/kernel",
        "score_vector",
        "score_gain",
        "score_bias",
    ],
    "general": ["key/kernel"],
    "hard": ["key/kernel"],
    "scaled_general": ["key/kernel", "score_gain"],
    "concat": ["query/kernel", "key/kernel", "score_vector"],
    "location": ["location/kernel"],
    "cosine": ["score_gain"],
}


@EVERY_ATTENTION
@EVERY_CELL
def test_other_choices_change_only_the_addresses_they_must(attention, cell):
    expected = {name for name in ADDRESSES if "attention" not in name}
    expected |= {f"decoder/attention/{name}" for name in OWN_WEIGHTS.get(attention, [])}
    if attention not in ("none", "bahdanau", "normed_bahdanau"):
        # The attentional vector is the read-out.
        expected -= {"readout/kernel", "readout/bias"}
        expected |= {"decoder/attentional/kernel"}
    if cell == "lstm":
        expected = {name.replace("gru", "lstm") for name in expected}
        expected |= {"start_state_1/kernel", "start_state_1/bias"}
    model = make_model(attention=attention, cell=cell)
    assert set(model_arrays(model)) == expected
    assert len(model.weights) == len(expected)


@pytest.mark.parametrize("attention", ["general", "bahdanau"])
def test_one_direction_has_shorter_addresses_and_values(attention):
    arrays = model_arrays(
        make_model(attention=attention, bidirectional=False, num_layers=2)
    )
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes["encoder/gru_cell/kernel"] == (E, 3 * H)
    assert shapes["encoder_1/gru_cell/kernel"] == (H, 3 * H)
    assert shapes["decoder/attention/key/kernel"] == (H, H)
    assert shapes["start_state_1/kernel"] == (H, H)
    assert not any("backward" in name for name in shapes)


@EVERY_ATTENTION
def test_every_weight_has_a_gradient(make, attention):
    import tensorflow as tf

    window = "global" if attention == "none" else "local_p"
    model = make(attention=attention, window=window, num_layers=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model.force(SOURCE, TARGET)[0]))
    sources = {weight.path: weight.value for weight in model.trainable_weights}
    for path, gradient in tape.gradient(loss, sources).items():
        assert gradient is not None, path
        numbers = ops.convert_to_numpy(tf.convert_to_tensor(gradient))
        assert np.isfinite(numbers).all(), path
        assert abs(numbers).max() > 1e-6, path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"attention": "luong"},
            r"none, bahdanau, normed_bahdanau, dot, .*, cosine, hard.*'luong'",
        ),
        ({"window": "local"}, r"global, local_m, local_p.*'local'"),
        ({"cell": "rnn"}, r"gru, lstm.*'rnn'"),
        ({"num_layers": 0}, r"at least 1.*0"),
        (
            {"attention": "none", "window": "local_m"},
            r"nothing to look at.*window='local_m'.*window='global'",
        ),
        (
            {"attention": "none", "input_feeding": True},
            r"decoder of Luong.*attention='none'.*dot, .*hard",
        ),
        ({"input_feeding": True}, r"decoder of Luong.*attention='bahdanau'"),
        (
            {"attention": "normed_bahdanau", "input_feeding": True},
            r"decoder of Luong.*attention='normed_bahdanau'",
        ),
    ],
)
def test_choices_that_are_unknown_or_do_not_go_together_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_model(**options)


@EVERY_MODEL
def test_the_config_makes_the_same_model(make, options):
    model = make(**options, name="reader")
    config = json.loads(json.dumps(model.get_config()))
    copy = RNNSeq2Seq.from_config(config)
    assert copy.get_config() == model.get_config()
    copy.build(None)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(force(copy)[0], force(model)[0])


# Keras copies TensorFlow variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_answers_the_same(make, tmp_path):
    model = make(**MODELS["general, local_p, fed, two layers"])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(force(copy)[0], force(model)[0])


@pytest.fixture
def policy(request):
    outer = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(outer)


@EVERY_CELL
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_mixed_precision_is_near_full_precision(make, policy, cell):
    model = make(dropout=0.2, cell=cell)
    full = make_model(cell=cell, dtype="float32")
    full.set_weights(model.get_weights())
    memory = model.encode(SOURCE)
    logits, _, _ = model.step(TARGET[:, 0], model.initial_state(memory), memory)
    assert keras.backend.standardize_dtype(logits.dtype) == model.compute_dtype
    assert model.compute_dtype != "float32"
    np.testing.assert_allclose(force(model)[0], force(full)[0], atol=0.3)
    for output in force(model, training=True):
        assert np.isfinite(output).all()


def test_a_model_may_have_its_own_precision(make):
    model = make(dropout=0.2, dtype="mixed_bfloat16")
    for training in (False, True):
        for output in model.force(SOURCE, TARGET, training=training):
            assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
