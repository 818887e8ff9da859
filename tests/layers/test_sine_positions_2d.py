import keras
import numpy as np
import pytest
from keras import ops

from tests.references import positions as reference
from zoo.layers import SinePositions2D

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes: batch, height, width, and four times a prime.
B, H, W, S = 2, 3, 5, 28


@pytest.fixture
def inside():
    mask = np.zeros((B, H, W), bool)
    mask[0] = True
    mask[1, :2, :3] = True
    return mask


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 20.0, "scale": 3.0, "epsilon": 0.1}],
    ids=["detr", "other"],
)
def test_positions_equal_the_reference(inside, options):
    table = ops.convert_to_numpy(SinePositions2D(S, **options)(inside))
    expected = [reference.two_dimensional(mask, S, **options) for mask in inside]
    np.testing.assert_allclose(table, expected, atol=3e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_symbolic_outputs_have_the_real_shape_and_type(inside, policy):
    layer = SinePositions2D(S, dtype=policy)
    asked = keras.Input((None, W), dtype="bool")
    assert layer(asked).shape == (None, None, W, S)
    symbolic = layer(keras.KerasTensor(inside.shape, dtype="bool"))
    real = layer(inside)
    assert symbolic.shape == tuple(real.shape) == (B, H, W, S)
    assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype)
    assert symbolic.dtype == layer.compute_dtype


def test_half_precision_only_rounds_the_result():
    # In bfloat16 a running count would stop at 256.
    inside = np.ones((1, 2, 601), bool)
    half = SinePositions2D(S, dtype="mixed_bfloat16")(inside)
    whole = SinePositions2D(S)(inside)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(half, "float32")),
        ops.convert_to_numpy(whole),
        atol=4e-3,
    )


def test_the_config_makes_the_same_layer():
    layer = SinePositions2D(S, 20.0, scale=3.0, epsilon=0.1, name="places")
    copy = SinePositions2D.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.size, copy.temperature) == (S, 20.0)
    assert (copy.scale, copy.epsilon, copy.name) == (3.0, 0.1, "places")


def test_a_size_that_four_does_not_divide_is_an_error():
    with pytest.raises(ValueError, match=r"multiple of 4.*size=26"):
        SinePositions2D(26)
