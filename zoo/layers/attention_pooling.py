"""Attention that makes one vector of many (Yang et al., 2016, section 2.2)."""
# Departures from Yang et al. (https://aclanthology.org/N16-1174, equations 5 to 7):
# - with start="mean" the context vector u_w is zero at first: all weights are equal,
#   and training starts from the mean of the values.

import keras
from keras import layers, ops

from zoo.ops.attention import masked_softmax

# Shape letters: B batch, K positions, U units, D value size.

STARTS = ("random", "mean")


@keras.saving.register_keras_serializable(package="zoo")
class AttentionPooling(layers.Layer):
    """Weighs the positions of a sequence and sums them up; nobody asks from outside.

    Use it where one vector must stand for a text: what matters to the task gets the
    weight, and the weights can be looked at. A position's score is `u . tanh(W h + b)`
    with a vector u that is learnt, the "context vector", which asks the same of every
    position of every text.

    Args:
        units: size of the space in which positions are scored.
        start: "random", or "mean": the context vector starts at zero, and the result
            at the mean. It suits an encoder whose mean is known to be good.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        values: shape (batch, positions, size).
        key_mask: booleans, shape (batch, positions), True = may be attended to. A row
            without any such position gives a sum and weights of zeros.

    Returns:
        The sum, shape (batch, size), and the weights, shape (batch, positions).

    Raises:
        ValueError: `units` is not positive, or no such `start`.

    Example:
        >>> pooling = AttentionPooling(units=64)
        >>> vector, weights = pooling(states, key_mask=key_mask)
    """

    def __init__(self, units: int, start: str = "random", **kwargs):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(
                f"units must be a positive integer. Received: units={units}."
            )
        if start not in STARTS:
            raise ValueError(f"start must be one of {STARTS}. Received: start={start}.")
        self.units = units
        self.start = start
        self.hidden_dense = layers.Dense(
            units, activation="tanh", dtype=self.dtype_policy, name="hidden"
        )

    def build(self, values_shape):
        self.hidden_dense.build(values_shape)
        self.context_vector = self.add_weight(
            shape=(self.units,),
            initializer="zeros" if self.start == "mean" else "glorot_uniform",
            name="context_vector",
        )

    def call(self, values, key_mask=None):
        hidden_BKU = self.hidden_dense(values)
        scores_BK = ops.sum(hidden_BKU * self.context_vector, axis=-1)
        weights_BK = masked_softmax(scores_BK, key_mask)
        return ops.einsum("bk,bkd->bd", weights_BK, values), weights_BK

    def compute_output_spec(self, values, key_mask=None):
        batch, positions, size = values.shape
        return (
            keras.KerasTensor((batch, size), dtype=self.compute_dtype),
            keras.KerasTensor((batch, positions), dtype=self.compute_dtype),
        )

    def get_config(self):
        config = super().get_config()
        config.update(units=self.units, start=self.start)
        return config
