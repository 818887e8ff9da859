import numpy as np
from keras import ops

from zoo.ops.masking import expand_key_mask, padding_mask


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
