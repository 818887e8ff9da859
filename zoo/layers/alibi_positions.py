"""Attention with linear biases (Press et al., 2022, https://arxiv.org/abs/2108.12409)."""
# Departure from the paper: it treats causal attention only; here keys after the query
# are as far as those before it.

import keras
from keras import ops

from zoo.layers.position_scheme import PositionScheme
from zoo.ops.relative import alibi_slopes


@keras.saving.register_keras_serializable(package="zoo")
class ALiBiPositions(PositionScheme):
    """Lowers scores in proportion to the distance of query and key.

    Use it as `positions` of `MultiHeadAttention` where texts may be longer than those
    trained on. Each head has its own slope; there are no weights.

    Args:
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Example:
        >>> attention = MultiHeadAttention(
        ...     8, 512, causal=True, positions=ALiBiPositions()
        ... )
    """

    def build(self, heads_shape):
        self.slopes = alibi_slopes(heads_shape[1])

    def relative_bias(self, distances_R):
        slopes_H = ops.convert_to_tensor(self.slopes, "float32")
        return -slopes_H[:, None] * ops.cast(ops.abs(distances_R), "float32")
