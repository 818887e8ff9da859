import numpy as np
import pytest
from keras import ops

from tests.references import multi_head
from zoo.ops.dot_product_attention import dot_product_attention

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Batch, queries, keys, head size; six heads, so that they can be shared.
B, Q, K, D, H = 2, 5, 7, 11, 6


@pytest.fixture
def heads(random):
    """Makes queries, keys and values for a number of key heads."""

    def made(groups=H):
        shapes = [(B, H, Q, D), (B, groups, K, D), (B, groups, K, D)]
        return [random.normal(size=shape).astype("float32") for shape in shapes]

    return made


def tensors(arrays):
    return [ops.convert_to_tensor(array) for array in arrays]


@pytest.mark.parametrize("groups", [6, 3, 2, 1])
@pytest.mark.parametrize("causal", [False, True])
def test_contexts_and_weights_equal_the_reference(heads, random, groups, causal):
    arrays = heads(groups)
    key_mask = random.random((B, K)) < 0.7
    key_mask[1] = False
    attention_mask = random.random((B, Q, K)) < 0.7
    options = {"causal": causal, "window_width": 3, "key_mask": key_mask}
    options["attention_mask"] = attention_mask
    outputs = dot_product_attention(
        *tensors(arrays), offset=(K - Q) * causal, **options
    )
    expected = multi_head.attend(*arrays, **options)
    for output, array in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(output), array, atol=1e-5)
    assert (ops.convert_to_numpy(outputs[1])[1] == 0.0).all()
    assert (ops.convert_to_numpy(outputs[0])[1] == 0.0).all()


def test_what_is_added_by_distance_equals_the_reference(heads, random):
    arrays = heads()
    bias = random.normal(size=(H, Q + K - 1)).astype("float32")
    key_vectors, value_vectors = random.normal(size=(2, 5, D)).astype("float32")
    rows = np.clip(np.arange(Q + K - 1) - (Q - 1), -2, 2) + 2
    outputs = dot_product_attention(
        *tensors(arrays),
        bias_HR=ops.convert_to_tensor(bias),
        relative_keys_RD=ops.convert_to_tensor(key_vectors[rows]),
        relative_values_RD=ops.convert_to_tensor(value_vectors[rows]),
    )
    expected = multi_head.attend(
        *arrays,
        bias=lambda head, distance: bias[head, distance + Q - 1],
        key_vectors=key_vectors,
        value_vectors=value_vectors,
    )
    for output, array in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(output), array, atol=1e-5)


def test_dropped_weights_are_those_used(heads):
    arrays = heads()
    context, weights = dot_product_attention(
        *tensors(arrays), drop=lambda weights: 3 * weights
    )
    plain, plain_weights = dot_product_attention(*tensors(arrays))
    for output, array in ((context, plain), (weights, plain_weights)):
        np.testing.assert_allclose(
            ops.convert_to_numpy(output), 3 * ops.convert_to_numpy(array), atol=1e-5
        )


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_contexts_equal_those_of_torch(heads, random, causal, masked):
    torch = pytest.importorskip("torch")
    arrays = heads()
    key_mask = random.random((B, K)) < 0.7
    key_mask[:, 0] = True
    visible = np.ones((B, 1, Q, K), bool)
    if masked:
        visible = visible & key_mask[:, None, None]
    if causal:
        visible = visible & np.tril(np.ones((Q, K), bool), K - Q)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *[torch.tensor(array) for array in arrays], attn_mask=torch.tensor(visible)
    )
    context, _ = dot_product_attention(
        *tensors(arrays),
        causal=causal,
        offset=K - Q,
        key_mask=key_mask if masked else None,
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(context), expected.numpy(), atol=1e-5
    )
