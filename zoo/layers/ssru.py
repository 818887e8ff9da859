"""The simpler simple recurrent unit (Kim et al., 2019)."""
# https://aclanthology.org/D19-5632, section 2.1. f_t is the share of the old state that
# stays, as in the paper: f_t = sigmoid(W_f x_t + b_f), c_t = f_t c_{t-1} +
# (1 - f_t) W x_t, o_t = ReLU(c_t). The residual sum and its normalisation belong to the
# block around it.

import keras
from keras import layers, ops

from zoo.ops.attention import at_least_float32
from zoo.ops.linear_recurrence import linear_recurrence

# Shape letters: B batch, L length, U units.


@keras.saving.register_keras_serializable(package="zoo")
class SSRU(layers.Layer):
    """A recurrence whose matrices see the inputs alone, never the state.

    Use it in a decoder in place of self-attention: what it remembers is one vector,
    however long the sequence, so a step costs the same at every position. As the state
    is multiplied by numbers and not by a matrix, a whole sequence is computed at once
    while training.

    Args:
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length, units). What comes later changes nothing earlier.

    Returns:
        Outputs of every step, at least 0, shape (batch, length, units).

    Example:
        >>> recurrence = SSRU()
        >>> outputs = recurrence(words)
        >>> state = recurrence.initial_state(words)  # ... and later, one by one:
        >>> output, state = recurrence.step(words[:, 0], state)
    """

    def build(self, inputs_shape):
        units = inputs_shape[-1]
        self.update_dense = layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="update"
        )
        self.forget_dense = layers.Dense(
            units, activation="sigmoid", dtype=self.dtype_policy, name="forget"
        )
        self.update_dense.build(inputs_shape)
        self.forget_dense.build(inputs_shape)

    def call(self, inputs):
        forget_BLU, update_BLU = self._gated(inputs)
        # The sum of many small parts: never in half precision.
        states_BLU = linear_recurrence(
            at_least_float32(forget_BLU), at_least_float32(update_BLU)
        )
        return ops.cast(ops.relu(states_BLU), self.compute_dtype)

    def initial_state(self, inputs):
        """The state before the first step: zeros, shape (batch, units).

        Args:
            inputs: shape (batch, length, units). Only the shape counts.
        """
        shape = (ops.shape(inputs)[0], inputs.shape[-1])
        return at_least_float32(ops.zeros(shape, self.compute_dtype))

    def step(self, inputs, state):
        """Advances by one step, for decoding.

        Args:
            inputs: shape (batch, units).
            state: from `initial_state` or the last `step`, shape (batch, units).

        Returns:
            The output and the new state, both of shape (batch, units).
        """
        forget_BU, update_BU = self._gated(inputs)
        state = ops.cast(forget_BU, state.dtype) * state + ops.cast(
            update_BU, state.dtype
        )
        return ops.cast(ops.relu(state), self.compute_dtype), state

    def _gated(self, inputs):
        """What stays of the state, and what is added to it."""
        forget = self.forget_dense(inputs)
        return forget, (1.0 - forget) * self.update_dense(inputs)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
