"""Relative position representations (Shaw et al., 2018, https://arxiv.org/abs/1803.02155)."""

import keras
from keras import ops

from zoo.layers.position_scheme import PositionScheme


@keras.saving.register_keras_serializable(package="zoo")
class RelativePositions(PositionScheme):
    """Adds learned vectors to keys and values, by distance from the query.

    Use it as `positions` of `MultiHeadAttention`. Distances beyond `max_distance` share
    one vector a side. As in the paper the heads share the vectors. Attention holds all
    its weights at once with this scheme (the "full" path).

    Args:
        max_distance: k of the paper, the farthest distance with a vector of its own.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: `max_distance` is negative.

    Example:
        >>> attention = MultiHeadAttention(8, 512, positions=RelativePositions(16))
    """

    needs_all_weights = True

    def __init__(self, max_distance: int = 16, **kwargs):
        super().__init__(**kwargs)
        if max_distance < 0:
            raise ValueError(
                "max_distance must be 0 or more. "
                f"Received: max_distance={max_distance}."
            )
        self.max_distance = max_distance

    def build(self, heads_shape):
        shape = (2 * self.max_distance + 1, heads_shape[-1])
        self.key_vectors = self.add_weight(
            shape=shape, initializer="glorot_uniform", name="keys"
        )
        self.value_vectors = self.add_weight(
            shape=shape, initializer="glorot_uniform", name="values"
        )

    def relative_keys(self, distances_R):
        return self._rows(self.key_vectors, distances_R)

    def relative_values(self, distances_R):
        return self._rows(self.value_vectors, distances_R)

    def _rows(self, vectors, distances_R):
        nearest_R = ops.clip(distances_R, -self.max_distance, self.max_distance)
        return ops.take(vectors, nearest_R + self.max_distance, axis=0)

    def get_config(self):
        config = super().get_config()
        config.update(max_distance=self.max_distance)
        return config
