import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from tests.gradients import value_and_gradients
from zoo.ops.blockwise_attention import blockwise_attention
from zoo.ops.dot_product_attention import dot_product_attention

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Batch, head size; six heads share two.
B, D, H, G = 2, 5, 6, 2
MASKS = pytest.mark.parametrize("masks", ["none", "keys", "pairs"])


def problem(random, queries, keys, masks="none"):
    """Projected heads and a bias, the slope of a loss, and masks."""
    shapes = [(B, H, queries, D), (B, G, keys, D), (B, G, keys, D)]
    shapes += [(H, queries + keys - 1), (B, H, queries, D)]
    *arrays, slope = [random.normal(size=shape).astype("float32") for shape in shapes]
    options = {}
    if masks != "none":
        options["key_mask"] = random.random((B, keys)) < 0.7
        options["key_mask"][1] = False
    if masks == "pairs":
        options["attention_mask"] = random.random((B, queries, keys)) < 0.7
    return arrays, slope, options


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@MASKS
@pytest.mark.parametrize(
    "causal,window_width", [(False, None), (True, None), (True, 2)]
)
@pytest.mark.parametrize("queries,keys,size", [(7, 11, 3), (11, 7, 5), (7, 7, 64)])
def test_values_and_gradients_are_those_of_the_full_path(
    random, queries, keys, size, causal, window_width, masks
):
    arrays, slope, options = problem(random, queries, keys, masks)
    options |= {"causal": causal, "window_width": window_width}
    options["offset"] = keys - queries if causal else 0

    def blockwise(*arguments):
        return blockwise_attention(*arguments, block_size=size, **options)

    def full(*arguments):
        return dot_product_attention(*arguments, **options)[0]

    for given in (arrays, arrays[:3]):
        found = value_and_gradients(blockwise, given, slope)
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
            blockwise_attention(query, *pair, bias, block_size=3, causal=True)
        )
        for pair in ((keys, values), changed)
    ]
    np.testing.assert_array_equal(one[:, :, :7], other[:, :, :7])
    assert (one[:, :, 7:] != other[:, :, 7:]).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_keeps_its_type_and_is_near(random, dtype):
    arrays, _, _ = problem(random, 7, 11)
    low = blockwise_attention(
        *[ops.cast(array, dtype) for array in arrays], block_size=3
    )
    assert low.dtype == ops.cast(0.0, dtype).dtype
    whole = blockwise_attention(
        *[ops.convert_to_tensor(array) for array in arrays], block_size=3
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(low, "float32")),
        ops.convert_to_numpy(whole),
        atol=0.05,
    )


# A few of all cases: compiling takes most of the time.
SOME = "pairs and True and (7-11-3 or 13-2-3) or later"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_all_this_holds_on_other_backends(backend):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("asked from TensorFlow only")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    here = Path(__file__).parent
    files = ["blockwise", "banded"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", SOME]
        + [str(here / f"test_{name}_attention.py") for name in files],
        env=os.environ
        | {
            "KERAS_BACKEND": backend,
            # Compiles sooner; the numbers are the same.
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        cwd=here.parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
