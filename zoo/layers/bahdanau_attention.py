"""Additive attention (Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473)."""

import keras
from keras import layers, ops

from zoo.layers.scored_attention import ScoredAttention
from zoo.ops.attention import additive_scores

# Shape letters: B batch, Q query length, K key length, U units, D value size.


@keras.saving.register_keras_serializable(package="zoo")
class BahdanauAttention(ScoredAttention):
    """Additive attention with its own query, key and score weights.

    Use it where a recurrent decoder looks back at encoder states. Unlike
    `keras.layers.AdditiveAttention`, which owns a single scale vector and needs
    queries and keys of one size, this layer holds all three weights of the paper
    (appendix A.1.2): `a(s, h) = v . tanh(W s + U h)`; queries and values may have any
    sizes.

    With `normalize=True` the score vector is `g v / |v|` and a bias is added inside
    the tanh (weight normalisation, Salimans and Kingma, 2016): the "normed Bahdanau"
    attention, which trains more steadily. It starts with `g = sqrt(1 / units)`.

    Args:
        units: size of the space in which queries and keys are compared.
        normalize: use the normed variant.
        **kwargs: `window` and `window_width`, for `ScoredAttention`; `name`, `dtype`
            and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        values: shape (batch, keys, value_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to. A row
            without any such key gives a context and weights of zeros.
        keys: what `project_keys(values)` returned, to spare that product when the
            same values are asked many times; computed when not given.
        query_positions: see `ScoredAttention`.

    Returns:
        The context, shape (batch, queries, value_size), and the attention weights,
        shape (batch, queries, keys).

    Raises:
        ValueError: `units` is not positive.

    Example:
        >>> attention = BahdanauAttention(units=32)
        >>> context, weights = attention(query, values, key_mask=key_mask)
    """

    def __init__(self, units: int, normalize: bool = False, **kwargs):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(
                f"units must be a positive integer. Received: units={units}."
            )
        self.units = units
        self.normalize = normalize
        self.query_dense = layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="query"
        )
        self.key_dense = layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="key"
        )

    def build_scores(self, query_shape, values_shape):
        self.query_dense.build(query_shape)
        # `project_keys` may have been called before the layer itself.
        if not self.key_dense.built:
            self.key_dense.build(values_shape)
        self.score_vector = self.add_weight(
            shape=(self.units,), initializer="glorot_uniform", name="score_vector"
        )
        if self.normalize:
            self.score_gain = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(self.units**-0.5),
                name="score_gain",
            )
            self.score_bias = self.add_weight(
                shape=(self.units,), initializer="zeros", name="score_bias"
            )

    def project_keys(self, values):
        return self.key_dense(values)

    def scores(self, query, keys):
        query_BQU = self.query_dense(query)
        if not self.normalize:
            return additive_scores(query_BQU, keys, self.score_vector)
        vector_U = ops.convert_to_tensor(self.score_vector)
        direction_U = vector_U / ops.sqrt(ops.sum(ops.square(vector_U)))
        return additive_scores(
            query_BQU, keys, self.score_gain * direction_U, self.score_bias
        )

    def get_config(self):
        config = super().get_config()
        config.update(units=self.units, normalize=self.normalize)
        return config
