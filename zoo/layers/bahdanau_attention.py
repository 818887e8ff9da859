"""Additive attention (Bahdanau et al., 2015, https://arxiv.org/abs/1409.0473)."""

import keras
from keras import layers, ops

from zoo.ops.attention import additive_scores, masked_softmax
from zoo.ops.masking import expand_key_mask

# Shape letters: B batch, Q query length, K key length, U units, D value size.


@keras.saving.register_keras_serializable(package="zoo")
class BahdanauAttention(layers.Layer):
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
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        values: shape (batch, keys, value_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to. A row
            without any such key gives a context and weights of zeros.
        keys: what `project_keys(values)` returned, to spare that product when the
            same values are asked many times; computed when not given.

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

    def build(self, query_shape, values_shape):
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
        """Projects values once for many calls: (batch, keys, units)."""
        return self.key_dense(values)

    def call(self, query, values, key_mask=None, keys=None):
        keys_BKU = self.project_keys(values) if keys is None else keys
        query_BQU = self.query_dense(query)
        if self.normalize:
            vector_U = ops.convert_to_tensor(self.score_vector)
            direction_U = vector_U / ops.sqrt(ops.sum(ops.square(vector_U)))
            scores_BQK = additive_scores(
                query_BQU, keys_BKU, self.score_gain * direction_U, self.score_bias
            )
        else:
            scores_BQK = additive_scores(query_BQU, keys_BKU, self.score_vector)
        weights_BQK = masked_softmax(scores_BQK, expand_key_mask(key_mask))
        return ops.matmul(weights_BQK, values), weights_BQK

    def compute_output_spec(self, query, values, key_mask=None, keys=None):
        batch, queries, _ = query.shape
        _, num_keys, value_size = values.shape
        return (
            keras.KerasTensor((batch, queries, value_size), dtype=self.compute_dtype),
            keras.KerasTensor((batch, queries, num_keys), dtype=self.compute_dtype),
        )

    def get_config(self):
        config = super().get_config()
        config.update(units=self.units, normalize=self.normalize)
        return config
