"""A learnt query that reads a sequence through several heads."""
# After Lee et al. (2019, https://arxiv.org/abs/1810.00825, section 3.2, "pooling by
# multihead attention"). Departures from the paper:
# - one query, and no feed-forward network or normalisation after it: a classifier's
#   last layer follows.

import keras
from keras import layers, ops

from zoo.layers.multi_head_attention import MultiHeadAttention

# Shape letters: B batch, H heads, K positions, U units.


@keras.saving.register_keras_serializable(package="zoo")
class QueryPooling(layers.Layer):
    """Makes one vector of a sequence: multi-head attention with a learnt query.

    Use it behind a Transformer's encoder in place of a special first token: the query
    stands outside of the sequence, so no position has to be given up for it.

    Args:
        num_heads: how many ways of reading; each has weights of its own.
        units: size of queries, keys and values over all heads.
        dropout: share of the attention weights dropped while training.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        values: shape (batch, positions, size).
        key_mask: booleans, shape (batch, positions), True = may be attended to.
        training: whether dropout acts.

    Returns:
        What was read, shape (batch, size), and the mean of the heads' attention
        weights, shape (batch, positions): zeros in a row where nothing may be attended
        to.

    Raises:
        ValueError: sizes that do not divide.

    Example:
        >>> pooling = QueryPooling(num_heads=4, units=128)
        >>> vector, weights = pooling(states, key_mask=key_mask)
    """

    def __init__(self, num_heads: int, units: int, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.units = units
        self.dropout = dropout
        self.attention = MultiHeadAttention(
            num_heads, units, dropout=dropout, dtype=self.dtype_policy, name="attention"
        )

    def build(self, values_shape):
        size = values_shape[-1]
        self.query = self.add_weight(
            shape=(1, 1, size),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="query",
        )
        self.attention.build((None, 1, size), values_shape)

    def call(self, values, key_mask=None, training=False):
        query_11U = ops.cast(self.query, self.compute_dtype)
        query_B1U = ops.repeat(query_11U, ops.shape(values)[0], axis=0)
        read_B1U, weights_BH1K = self.attention(
            query_B1U,
            values,
            key_mask=key_mask,
            return_weights=True,
            training=training,
        )
        return read_B1U[:, 0], ops.mean(weights_BH1K[:, :, 0], axis=1)

    def compute_output_spec(self, values, key_mask=None, training=False):
        batch, positions, size = values.shape
        return (
            keras.KerasTensor((batch, size), dtype=self.compute_dtype),
            keras.KerasTensor((batch, positions), dtype=self.compute_dtype),
        )

    def get_config(self):
        config = super().get_config()
        config.update(num_heads=self.num_heads, units=self.units, dropout=self.dropout)
        return config
