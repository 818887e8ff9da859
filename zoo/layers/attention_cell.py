"""One step of a recurrent decoder that attends (Bahdanau et al., 2015)."""
# Departures from the paper (appendix A.2.2):
# - the gated unit is Keras's own GRU or LSTM cell, fed with the previous target word
#   and the context side by side; the paper gives each its own matrix: the same product.
# - without attention the context is one fixed vector at every step, as in the
#   RNN encoder-decoder (RNNencdec) that the paper starts from.

import keras
from keras import layers, ops, tree

# Shape letters: B batch, K key length, H units, U attention units, D value size.


@keras.saving.register_keras_serializable(package="zoo")
class AttentionCell(layers.Layer):
    """Runs one decoding step: attend with the last state, then advance the state.

    Nothing is remembered between calls. What stays the same for a sentence (values,
    projected keys, their mask) is the `memory`, made once by `memory()`; what changes
    is the `state`. `start` makes the first one from the recurrent cell's own, and
    calling the cell under `keras.ops.scan` or in a decoding loop does the rest.

    Args:
        cell: a Keras cell: `keras.layers.GRUCell`, `keras.layers.LSTMCell`, or
            `keras.layers.StackedRNNCells` of them; the last one's state attends.
        attention: a `ScoredAttention` such as `BahdanauAttention` or `LuongAttention`,
            or `None`: the first value is then the context of every step, the
            fixed-length vector of an encoder-decoder without attention.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: the previous target word, shape (batch, input_size).
        state: tuple of tensors, from `start` or the last call.
        memory: the dictionary that `memory()` returned.

    Returns:
        The output, here the new hidden state, shape (batch, output_size); the context
        that led to it, shape (batch, value_size); the attention weights, shape (batch,
        keys); the new state.

    Example:
        >>> cell = AttentionCell(keras.layers.GRUCell(64), BahdanauAttention(64))
        >>> memory = cell.memory(encoder_states, key_mask)
        >>> state = cell.start([first_state])
        >>> hidden, context, weights, state = cell(word, state, memory)
    """

    def __init__(self, cell, attention=None, **kwargs):
        super().__init__(**kwargs)
        self.cell = cell
        self.attention = attention

    def build(self, inputs_shape, memory_shape):
        self._build_parts(inputs_shape, memory_shape, memory_shape["values"][-1])

    def _build_parts(self, inputs_shape, memory_shape, fed_size):
        """Builds cell and attention; `fed_size` stands beside the word in the input."""
        batch, input_size = inputs_shape
        # The parts of a cell that is read from its config come built.
        if not self.cell.built:
            self.cell.build((batch, input_size + fed_size))
        self._build_attention(memory_shape["values"])

    def _build_attention(self, values_shape):
        if self.attention is not None and not self.attention.built:
            self.attention.build((values_shape[0], 1, self.hidden_size), values_shape)

    @property
    def state_sizes(self) -> list[int]:
        """The sizes of the recurrent cell's state tensors, layer by layer."""
        return tree.flatten(self.cell.state_size)

    @property
    def num_states(self) -> int:
        """How many tensors the recurrent cell's state holds: 1 a GRU, 2 an LSTM."""
        return len(self.state_sizes)

    @property
    def hidden_size(self) -> int:
        """The size of the hidden state that attends."""
        return self.state_sizes[self._top]

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.hidden_size

    @property
    def _top(self) -> int:
        """Which state tensor is the hidden state of the last layer."""
        if not isinstance(self.cell, layers.StackedRNNCells):
            return 0
        return self.num_states - len(tree.flatten(self.cell.cells[-1].state_size))

    @property
    def _counts_steps(self) -> bool:
        return self.attention is not None and self.attention.window == "local_m"

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
            self._build_attention(tuple(values.shape))
            memory["keys"] = self.attention.project_keys(values)
        return memory

    def start(self, states) -> tuple:
        """The state before the first step.

        Args:
            states: the recurrent cell's tensors, each (batch, size), in the order of
                `state_sizes`.

        Returns:
            Those, and the number of the step, shape (batch,), where the attention goes
            by it.
        """
        states = tuple(states)
        if self._counts_steps:
            states += (ops.zeros_like(states[0][:, 0], dtype="int32"),)
        return states

    def call(self, inputs, state, memory):
        states, rest = self._split(state)
        context_BD, weights_BK = self._attend(states[self._top], rest, memory)
        hidden_BH, states = self._advance(
            ops.concatenate([inputs, context_BD], axis=-1), states
        )
        return hidden_BH, context_BD, weights_BK, states + self._count(rest)

    def _split(self, state):
        return tuple(state[: self.num_states]), tuple(state[self.num_states :])

    def _attend(self, hidden_BH, rest, memory):
        if self.attention is None:
            values_BKD = memory["values"]
            return values_BKD[:, 0], ops.ones_like(values_BKD[:, :, 0])
        context_B1D, weights_B1K = self.attention(
            ops.expand_dims(hidden_BH, 1),
            memory["values"],
            key_mask=memory["key_mask"],
            keys=memory["keys"],
            query_positions=(
                ops.expand_dims(rest[0], 1) if self._counts_steps else None
            ),
        )
        return ops.squeeze(context_B1D, 1), ops.squeeze(weights_B1K, 1)

    def _advance(self, inputs, states):
        sizes = self.cell.state_size
        nested = sizes if isinstance(sizes, list | tuple) else [sizes]
        hidden_BH, states = self.cell(
            inputs, tree.pack_sequence_as(nested, list(states))
        )
        return hidden_BH, tuple(tree.flatten(states))

    def _count(self, rest) -> tuple:
        return (rest[0] + 1,) if self._counts_steps else ()

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
