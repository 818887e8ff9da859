"""Cross-attention with content and position apart (Meng et al., 2021)."""
# https://arxiv.org/abs/2108.06152, section 3.3. Departures from the paper:
# - content and position are projected by a dense layer each, of queries and keys alike;
#   the transformation of the reference point by content (equation 9) is the caller's.

import keras
from keras import layers, ops

from zoo.layers.object_attention import ObjectAttention
from zoo.ops.dot_product_attention import dot_product_attention

# Shape letters: B batch, H heads, Q query length, K key length, L either, U units,
# D head size.


@keras.saving.register_keras_serializable(package="zoo")
class ConditionalAttention(ObjectAttention):
    """Attention whose score is content times content plus position times position.

    Use it where queries stand somewhere, as DETR's object queries at their anchors: the
    cross terms of a sum, content times position, are not there to be unlearnt. The
    scale is 1 / sqrt(2 D), for a head's query is as long as both parts.

    Args:
        num_heads: number of heads.
        units: size of content and of positions over all heads, and of the output.
        dropout: rate at which weights are dropped while training.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, size).
        values: shape (batch, keys, size).
        query_positions: shape (batch, queries, position_size).
        key_positions: shape (batch, keys, position_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to.
        return_weights: also return the weights.
        training: whether weights are dropped.

    Returns:
        The output, shape (batch, queries, units). With `return_weights` a pair of it
        and the weights, shape (batch, num_heads, queries, keys). A query that may see
        no key gets weights of zero.

    Raises:
        ValueError: sizes do not divide.

    Example:
        >>> attention = ConditionalAttention(num_heads=8, units=256)
        >>> output = attention(objects, cells, object_positions, cell_positions)
    """

    projections = ("query", "key", "value", "query_position", "key_position", "output")

    def __init__(self, num_heads: int, units: int, dropout: float = 0.0, **kwargs):
        super().__init__(num_heads, units, **kwargs)
        self.dropout = dropout
        self.weight_dropout = layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(
        self,
        query_shape,
        values_shape,
        query_positions_shape,
        key_positions_shape,
    ):
        self.dense["query"].build(query_shape)
        self.dense["key"].build(values_shape)
        self.dense["value"].build(values_shape)
        self.dense["query_position"].build(query_positions_shape)
        self.dense["key_position"].build(key_positions_shape)
        self.dense["output"].build((None, None, self.units))

    def call(
        self,
        query,
        values,
        query_positions,
        key_positions,
        key_mask=None,
        return_weights=False,
        training=False,
    ):
        query_BHQD = self._both("query", query, query_positions)
        context_BHQD, weights_BHQK = dot_product_attention(
            query_BHQD,
            self._both("key", values, key_positions),
            self.split("value", values),
            key_mask=key_mask,
            drop=self._drop if training else None,
        )
        output = self.join(context_BHQD)
        return (output, weights_BHQK) if return_weights else output

    def _both(self, name: str, content, positions):
        """Content and position side by side in every head."""
        parts = [self.split(name, content), self.split(f"{name}_position", positions)]
        return ops.concatenate(parts, axis=-1)

    def _drop(self, weights):
        return self.weight_dropout(weights, training=True)

    def get_config(self):
        return super().get_config() | {"dropout": self.dropout}
