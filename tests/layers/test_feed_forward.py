import keras
import numpy as np
import pytest
from keras import ops

from tests.references import transformer
from zoo.layers import FeedForward

# Keras reads torch's tensors, and copies TensorFlow's variables, in a way that NumPy 2
# deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Sizes, all different: batch, length, size, hidden size, output size.
B, L, E, F, O = 2, 3, 5, 7, 11  # noqa: E741
ACTIVATIONS = {"relu": transformer.relu, "gelu": transformer.gelu}


def as_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@pytest.fixture
def inputs(random):
    return random.normal(size=(B, L, E)).astype("float32")


@pytest.fixture
def make(randomize):
    """A built layer whose every weight is random."""

    def made(*sizes, **options):
        layer = FeedForward(*sizes, **options)
        layer.build((None, None, E))
        return randomize(layer)

    return made


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output_size", [None, O])
def test_outputs_equal_the_reference(make, inputs, activation, output_size):
    layer = make(F, output_size, activation=activation, name="feed_forward")
    numbers = {weight.path: as_numpy(weight) for weight in layer.weights}
    outputs = as_numpy(layer(inputs))
    assert outputs.shape == (B, L, output_size or E)
    for b in range(B):
        for p in range(L):
            expected = transformer.feed_forward(
                inputs[b, p], numbers, "feed_forward", ACTIVATIONS[activation]
            )
            np.testing.assert_allclose(outputs[b, p], expected, atol=2e-6)


def test_dropout_is_after_the_activation_and_only_while_training(make, inputs):
    keras.utils.set_random_seed(5)
    # gelu, unlike relu, tells 2 f(x) from f(2 x).
    layer = make(F, 2 * F, activation="gelu", dropout=0.5)
    # Every hidden number is put out twice: both are dropped, or neither.
    layer.output_dense.kernel.assign(np.concatenate([np.eye(F), np.eye(F)], axis=1))
    layer.output_dense.bias.assign(np.zeros(2 * F))
    hidden = as_numpy(layer(inputs))
    trained = as_numpy(layer(inputs, training=True))
    np.testing.assert_array_equal(trained[..., :F], trained[..., F:])
    kept = trained != 0
    np.testing.assert_allclose(trained[kept], 2 * hidden[kept], rtol=1e-5)
    assert 0 < kept.sum() < (hidden != 0).sum() == hidden.size


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("output_size", [None, O])
def test_symbolic_outputs_have_the_real_shape_and_type(inputs, policy, output_size):
    layer = FeedForward(F, output_size, dtype=policy)
    symbolic = layer(keras.Input((None, E)))
    assert symbolic.shape == (None, None, output_size or E)
    symbolic, real = layer(keras.KerasTensor(inputs.shape)), layer(inputs)
    assert symbolic.shape == tuple(real.shape)
    assert symbolic.dtype == keras.backend.standardize_dtype(real.dtype)
    assert symbolic.dtype == layer.compute_dtype


@pytest.mark.parametrize("sizes", [(0,), (F, -1)])
def test_sizes_that_are_not_positive_are_an_error(sizes):
    with pytest.raises(ValueError, match=r"positive integers.*hidden_size="):
        FeedForward(*sizes)


def test_dropout_out_of_range_is_an_error():
    with pytest.raises(ValueError, match=r"below 1.*dropout=1\.0"):
        FeedForward(F, dropout=1.0)


def test_the_config_makes_the_same_layer():
    layer = FeedForward(F, O, "gelu", 0.25, name="between", dtype="mixed_bfloat16")
    copy = FeedForward.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert (copy.hidden_size, copy.output_size, copy.name) == (F, O, "between")
    assert (copy.activation, copy.dropout) == (layer.activation, 0.25)
    assert copy.compute_dtype == "bfloat16"
