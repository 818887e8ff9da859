"""Boxes: what one is, in every room of this project, and how two compare.

A box is (centre x, centre y, width, height), each in [0, 1], relative to the width and
height of its own image without padding; x runs to the right, y down. Only what a user
sees is in corners and pixels: (x_min, y_min, x_max, y_max), of the image as it is
looked at, that is after the rotation that its EXIF data asks for.
"""

import numpy as np
from keras import ops

# Shape letters: A and B numbers of boxes.


def to_corners(boxes):
    """(centre x, centre y, width, height) to (x_min, y_min, x_max, y_max).

    Args:
        boxes: shape (..., 4); a negative width or height is an error of the caller's
            that is not looked for.

    Returns:
        Of the same shape; a NumPy array of a NumPy array.
    """
    centres, half_sizes = boxes[..., :2], boxes[..., 2:] / 2
    return _side_by_side(centres - half_sizes, centres + half_sizes)


def from_corners(corners):
    """(x_min, y_min, x_max, y_max) to (centre x, centre y, width, height).

    A NumPy array gives a NumPy array.
    """
    low, high = corners[..., :2], corners[..., 2:]
    return _side_by_side((low + high) / 2, high - low)


def overlaps(boxes, others, epsilon: float = 1e-7):
    """Intersection over union, and its generalised form, of boxes one to one.

    Generalised (Rezatofighi et al., 2019, https://arxiv.org/abs/1902.09630, algorithm
    1): IoU - (hull - union) / hull, where the hull is the smallest box around both. It
    is below 0, down to -1, the farther two boxes lie apart, so it has a gradient where
    the plain one is 0.

    Args:
        boxes: shape (..., 4).
        others: of a shape that broadcasts to that of the boxes.
        epsilon: added to union and hull, so that two boxes without area have 0.

    Returns:
        IoU in [0, 1] and generalised IoU in [-1, 1], each of the shape without the
        last axis.
    """
    corners, other_corners = to_corners(boxes), to_corners(others)
    inner = _extent(
        ops.maximum(corners[..., :2], other_corners[..., :2]),
        ops.minimum(corners[..., 2:], other_corners[..., 2:]),
    )
    hull = _extent(
        ops.minimum(corners[..., :2], other_corners[..., :2]),
        ops.maximum(corners[..., 2:], other_corners[..., 2:]),
    )
    areas = boxes[..., 2] * boxes[..., 3] + others[..., 2] * others[..., 3]
    union = areas - inner
    iou = inner / (union + epsilon)
    return iou, iou - (hull - union) / (hull + epsilon)


def pairwise_overlaps(boxes, others, epsilon: float = 1e-7):
    """`overlaps` of each box with each other box.

    Args:
        boxes: shape (..., A, 4).
        others: shape (..., B, 4).

    Returns:
        IoU and generalised IoU, each of shape (..., A, B).
    """
    return overlaps(boxes[..., :, None, :], others[..., None, :, :], epsilon)


def is_repeated(boxes, limit: float):
    """Which boxes overlap with one before them.

    Args:
        boxes: best first, shape (..., A, 4).
        limit: IoU in [0, 1] above which two boxes are of the same object.

    Returns:
        Booleans, shape (..., A). A box that is repeated itself counts as one before,
        too, so that all boxes are looked at at once ("fast NMS", Bolya et al., 2019,
        https://arxiv.org/abs/1904.02689, section 5).
    """
    iou, _ = pairwise_overlaps(boxes, boxes)
    place = ops.arange(ops.shape(boxes)[-2])
    is_before = place[:, None] > place[None, :]
    return ops.any(ops.logical_and(iou > limit, is_before), axis=-1)


def _side_by_side(first, second):
    join = np if isinstance(first, np.ndarray) else ops
    return join.concatenate([first, second], axis=-1)


def _extent(low, high):
    """Area between corners; 0 where they do not span one."""
    sides = ops.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]
