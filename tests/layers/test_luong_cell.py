import keras
import numpy as np
import pytest
from keras import ops

from tests.references import luong
from zoo.layers import LuongAttention, LuongCell

# Sizes, all different: batch, keys, input size, value size, units of the cell,
# attentional size, steps.
B, K, E, D, H, A, T = 2, 11, 5, 7, 13, 17, 3
WIDTH = 1
CELLS = {"gru": (keras.layers.GRUCell, 1), "lstm": (keras.layers.LSTMCell, 2)}
EVERY_CELL = pytest.mark.parametrize("kind", CELLS)
EVERY_DEPTH = pytest.mark.parametrize("layers", [1, 2])


@pytest.fixture
def make(randomize):
    """A built cell whose every weight is random."""

    def made(kind="gru", layers=1, fed=True, window="global", **options):
        cells = [CELLS[kind][0](H, name=f"cell_{i}") for i in range(layers)]
        cell = cells[0]
        if layers > 1:
            cell = keras.layers.StackedRNNCells(cells, name="cell")
        attention = LuongAttention(window=window, window_width=WIDTH, name="attention")
        layer = LuongCell(cell, attention, A, input_feeding=fed, **options)
        layer.build((None, E), {"values": (None, None, D)})
        return randomize(layer)

    return made


@pytest.fixture
def values(random):
    return random.normal(size=(B, K, D)).astype("float32")


@pytest.fixture
def words(random):
    return random.normal(size=(B, T, E)).astype("float32")


@pytest.fixture
def key_mask():
    return np.arange(K) < np.array([[4], [K]])


def start_states(layer, random):
    return [
        random.normal(size=(B, size)).astype("float32") for size in layer.state_sizes
    ]


def run(layer, words, states, memory):
    """All steps; outputs along the steps and the last state."""
    state, steps = layer.start(states), []
    for t in range(words.shape[1]):
        *outputs, state = layer(words[:, t], state, memory)
        steps.append([ops.convert_to_numpy(output) for output in outputs])
    return [np.stack(output, axis=1) for output in zip(*steps, strict=True)], state


def reference(layer, words, states, values, key_mask, window, fed):
    """The same of one sentence."""
    numbers = {
        weight.path.split("/", 1)[1]: weight.numpy().astype("float64")
        for weight in layer.weights
    }
    own = {
        address.removeprefix("attention/"): array
        for address, array in numbers.items()
        if address.startswith("attention/")
    }
    layers = sorted({a.rsplit("/", 1)[0] for a in numbers if "recurrent_kernel" in a})
    return luong.decoder(
        words,
        states,
        lambda hidden, t: luong.attend(
            "general", window, WIDTH, hidden, values, key_mask, own, t
        ),
        numbers,
        fed,
        cells=layers,
        counts=[layer.num_states // len(layers)] * len(layers),
        kernel=numbers["attentional/kernel"],
    )


@EVERY_CELL
@EVERY_DEPTH
@pytest.mark.parametrize(
    ("window", "fed"),
    [("global", False), ("global", True), ("local_m", True), ("local_p", False)],
)
def test_steps_equal_the_reference(
    make, random, words, values, key_mask, kind, layers, window, fed
):
    layer = make(kind, layers, fed, window)
    states = start_states(layer, random)
    outputs, state = run(layer, words, states, layer.memory(values, key_mask))
    for b in range(B):
        *expected, last = reference(
            layer,
            words[b],
            [part[b] for part in states],
            values[b],
            key_mask[b],
            window,
            fed,
        )
        for output, numbers in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(output[b], numbers, atol=2e-5)
        for part, numbers in zip(state[: layer.num_states], last, strict=True):
            np.testing.assert_allclose(part[b], numbers, atol=2e-5)


@EVERY_CELL
@EVERY_DEPTH
def test_the_state_holds_the_cells_states_the_step_and_what_is_fed(
    make, random, words, values, kind, layers
):
    layer = make(kind, layers, fed=True, window="local_m")
    count = CELLS[kind][1] * layers
    assert layer.state_sizes == [H] * count
    assert layer.output_size == A
    start = layer.start(start_states(layer, random))
    *_, state = layer(words[:, 0], start, layer.memory(values))
    for parts, step in ((start, 0), (state, 1)):
        assert [tuple(part.shape) for part in parts] == [(B, H)] * count + [
            (B,),
            (B, A),
        ]
        assert ops.convert_to_numpy(parts[count]).tolist() == [step] * B
    assert (ops.convert_to_numpy(start[-1]) == 0.0).all()


def test_the_output_is_fed_to_the_next_step(make, random, words, values):
    layer = make(fed=True)
    memory = layer.memory(values)
    start = layer.start(start_states(layer, random))
    output, _, _, state = layer(words[:, 0], start, memory)
    np.testing.assert_array_equal(state[-1], output)
    changed = (*state[:-1], -state[-1])
    one, *_ = layer(words[:, 1], state, memory)
    other, *_ = layer(words[:, 1], changed, memory)
    assert abs(ops.convert_to_numpy(one - other)).max() > 1e-3


def test_without_feeding_the_state_is_the_cells_own(make, random, words, values):
    layer = make(fed=False)
    states = start_states(layer, random)
    assert len(layer.start(states)) == 1
    *_, state = layer(words[:, 0], layer.start(states), layer.memory(values))
    assert len(state) == 1


def test_the_same_steps_under_a_scan(make, random, words, values, key_mask):
    """As a model runs it: the state keeps its structure, shapes and types."""
    layer = make("lstm", 2, fed=True, window="local_m")
    memory = layer.memory(values, key_mask)
    states = start_states(layer, random)
    expected, last = run(layer, words, states, memory)

    # On TensorFlow what a scan returns must be like what it carries.
    def advance(carry, word):
        carry = layer(word, carry[3], memory)
        return carry, carry

    blank = tuple(ops.zeros_like(output[:, 0]) for output in expected)
    carry = (*blank, layer.start(states))
    (*_, state), outputs = ops.scan(advance, carry, ops.swapaxes(words, 0, 1))
    for output, numbers in zip(outputs[:3], expected, strict=True):
        np.testing.assert_allclose(ops.swapaxes(output, 0, 1), numbers, atol=1e-6)
    for part, numbers in zip(state, last, strict=True):
        np.testing.assert_allclose(part, numbers, atol=1e-6)


def test_the_addresses_of_weights(make):
    layer = make("gru", 2, fed=True, window="local_p")
    found = {
        weight.path.split("/", 1)[1]: tuple(weight.shape) for weight in layer.weights
    }
    expected = {
        "attention/key/kernel": (D, H),
        "attention/window/hidden/kernel": (H, H),
        "attention/window/centre_vector": (H,),
        "attentional/kernel": (D + H, A),
    }
    for index, size in ((0, E + A), (1, H)):
        address = f"cell/cell_{index}"
        expected |= {
            f"{address}/kernel": (size, 3 * H),
            f"{address}/recurrent_kernel": (H, 3 * H),
            f"{address}/bias": (2, 3 * H),
        }
    assert found == expected


@pytest.mark.parametrize(
    ("attention", "size", "message"),
    [
        (None, A, r"attention=None, attentional_size=17"),
        (LuongAttention(name="luong"), 0, r"attentional_size=0"),
    ],
)
def test_what_cannot_be_is_an_error(attention, size, message):
    with pytest.raises(ValueError, match=message):
        LuongCell(keras.layers.GRUCell(H), attention, size)
