"""One step of a recurrent decoder that attends (Bahdanau et al., 2015)."""
# Departures from the paper (appendix A.2.2):
# - the gated unit is Keras's own GRU or LSTM cell, fed with the previous target word
#   and the context side by side; the paper gives each its own matrix: the same product.
# - without attention the context is one fixed vector at every step, as in the
#   RNN encoder-decoder (RNNencdec) that the paper starts from.

import keras
from keras import layers, ops

# Shape letters: B batch, K key length, H units, U attention units, D value size.


@keras.saving.register_keras_serializable(package="zoo")
class AttentionCell(layers.Layer):
    """Runs one decoding step: attend with the last state, then advance the state.

    Nothing is remembered between calls. What stays the same for a sentence (values,
    projected keys, their mask) is the `memory`, made once by `memory()`; what changes
    is the `state`. `initial_state` makes the first one, and calling the cell under
    `keras.ops.scan` or in a decoding loop does the rest.

    Args:
        cell: a Keras cell, `keras.layers.GRUCell` or `keras.layers.LSTMCell`.
        attention: a layer with the call of `BahdanauAttention` and its
            `project_keys`, or `None`: the first value is then the context of every
            step, the fixed-length vector of an encoder-decoder without attention.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: the previous target word, shape (batch, input_size).
        state: tuple of the cell's states, each (batch, units).
        memory: the dictionary that `memory()` returned.

    Returns:
        The new hidden state, shape (batch, units); the context that led to it, shape
        (batch, value_size); the attention weights, shape (batch, keys); the new state.

    Example:
        >>> cell = AttentionCell(keras.layers.GRUCell(64), BahdanauAttention(64))
        >>> memory = cell.memory(encoder_states, key_mask)
        >>> hidden, context, weights, state = cell(word, state, memory)
    """

    def __init__(self, cell, attention=None, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell
        self.attention = attention

    def build(self, inputs_shape, memory_shape):
        batch, input_size = inputs_shape
        values_shape = memory_shape["values"]
        # The parts of a cell that is read from its config come built.
        if not self.cell.built:
            self.cell.build((batch, input_size + values_shape[-1]))
        if self.attention is not None and not self.attention.built:
            self.attention.build((batch, 1, self.cell.units), values_shape)

    @property
    def num_states(self) -> int:
        """How many tensors the cell's state holds: 1 for a GRU, 2 for an LSTM."""
        size = self.cell.state_size
        return len(size) if isinstance(size, list | tuple) else 1

    def memory(self, values, key_mask=None) -> dict:
        """What the cell needs at every step of a sentence, computed once.

        Args:
            values: encoder states, shape (batch, keys, value_size).
            key_mask: booleans, shape (batch, keys), True = may be attended to.

        Returns:
            Dictionary of tensors whose first axis is the batch.
        """
        if key_mask is None:
            key_mask = ops.ones_like(values[:, :, 0], dtype="bool")
        memory = {"values": values, "key_mask": key_mask}
        if self.attention is not None:
            memory["keys"] = self.attention.project_keys(values)
        return memory

    def call(self, inputs, state, memory):
        if self.attention is None:
            values_BKD = memory["values"]
            context_BD = values_BKD[:, 0]
            weights_BK = ops.ones_like(values_BKD[:, :, 0])
        else:
            context_B1D, weights_B1K = self.attention(
                ops.expand_dims(state[0], 1),
                memory["values"],
                key_mask=memory["key_mask"],
                keys=memory["keys"],
            )
            context_BD = ops.squeeze(context_B1D, 1)
            weights_BK = ops.squeeze(weights_B1K, 1)
        hidden_BH, state = self.cell(
            ops.concatenate([inputs, context_BD], axis=-1), list(state)
        )
        return hidden_BH, context_BD, weights_BK, tuple(state)

    def get_config(self):
        config = super().get_config()
        config.update(
            cell=keras.saving.serialize_keras_object(self.cell),
            attention=keras.saving.serialize_keras_object(self.attention),
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for part in ("cell", "attention"):
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)
