import numpy as np
import pytest
from keras import ops

from tests.backend import gradients
from tests.references import boxes as reference
from zoo.ops.boxes import (
    from_corners,
    is_repeated,
    overlaps,
    pairwise_overlaps,
    to_corners,
)

# Keras copies tensors of torch and TensorFlow in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

# Images, boxes, other boxes.
B, N, M = 3, 5, 7


@pytest.fixture
def boxes(random):
    """Makes boxes of which some overlap and some do not."""

    def made(*shape):
        centres = random.random((*shape, 2))
        sizes = 0.05 + 0.6 * random.random((*shape, 2))
        return np.concatenate([centres, sizes], axis=-1).astype("float32")

    return made


def test_corners_are_half_a_side_from_the_centre(boxes):
    """Worked by hand: exact in binary."""
    box = np.array([[0.5, 0.25, 0.25, 0.125]], "float32")
    expected = np.array([[0.375, 0.1875, 0.625, 0.3125]], "float32")
    np.testing.assert_array_equal(to_corners(box), expected)
    np.testing.assert_array_equal(from_corners(expected), box)
    some = boxes(B, N)
    np.testing.assert_allclose(from_corners(to_corners(some)), some, atol=1e-6)


def test_overlaps_equal_the_reference(boxes):
    some, others = boxes(B, N), boxes(B, N)
    found = overlaps(some, others)
    for image, number in np.ndindex(B, N):
        expected = reference.overlap(some[image, number], others[image, number])
        pair = [each[image, number] for each in found]
        np.testing.assert_allclose(pair, expected, atol=1e-5)


def test_every_box_meets_every_other(boxes):
    some, others = boxes(B, N), boxes(B, M)
    found = pairwise_overlaps(some, others)
    expected = np.array(
        [
            [
                [reference.overlap(box, other) for other in others[image]]
                for box in some[image]
            ]
            for image in range(B)
        ]
    )
    for part in (0, 1):
        np.testing.assert_allclose(found[part], expected[..., part], atol=1e-5)
    # Both kinds are among them.
    assert (expected[..., 0] == 0).any()
    assert (expected[..., 0] > 0.1).any()


def test_overlaps_do_not_depend_on_order_shift_or_scale(boxes):
    """Properties 1 to 5 of the paper's section 3."""
    some, others = boxes(N), boxes(N)
    iou, generalised = (np.asarray(each) for each in overlaps(some, others))
    for one, other in [
        (others, some),
        (
            some + np.float32([0.25, -0.5, 0, 0]),
            others + np.float32([0.25, -0.5, 0, 0]),
        ),
        (some * np.float32([4, 0.5, 4, 0.5]), others * np.float32([4, 0.5, 4, 0.5])),
    ]:
        found = overlaps(one, other)
        np.testing.assert_allclose(found[0], iou, atol=1e-5)
        np.testing.assert_allclose(found[1], generalised, atol=1e-5)
    assert (generalised <= iou + 1e-6).all()


def test_a_box_overlaps_itself_entirely(boxes):
    some = boxes(N)
    iou, generalised = overlaps(some, some)
    np.testing.assert_allclose(iou, np.ones(N), atol=1e-4)
    np.testing.assert_allclose(generalised, np.ones(N), atol=1e-4)


def test_far_apart_the_generalised_overlap_tends_to_minus_one():
    """Two unit boxes at a distance d: -(d - 1) / (d + 1)."""
    distance = np.array([1, 3, 9, 999, 99999], "float32")
    unit = np.tile(np.float32([0, 0, 1, 1]), (5, 1))
    moved = unit.copy()
    moved[:, 0] = distance
    iou, generalised = overlaps(unit, moved)
    np.testing.assert_array_equal(iou, np.zeros(5))
    np.testing.assert_allclose(generalised, -(distance - 1) / (distance + 1), atol=1e-6)
    assert generalised[-1] > -1


def test_boxes_apart_are_pulled_together():
    """Where the plain overlap has no gradient."""
    box = np.float32([[0.2, 0.5, 0.1, 0.1]])
    other = np.float32([[0.8, 0.5, 0.1, 0.1]])
    plain, generalised = (
        gradients(
            lambda inputs, part=part: ops.sum(
                overlaps(inputs["box"], ops.convert_to_tensor(other))[part]
            ),
            {"box": box},
        )["box"]
        for part in (0, 1)
    )
    np.testing.assert_array_equal(plain, np.zeros((1, 4)))
    # -1 + 0.2 / hull width, which is 0.7 and shrinks as the box moves right.
    np.testing.assert_allclose(generalised[0, 0], 0.2 / 0.7**2, rtol=1e-4)
    assert np.isfinite(generalised).all()


def test_a_box_is_repeated_if_it_overlaps_one_before_it(boxes):
    some = boxes(B, 3 * M)
    found = np.asarray(is_repeated(some, 0.3))
    for image, number in np.ndindex(B, 3 * M):
        before = [
            reference.overlap(some[image, number], some[image, other])[0]
            for other in range(number)
        ]
        assert found[image, number] == any(iou > 0.3 for iou in before)
    assert 0.1 < found.mean() < 0.9


def test_boxes_without_area_have_numbers_and_gradients(boxes):
    """Two points at one place, two apart, and a point in a box."""
    some = np.float32([[0.5, 0.5, 0, 0], [0.25, 0.5, 0, 0], [0.5, 0.5, 0, 0]])
    others = np.float32([[0.5, 0.5, 0, 0], [0.75, 0.25, 0, 0], [0.5, 0.5, 0.5, 0.5]])
    iou, generalised = overlaps(some, others)
    np.testing.assert_array_equal(iou, np.zeros(3))
    np.testing.assert_allclose(generalised, [0, -1, 0], atol=1e-5)
    found = gradients(
        lambda inputs: ops.sum(overlaps(inputs["boxes"], inputs["others"])[1]),
        {"boxes": some, "others": others},
    )
    for gradient in found.values():
        assert np.isfinite(gradient).all()
