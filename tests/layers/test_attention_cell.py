import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import bahdanau, luong
from zoo.layers import AttentionCell, BahdanauAttention

# Sizes, all different: batch, keys, input size, value size, units of the cell and of
# the attention.
B, K, E, D, H, U = 2, 3, 5, 7, 11, 13
CELLS = {"gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}
EVERY_CELL = pytest.mark.parametrize("kind", CELLS)


@pytest.fixture
def make(randomize):
    """A built cell whose every weight is random."""

    def made(kind, attention=True):
        attention = BahdanauAttention(U, name="attention") if attention else None
        layer = AttentionCell(CELLS[kind](H, name="cell"), attention)
        layer.build((None, E), {"values": (None, None, D)})
        return randomize(layer)

    return made


@pytest.fixture
def values(random):
    return random.normal(size=(B, K, D)).astype("float32")


@pytest.fixture
def inputs(random):
    return random.normal(size=(B, E)).astype("float32")


@pytest.fixture
def key_mask():
    return np.array([[True, False, True], [True, True, True]])


def make_state(layer, random):
    return tuple(
        random.normal(size=(B, H)).astype("float32") for _ in range(layer.num_states)
    )


def numbers_of(layer):
    return {
        weight.path.split("/", 1)[1]: np.asarray(weight, "float64")
        for weight in layer.weights
    }


def reference_cell(numbers, x, state):
    """The new state of one example."""
    cell = [numbers[f"cell/{name}"] for name in ("kernel", "recurrent_kernel", "bias")]
    if len(state) == 1:
        return [bahdanau.gru_step(x, *state, *cell)]
    return list(bahdanau.lstm_step(x, *state, *cell))


@EVERY_CELL
def test_one_step_equals_the_reference(make, random, inputs, values, key_mask, kind):
    layer = make(kind)
    state = make_state(layer, random)
    hidden, context, weights, new_state = layer(
        inputs, state, layer.memory(values, key_mask)
    )
    numbers = numbers_of(layer)
    for b in range(B):
        expected_context, expected_weights = bahdanau.attend(
            state[0][b],
            values[b],
            key_mask[b],
            numbers["attention/query/kernel"],
            numbers["attention/key/kernel"],
            numbers["attention/score_vector"],
        )
        expected_state = reference_cell(
            numbers,
            np.concatenate([inputs[b], expected_context]),
            [part[b] for part in state],
        )
        np.testing.assert_allclose(context[b], expected_context, atol=1e-5)
        np.testing.assert_allclose(weights[b], expected_weights, atol=1e-5)
        np.testing.assert_allclose(hidden[b], expected_state[0], atol=1e-5)
        for part, expected in zip(new_state, expected_state, strict=True):
            np.testing.assert_allclose(part[b], expected, atol=1e-5)


@EVERY_CELL
def test_without_attention_the_context_is_the_first_value(
    make, random, inputs, values, kind
):
    layer = make(kind, attention=False)
    state = make_state(layer, random)
    hidden, context, _, new_state = layer(inputs, state, layer.memory(values))
    numbers = numbers_of(layer)
    np.testing.assert_array_equal(context, values[:, 0])
    for b in range(B):
        expected_state = reference_cell(
            numbers,
            np.concatenate([inputs[b], values[b, 0]]),
            [part[b] for part in state],
        )
        np.testing.assert_allclose(hidden[b], expected_state[0], atol=1e-5)
        for part, expected in zip(new_state, expected_state, strict=True):
            np.testing.assert_allclose(part[b], expected, atol=1e-5)


def test_without_attention_a_single_value_has_weight_one(make, random, inputs, values):
    layer = make("gru", attention=False)
    memory = layer.memory(values[:, :1])
    _, _, weights, _ = layer(inputs, make_state(layer, random), memory)
    assert ops.convert_to_numpy(weights).tolist() == [[1.0]] * B


@pytest.mark.parametrize(("kind", "count"), [("gru", 1), ("lstm", 2)])
def test_a_gru_has_one_state_and_an_lstm_two(make, random, inputs, values, kind, count):
    layer = make(kind)
    assert layer.num_states == count
    state = make_state(layer, random)
    *_, new_state = layer(inputs, state, layer.memory(values))
    assert isinstance(new_state, tuple)
    assert [tuple(part.shape) for part in new_state] == [(B, H)] * count


def test_memory_holds_what_does_not_change_within_a_sentence(make, values, key_mask):
    layer = make("gru")
    memory = layer.memory(values, key_mask)
    assert {name: tuple(part.shape) for name, part in memory.items()} == {
        "values": (B, K, D),
        "key_mask": (B, K),
        "keys": (B, K, U),
    }
    np.testing.assert_array_equal(memory["key_mask"], key_mask)
    np.testing.assert_array_equal(memory["keys"], layer.attention.project_keys(values))
    assert "keys" not in make("gru", attention=False).memory(values)


def test_memory_without_a_mask_shows_every_key(make, values):
    assert ops.convert_to_numpy(make("gru").memory(values)["key_mask"]).all()


@EVERY_CELL
def test_nothing_is_remembered_between_calls(make, random, inputs, values, kind):
    layer = make(kind)
    state = make_state(layer, random)
    first = layer(inputs, state, layer.memory(values))
    layer(-inputs, make_state(layer, random), layer.memory(-values))
    again = layer(inputs, state, layer.memory(values))
    for one, other in zip(first[:3], again[:3], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_cell_builds_itself_at_its_first_call(random, inputs, values, key_mask):
    layer = AttentionCell(keras.layers.GRUCell(H), BahdanauAttention(U))
    memory = layer.memory(values, key_mask)
    hidden, context, weights, _ = layer(inputs, make_state(layer, random), memory)
    assert tuple(hidden.shape) == (B, H)
    assert tuple(context.shape) == (B, D)
    assert tuple(weights.shape) == (B, K)


def test_symbolic_outputs_have_the_real_shapes(make, key_mask):
    layer = make("lstm")
    state = (keras.Input((H,)), keras.Input((H,)))
    hidden, context, weights, new_state = layer(
        keras.Input((E,)), state, layer.memory(keras.Input((K, D)))
    )
    assert hidden.shape == (None, H)
    assert context.shape == (None, D)
    assert weights.shape == (None, K)
    assert [part.shape for part in new_state] == [(None, H)] * 2


@EVERY_CELL
@pytest.mark.parametrize("attention", [True, False])
def test_the_config_makes_the_same_cell(
    make, random, inputs, values, key_mask, kind, attention
):
    layer = make(kind, attention)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert json.dumps(copy.get_config()) == json.dumps(layer.get_config())
    copy.set_weights(layer.get_weights())
    state = make_state(layer, random)
    ours = layer(inputs, state, layer.memory(values, key_mask))
    theirs = copy(inputs, state, copy.memory(values, key_mask))
    for one, other in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def make_stack(randomize):
    """A built cell of two recurrent layers, of two sizes."""

    def made(kind, window="global"):
        cells = [CELLS[kind](size, name=f"cell_{size}") for size in (H, H + 6)]
        stack = keras.layers.StackedRNNCells(cells, name="cell")
        attention = BahdanauAttention(
            U, window=window, window_width=1, name="attention"
        )
        layer = AttentionCell(stack, attention)
        layer.build((None, E), {"values": (None, None, D)})
        return randomize(layer)

    return made


def start_states(layer, random):
    return [
        random.normal(size=(B, size)).astype("float32") for size in layer.state_sizes
    ]


@EVERY_CELL
def test_a_stack_attends_with_its_highest_state_and_feeds_its_lowest_cell(
    make_stack, random, inputs, values, key_mask, kind
):
    layer = make_stack(kind)
    count = {"gru": 1, "lstm": 2}[kind]
    assert layer.state_sizes == [H] * count + [H + 6] * count
    assert layer.num_states == 2 * count
    assert layer.hidden_size == layer.output_size == H + 6
    states = start_states(layer, random)
    hidden, context, weights, new_state = layer(
        inputs, layer.start(states), layer.memory(values, key_mask)
    )
    numbers = numbers_of(layer)
    for b in range(B):
        expected_context, expected_weights = bahdanau.attend(
            states[count][b],
            values[b],
            key_mask[b],
            numbers["attention/query/kernel"],
            numbers["attention/key/kernel"],
            numbers["attention/score_vector"],
        )
        expected_hidden, expected_state = luong.stack_step(
            np.concatenate([inputs[b], expected_context]),
            [part[b] for part in states],
            numbers,
            [f"cell/cell_{H}", f"cell/cell_{H + 6}"],
            [count] * 2,
        )
        np.testing.assert_allclose(context[b], expected_context, atol=1e-5)
        np.testing.assert_allclose(weights[b], expected_weights, atol=1e-5)
        np.testing.assert_allclose(hidden[b], expected_hidden, atol=1e-5)
        for part, expected in zip(new_state, expected_state, strict=True):
            np.testing.assert_allclose(part[b], expected, atol=1e-5)


@EVERY_CELL
def test_a_monotonic_window_moves_one_key_a_step(make_stack, random, inputs, kind):
    """Also where sentences are shorter than the target."""
    layer = make_stack(kind, window="local_m")
    values = random.normal(size=(B, 7, D)).astype("float32")
    key_mask = np.arange(7) < np.array([[7], [3]])
    memory = layer.memory(values, key_mask)
    state = layer.start(start_states(layer, random))
    assert len(state) == layer.num_states + 1
    for t in range(6):
        assert ops.convert_to_numpy(state[-1]).tolist() == [t] * B
        _, _, weights, state = layer(inputs, state, memory)
        weights = ops.convert_to_numpy(weights)
        for b, length in enumerate((7, 3)):
            centre = min(t, length - 1)
            seen = [k for k in range(length) if abs(k - centre) <= 1]
            assert np.flatnonzero(weights[b]).tolist() == seen


@pytest.mark.parametrize("window", ["global", "local_p"])
def test_only_a_monotonic_window_counts_steps(make_stack, random, window):
    layer = make_stack("gru", window)
    assert len(layer.start(start_states(layer, random))) == layer.num_states
