"""Attention held close to a box by a Gaussian (Gao et al., 2021)."""
# https://arxiv.org/abs/2101.07448, section 3.2. Departures from the paper:
# - centres and widths are relative to the query's box, so that a head looks at the same
#   part of a small object and of a large one; the paper predicts them in the image.
# - heads begin on a ring around the box's centre, as the points of Deformable DETR do
#   (Zhu et al., 2021, https://arxiv.org/abs/2010.04159, appendix A.4).
# - the score's content has no position in it: the Gaussian is where position is.

import math

import keras
import numpy as np
from keras import layers, ops

from zoo.layers.object_attention import ObjectAttention
from zoo.ops.dot_product_attention import dot_product_attention

# Shape letters: B batch, H heads, Q query length, K key length, U units, D head size.

# Where heads begin and how wide, in sides of the box.
_RING, _WIDTH = 0.35, 0.35
# Widths change by no more than this factor; no side is less, relative to the image.
_MOST_LOG_WIDTH = 3.0
_LEAST_SIDE = 1e-2


@keras.saving.register_keras_serializable(package="zoo")
class SpatiallyModulatedAttention(ObjectAttention):
    """Multi-head attention in which every head looks at a place of the query's box.

    To the score of content a head adds the logarithm of a Gaussian around its place:
    it begins at one of the places on a ring about the box's centre, and learns from
    what the query holds where to look instead, and how wide. It is to cells of a map
    what Luong's local attention is to words.

    Args:
        num_heads: number of heads.
        units: size over all heads, and of the output.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, size).
        values: shape (batch, keys, size).
        boxes: of the queries, see `zoo.ops.boxes`, shape (batch, queries, 4), in
            float32 whatever the layer computes in.
        places: of the keys, (x, y) relative to the image, shape (batch, keys, 2),
            likewise.
        key_mask: booleans, shape (batch, keys), True = may be attended to.
        return_weights: also return the weights.

    Returns:
        The output, shape (batch, queries, units). With `return_weights` a pair of it
        and the weights, shape (batch, num_heads, queries, keys). A query that may see
        no key gets weights of zero.

    Raises:
        ValueError: sizes do not divide.

    Example:
        >>> attention = SpatiallyModulatedAttention(num_heads=8, units=256)
        >>> output = attention(objects, cells, boxes, centres)
    """

    projections = ("query", "key", "value", "output")

    def __init__(self, num_heads: int, units: int, **kwargs):
        # Half precision is too coarse to say where a cell is.
        super().__init__(num_heads, units, autocast=False, **kwargs)
        ring = keras.initializers.Constant(_ring(num_heads))
        starts = {"kernel_initializer": "zeros", "dtype": "float32"}
        self.shift_dense = layers.Dense(
            2 * num_heads, bias_initializer=ring, name="shift", **starts
        )
        self.width_dense = layers.Dense(2 * num_heads, name="width", **starts)

    def build(self, query_shape, values_shape, boxes_shape=None, places_shape=None):
        self.dense["query"].build(query_shape)
        self.dense["key"].build(values_shape)
        self.dense["value"].build(values_shape)
        self.dense["output"].build((None, None, self.units))
        self.shift_dense.build(query_shape)
        self.width_dense.build(query_shape)

    def call(self, query, values, boxes, places, key_mask=None, return_weights=False):
        context_BHQD, weights_BHQK = dot_product_attention(
            self.split("query", query),
            self.split("key", values),
            self.split("value", values),
            bias_BHQK=self.log_gaussians(query, boxes, places),
            key_mask=key_mask,
        )
        output = self.join(context_BHQD)
        return (output, weights_BHQK) if return_weights else output

    def log_gaussians(self, query, boxes, places):
        """Logarithms of the Gaussians, 0 at their centres.

        Args:
            query: shape (batch, queries, size).
            boxes: shape (batch, queries, 4).
            places: shape (batch, keys, 2).

        Returns:
            Shape (batch, num_heads, queries, keys), float32.
        """
        boxes, places = (ops.cast(each, "float32") for each in (boxes, places))
        shifts_BQH2 = self._by_head(self.shift_dense(query))
        logs_BQH2 = ops.clip(
            self._by_head(self.width_dense(query)), -_MOST_LOG_WIDTH, _MOST_LOG_WIDTH
        )
        # -((u - s) / w)² / 2 is a product of what is known of the head and of the key.
        # Seen from the box: differences of places in an image would lose digits.
        precisions_BQH2 = -0.5 / ops.square(_WIDTH * ops.exp(logs_BQH2))
        constants_BQH1 = ops.sum(
            precisions_BQH2 * ops.square(shifts_BQH2), axis=-1, keepdims=True
        )
        heads_BQH5 = ops.concatenate(
            [precisions_BQH2, -2.0 * precisions_BQH2 * shifts_BQH2, constants_BQH1],
            axis=-1,
        )
        sides_BQ2 = ops.maximum(boxes[..., 2:], _LEAST_SIDE)
        # Shape (batch, queries, 2, keys): x and y from the box's centre, in its sides.
        away = ops.transpose(places, (0, 2, 1))[:, None] - boxes[..., :2, None]
        away = away / sides_BQ2[..., None]
        keys_BQ5K = ops.concatenate(
            [ops.square(away), away, ops.ones_like(away[:, :, :1])], axis=2
        )
        return ops.transpose(ops.matmul(heads_BQH5, keys_BQ5K), (0, 2, 1, 3))

    def _by_head(self, pairs_BQX):
        batch, queries, _ = ops.shape(pairs_BQX)
        return ops.reshape(pairs_BQX, (batch, queries, self.num_heads, 2))


def _ring(num_heads: int) -> np.ndarray:
    """Places around the centre, one for each head: x and y in sides of the box."""
    angles = np.arange(num_heads) * 2 * math.pi / num_heads
    # Evenly over a square's rim, whose corners are a box's corners.
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    ring /= np.abs(ring).max(axis=-1, keepdims=True)
    return (_RING * ring).reshape(-1).astype(np.float32)
