import numpy as np
import pytest
from keras import ops

from tests.references import multi_head
from zoo.ops.rotary import rotate

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Batch, heads, length; the head size must be even.
B, H, L, D = 2, 3, 5, 14
LAYOUTS = pytest.mark.parametrize("layout", ["interleaved", "halves"])


@LAYOUTS
@pytest.mark.parametrize("start", [0, 7])
@pytest.mark.parametrize("base", [10000.0, 11.0])
def test_rotation_equals_the_reference(random, layout, start, base):
    heads = random.normal(size=(B, H, L, D)).astype("float32")
    turned = ops.convert_to_numpy(rotate(heads, start, base, layout == "interleaved"))
    for at in np.ndindex(B, H, L):
        expected = multi_head.rotary(heads[at], start + at[-1], base, layout)
        np.testing.assert_allclose(turned[at], expected, atol=1e-5)


@LAYOUTS
def test_products_depend_on_the_distance_only(random, layout):
    query, key = random.normal(size=(2, 1, 1, 1, D)).astype("float32")

    def product(at, other):
        interleaved = layout == "interleaved"
        turned = rotate(query, at, interleaved=interleaved)
        other = rotate(key, other, interleaved=interleaved)
        return float(ops.convert_to_numpy(ops.sum(turned * other)))

    assert product(2, 5) == pytest.approx(product(13, 16), abs=1e-4)
    assert abs(product(2, 5) - product(2, 6)) > 1e-2


def test_half_precision_is_turned_in_float32(random):
    heads = random.normal(size=(B, H, L, D)).astype("float32")
    low = rotate(ops.cast(heads, "bfloat16"), 1000)
    whole = rotate(ops.cast(ops.cast(heads, "bfloat16"), "float32"), 1000)
    assert low.dtype == ops.cast(0.0, "bfloat16").dtype
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(low, "float32")),
        ops.convert_to_numpy(whole),
        rtol=1e-2,
        atol=1e-6,
    )
