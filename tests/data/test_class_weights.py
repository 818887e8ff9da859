import numpy as np
import pytest

from zoo.data.class_weights import class_weights


def test_weights_give_every_label_the_same_sum():
    weights = class_weights(np.array([0, 0, 0, 0, 2, 2, 1], np.int32), 3)
    np.testing.assert_allclose(weights, [7 / 12, 7 / 3, 7 / 6], rtol=1e-6)
    assert weights.dtype == np.float32


def test_a_label_without_examples_has_no_weight():
    weights = class_weights([0, 0, 0, 3], 5)
    np.testing.assert_allclose(weights, [4 / 6, 0, 0, 2, 0], rtol=1e-6)
    assert np.mean(weights[[0, 0, 0, 3]]) == pytest.approx(1)


@pytest.mark.parametrize("targets", [[0, 3], [-1, 0], [0.5, 1.0], [[0], [1]], []])
def test_targets_that_are_no_rows_of_labels_are_refused(targets):
    with pytest.raises(ValueError, match=r"integers \(examples,\) from 0 to 2"):
        class_weights(targets, 3)
