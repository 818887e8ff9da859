import numpy as np
import pytest
from keras import ops

from zoo.ops.masking import (
    causal_mask,
    expand_key_mask,
    padding_mask,
    visible_keys,
    window_mask,
)

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)


def test_padding_mask_is_true_at_real_tokens():
    mask = padding_mask(ops.convert_to_tensor([[4, 2, 0], [0, 0, 0]]))
    assert ops.convert_to_numpy(mask).tolist() == [
        [True, True, False],
        [False, False, False],
    ]


def test_padding_mask_takes_another_padding_id():
    mask = padding_mask(ops.convert_to_tensor([0, 3, 1]), padding_id=3)
    assert ops.convert_to_numpy(mask).tolist() == [True, False, True]


def test_an_expanded_key_mask_has_a_query_axis_in_the_middle(random):
    key_mask = random.random((2, 5)) < 0.5
    expanded = ops.convert_to_numpy(expand_key_mask(key_mask))
    assert expanded.shape == (2, 1, 5)
    np.testing.assert_array_equal(expanded[:, 0], key_mask)


def test_no_key_mask_stays_no_mask():
    assert expand_key_mask(None) is None


@pytest.mark.parametrize("queries,keys,offset", [(5, 7, 2), (7, 5, -2), (3, 5, 0)])
def test_position_masks_follow_their_definition(queries, keys, offset):
    causal = ops.convert_to_numpy(causal_mask(queries, keys, offset))
    window = ops.convert_to_numpy(window_mask(queries, keys, 2, offset))
    for q in range(queries):
        for k in range(keys):
            assert causal[q, k] == (k <= q + offset)
            assert window[q, k] == (q + offset - 2 <= k <= q + offset + 2)


def test_visible_keys_are_those_that_every_rule_shows(random):
    key_mask = random.random((2, 7)) < 0.7
    attention_mask = random.random((2, 5, 7)) < 0.7
    visible = visible_keys(5, 7, True, 3, 2, key_mask, attention_mask)
    expected = key_mask[:, None] & attention_mask
    expected = expected & ops.convert_to_numpy(causal_mask(5, 7, 2))
    expected = expected & ops.convert_to_numpy(window_mask(5, 7, 3, 2))
    np.testing.assert_array_equal(ops.convert_to_numpy(visible), expected[:, None])


def test_no_rule_is_no_mask():
    assert visible_keys(5, 7) is None
