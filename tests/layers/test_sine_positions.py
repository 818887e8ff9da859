import keras
import numpy as np
import pytest
from keras import ops

from tests.references import positions as reference
from zoo.layers import SinePositions

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes: batch, length, and twice a prime.
B, L, C = 2, 5, 14


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.fixture
def words(random):
    return random.normal(size=(B, L, C)).astype("float32")


@pytest.mark.parametrize("layout", ["interleaved", "halves", "tensor2tensor"])
def test_positions_equal_the_reference(words, layout):
    table = as_numpy(SinePositions(base=97.0, layout=layout)(words))
    expected = [[getattr(reference, layout)(p, C, 97.0) for p in range(L)]]
    np.testing.assert_allclose(table, expected, atol=2e-6)


def test_only_the_shape_of_the_inputs_counts(words):
    layer = SinePositions()
    np.testing.assert_array_equal(as_numpy(layer(words)), as_numpy(layer(-3 * words)))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_decoding_goes_on_where_it_was(words, as_tensor):
    layer = SinePositions()
    whole = as_numpy(layer(words))
    start = ops.convert_to_tensor(3) if as_tensor else 3
    step = as_numpy(layer(words[:, 3:], start=start))
    # A sine may differ by its last bit with its place in the vector registers.
    np.testing.assert_allclose(step, whole[:, 3:], atol=2e-7)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_symbolic_outputs_have_the_real_shape_and_type(words, policy):
    layer = SinePositions(dtype=policy)
    assert layer(keras.Input((None, C))).shape == (1, None, C)
    symbolic, real = layer(keras.KerasTensor(words.shape)), layer(words)
    assert symbolic.shape == tuple(real.shape) == (1, L, C)
    assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype)
    assert symbolic.dtype == layer.compute_dtype


def test_half_precision_only_rounds_the_result():
    # bfloat16 counts in steps of 4 from 512 on: positions must not be made in it.
    words = np.zeros((1, 601, C), "float32")
    table = as_numpy(SinePositions(dtype="mixed_bfloat16")(words))
    np.testing.assert_allclose(table, as_numpy(SinePositions()(words)), atol=4e-3)


def test_the_config_makes_the_same_layer():
    layer = SinePositions(97.0, "halves", name="places")
    copy = SinePositions.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.base, copy.layout, copy.name) == (97.0, "halves", "places")


def test_an_unknown_layout_is_an_error():
    with pytest.raises(ValueError, match=r"layout must be one of.*layout=mixed"):
        SinePositions(layout="mixed")
