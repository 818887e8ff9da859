import numpy as np
import pytest
from keras import ops

from tests.gradients import value_and_gradients
from tests.ops.test_blockwise_attention import MASKS, B, D, G, assert_same, problem
from zoo.ops.banded_attention import banded_attention
from zoo.ops.dot_product_attention import dot_product_attention

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)


@MASKS
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("length,window_width,size", [(13, 2, 3), (7, 3, 1), (5, 9, 2)])
def test_values_and_gradients_are_those_of_the_full_path(
    random, length, window_width, size, causal, masks
):
    arrays, slope, options = problem(random, length, length, masks)
    options |= {"causal": causal, "window_width": window_width}

    def banded(query, keys, values, bias=None):
        return banded_attention(
            query, keys, values, bias_HR=bias, block_size=size, **options
        )

    def full(*arguments):
        return dot_product_attention(*arguments, **options)[0]

    for given in (arrays, arrays[:3]):
        found = value_and_gradients(banded, given, slope)
        assert_same(found, value_and_gradients(full, given, slope))
        assert all(np.isfinite(array).all() for array in found)


def test_later_keys_do_not_touch_earlier_contexts(random):
    arrays, _, _ = problem(random, 11, 11)
    query, keys, values, bias = map(ops.convert_to_tensor, arrays)
    changed = [array.copy() for array in arrays[1:3]]
    for array in changed:
        array[:, :, 7:] = random.normal(scale=50.0, size=(B, G, 4, D))
    changed = [ops.convert_to_tensor(array) for array in changed]
    one, other = [
        ops.convert_to_numpy(
            banded_attention(query, *pair, 2, bias, block_size=3, causal=True)
        )
        for pair in ((keys, values), changed)
    ]
    np.testing.assert_array_equal(one[:, :, :7], other[:, :, :7])
    assert (one[:, :, 7:] != other[:, :, 7:]).any()
