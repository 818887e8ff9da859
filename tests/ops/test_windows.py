import math

import numpy as np
import pytest
from keras import ops

from zoo.ops import windows


def as_list(tensor):
    return ops.convert_to_numpy(tensor).tolist()


def test_a_monotonic_centre_is_the_step_itself_up_to_the_last_key():
    positions = np.array([[0, 1, 4], [0, 1, 4]])
    centres = windows.monotonic_centres(positions, np.array([5, 2]))
    assert as_list(centres) == [[0.0, 1.0, 4.0], [0.0, 1.0, 1.0]]


def test_one_row_of_positions_serves_every_sentence():
    centres = windows.monotonic_centres(np.array([[0, 1, 2]]), np.array([7, 2]))
    assert as_list(centres) == [[0.0, 1.0, 2.0], [0.0, 1.0, 1.0]]


def test_a_predicted_centre_is_a_share_of_the_sentence(random):
    logits = random.normal(size=(2, 3))
    centres = windows.predicted_centres(logits.astype("float32"), np.array([5, 11]))
    centres = ops.convert_to_numpy(centres)
    for b, length in enumerate((5, 11)):
        for q in range(3):
            expected = length / (1.0 + math.exp(-logits[b, q]))
            assert centres[b, q] == pytest.approx(expected, abs=1e-5)


def test_a_predicted_centre_reaches_both_ends():
    centres = windows.predicted_centres(np.float32([[-99.0, 0.0, 99.0]]), np.array([8]))
    np.testing.assert_allclose(centres, [[0.0, 4.0, 8.0]], atol=1e-6)


def test_centres_of_half_precision_are_computed_in_full():
    """In bfloat16 a key number above 256 is rounded."""
    logits = ops.convert_to_tensor([[99.0]], "bfloat16")
    centres = windows.predicted_centres(logits, np.array([1001]))
    assert as_list(centres) == [[1001.0]]
    positions = ops.convert_to_tensor([[777]], "int32")
    assert as_list(windows.monotonic_centres(positions, np.array([1001]))) == [[777.0]]


def test_distances_run_from_the_centre_to_the_key():
    distances = windows.distances(np.float32([[0.0, 2.5], [1.0, 3.0]]), 4)
    assert as_list(distances) == [
        [[0.0, 1.0, 2.0, 3.0], [-2.5, -1.5, -0.5, 0.5]],
        [[-1.0, 0.0, 1.0, 2.0], [-3.0, -2.0, -1.0, 0.0]],
    ]


def test_a_window_has_its_width_to_each_side_and_includes_its_ends():
    distances = np.float32([-2.5, -2.0, -1.0, 0.0, 1.0, 2.0, 2.001])
    assert as_list(windows.inside(distances, 2)) == [False] + [True] * 5 + [False]


def test_the_gaussian_has_half_the_width_as_its_deviation():
    distances = np.array([-3.0, -1.5, 0.0, 0.7, 3.0])
    width = 3
    factors = ops.convert_to_numpy(windows.gaussian(distances.astype("float32"), width))
    for distance, factor in zip(distances, factors, strict=True):
        sigma = width / 2
        expected = math.exp(-((distance) ** 2) / (2 * sigma**2))
        assert factor == pytest.approx(expected, abs=1e-6)
