"""Bucketed relative positions of T5 (Raffel et al., 2020, https://arxiv.org/abs/1910.10683)."""
# Departure from the paper: T5 does not divide scores by sqrt(head_size), which it folds
# into the start of its weights. Multiply the query kernel of a T5 checkpoint by that.

import keras
from keras import ops

from zoo.layers.position_scheme import PositionScheme
from zoo.ops.relative import position_buckets


@keras.saving.register_keras_serializable(package="zoo")
class BucketedPositions(PositionScheme):
    """Adds a learned number to the scores, by head and by bucket of distances.

    Use it as `positions` of `MultiHeadAttention`. Near distances have a bucket each,
    far ones share buckets that grow logarithmically. T5 shares one table between all
    layers of a stack: give them the same object.

    Args:
        num_buckets: number of buckets.
        max_distance: where the last bucket begins to hold all.
        bidirectional: whether keys after the query have buckets of their own; `False`
            for causal attention.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: there are too few buckets, or `max_distance` is not beyond those of
            one distance each.

    Example:
        >>> attention = MultiHeadAttention(8, 512, positions=BucketedPositions())
    """

    def __init__(
        self,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        sides = 2 if bidirectional else 1
        if num_buckets < 2 * sides or num_buckets % sides:
            raise ValueError(
                f"num_buckets must be at least {2 * sides}, and even where "
                f"bidirectional. Received: num_buckets={num_buckets}, "
                f"bidirectional={bidirectional}."
            )
        if max_distance <= num_buckets // sides // 2:
            raise ValueError(
                "max_distance must be more than the number of buckets of one distance "
                f"each, {num_buckets // sides // 2}. "
                f"Received: max_distance={max_distance}, num_buckets={num_buckets}."
            )
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.bidirectional = bidirectional

    def build(self, heads_shape):
        self.bias = self.add_weight(
            shape=(self.num_buckets, heads_shape[1]),
            initializer="glorot_uniform",
            name="bias",
        )

    def relative_bias(self, distances_R):
        buckets_R = position_buckets(
            distances_R, self.num_buckets, self.max_distance, self.bidirectional
        )
        return ops.transpose(ops.take(self.bias, buckets_R, axis=0))

    def get_config(self):
        config = super().get_config()
        config.update(
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
            bidirectional=self.bidirectional,
        )
        return config
