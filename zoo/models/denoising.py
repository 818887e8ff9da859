"""Noisy copies of the true objects, as queries that a decoder learns to repair."""
# DN-DETR (Li et al., 2022, https://arxiv.org/abs/2203.01305, section 4) with the
# negatives of DINO (Zhang et al., 2023, https://arxiv.org/abs/2203.03605, section 3.3):
# copies that are moved farther than half their size are to be told to be nothing.

import keras
from keras import layers, ops

from zoo.ops.boxes import from_corners, to_corners

# Shape letters: B batch, T targets, G groups, D = 2 G T noisy queries, Q queries.

# Shares of labels that are changed, and of half a box that its sides move by.
_LABEL_NOISE, _BOX_NOISE = 0.25, 0.8


class LabelEmbedding(layers.Layer):
    """A vector for each class.

    Its kernel has classes as columns, as a class head's has, so that a model for other
    classes can take over those that both have.

    Args:
        num_classes: real classes.
        units: length of a vector.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        labels: integers, of any shape.

    Returns:
        Shape (*labels.shape, units).
    """

    def __init__(self, num_classes: int, units: int, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.units = units

    def build(self, labels_shape=None):
        self.kernel = self.add_weight(
            shape=(self.units, self.num_classes),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            name="kernel",
        )

    def call(self, labels):
        return ops.take(ops.transpose(self.kernel), labels, axis=0)


def noisy_objects(boxes, labels, groups: int, num_classes: int, seed) -> tuple:
    """True objects, moved and mislabelled, a few times over.

    Args:
        boxes: as `zoo.ops.boxes` says, shape (batch, targets, 4).
        labels: integers, shape (batch, targets), -1 = padding.
        groups: copies; each has as many negatives behind its positives.
        num_classes: real classes.
        seed: a `keras.random.SeedGenerator`.

    Returns:
        Boxes, shape (batch, D, 4), and labels, shape (batch, D), where D is 2 * groups
        * targets.
    """
    targets = ops.shape(boxes)[1]
    labels = ops.tile(ops.maximum(ops.cast(labels, "int32"), 0), (1, 2 * groups))
    boxes = ops.tile(ops.cast(boxes, "float32"), (1, 2 * groups, 1))
    shape = ops.shape(labels)
    changed = keras.random.uniform(shape, seed=seed) < _LABEL_NOISE
    others = keras.random.randint(shape, 0, num_classes, seed=seed)
    labels = ops.where(changed, others, labels)
    is_negative = ops.cast(_numbers(targets, groups) % 2, "float32")[None, :, None]
    signs = ops.sign(keras.random.uniform((*shape, 4), -1.0, 1.0, seed=seed))
    moves = keras.random.uniform((*shape, 4), seed=seed) + is_negative
    half_sizes = ops.tile(boxes[..., 2:] / 2, (1, 1, 2))
    corners = to_corners(boxes) + signs * moves * half_sizes * _BOX_NOISE
    low = ops.minimum(corners[..., :2], corners[..., 2:])
    high = ops.maximum(corners[..., :2], corners[..., 2:])
    noisy = from_corners(ops.concatenate([low, high], axis=-1))
    return ops.clip(noisy, 0.0, 1.0), labels


def who_sees_whom(labels, groups: int, num_queries: int):
    """Which query may see which: noisy ones stand before the others.

    A group sees itself and the queries; these see each other only, or the true objects
    would be told to them. Nobody sees copies of padding.

    Args:
        labels: integers, shape (batch, targets), -1 = padding.
        groups: of noisy copies.
        num_queries: that are not noisy.

    Returns:
        Booleans, shape (batch, D + queries, D + queries).
    """
    group = _numbers(ops.shape(labels)[1], groups) // 2
    group = ops.pad(group, ((0, num_queries),), constant_values=-1)
    # A query is of group -1, and sees these alone.
    allowed = ops.logical_or(group[:, None] == group, group[None] == -1)
    real = ops.tile(labels >= 0, (1, 2 * groups))
    real = ops.pad(real, ((0, 0), (0, num_queries)), constant_values=True)
    return ops.logical_and(allowed[None], real[:, None])


def _numbers(targets, groups: int):
    """Of each noisy copy twice the number of its group, and 1 more of a negative."""
    return ops.repeat(ops.arange(2 * groups, dtype="int32"), targets)
