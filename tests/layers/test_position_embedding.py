import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import PositionEmbedding

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes, all different: batch, length, positions, size, size of the words.
B, L, P, C, E = 2, 5, 7, 11, 13


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.fixture
def layer(randomize):
    layer = PositionEmbedding(P, C)
    layer.build((None, None))
    return randomize(layer)


@pytest.fixture
def words(random):
    return random.normal(size=(B, L, E)).astype("float32")


def test_the_first_rows_of_the_table_are_returned(layer, words):
    table = as_numpy(layer.embeddings)
    assert table.shape == (P, C)
    np.testing.assert_array_equal(as_numpy(layer(words)), table[None, :L])


def test_token_ids_serve_as_well_as_words(layer, words):
    ids = np.ones((B, L), "int32")
    np.testing.assert_array_equal(as_numpy(layer(ids)), as_numpy(layer(words)))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_decoding_goes_on_where_it_was(layer, words, as_tensor):
    start = ops.convert_to_tensor(3) if as_tensor else 3
    step = as_numpy(layer(words[:, :2], start=start))
    np.testing.assert_array_equal(step, as_numpy(layer.embeddings)[None, 3:5])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_symbolic_outputs_have_the_real_shape_and_type(words, policy):
    layer = PositionEmbedding(P, C, dtype=policy)
    assert layer(keras.Input((None, E))).shape == (1, None, C)
    symbolic, real = layer(keras.KerasTensor(words.shape)), layer(words)
    assert symbolic.shape == tuple(real.shape) == (1, L, C)
    assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype)
    assert symbolic.dtype == layer.compute_dtype


def test_a_sequence_that_is_too_long_is_an_error(layer, words):
    with pytest.raises(ValueError, match=r"max_length=7.*length 5 from start=3"):
        layer(words, start=3)
    with pytest.raises(ValueError, match=r"max_length=7.*length 8 from start=0"):
        layer(keras.Input((P + 1, E)))


@pytest.mark.parametrize("sizes", [(0, C), (P, -1)])
def test_sizes_that_are_not_positive_are_an_error(sizes):
    with pytest.raises(ValueError, match=r"positive integers.*max_length="):
        PositionEmbedding(*sizes)


def test_the_config_makes_the_same_layer():
    layer = PositionEmbedding(P, C, name="places")
    copy = PositionEmbedding.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.max_length, copy.size, copy.name) == (P, C, "places")
