"""One step of the recurrent decoder of Luong et al. (2015), with input feeding."""
# https://arxiv.org/abs/1508.04025. The step goes h_t -> a_t -> c_t -> h~_t (section
# 3.1), where Bahdanau's goes h_{t-1} -> a_t -> c_t -> h_t.

import keras
from keras import layers, ops

from zoo.layers.attention_cell import AttentionCell

# Shape letters: B batch, K key length, H units, A attentional size, D value size.


@keras.saving.register_keras_serializable(package="zoo")
class LuongCell(AttentionCell):
    """Runs one decoding step: advance the state, then attend with the new one.

    The output is the attentional vector h~ = tanh(W [c; h]) (equation 5), from which
    the next word is told directly. With input feeding (section 3.3) the last step's
    h~ stands beside the previous word in the cell's input, so that the decoder knows
    where it has looked.

    Args:
        cell: as for `AttentionCell`.
        attention: as for `AttentionCell`, but not `None`.
        attentional_size: size of h~.
        input_feeding: whether h~ is fed to the next step.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: the previous target word, shape (batch, input_size).
        state: tuple of tensors, from `start` or the last call.
        memory: the dictionary that `memory()` returned.

    Returns:
        The attentional vector, shape (batch, attentional_size); the context, shape
        (batch, value_size); the attention weights, shape (batch, keys); the new state.

    Raises:
        ValueError: `attention` is `None`, or `attentional_size` is not positive.

    Example:
        >>> cell = LuongCell(keras.layers.LSTMCell(64), LuongAttention(), 32, True)
        >>> memory = cell.memory(encoder_states, key_mask)
        >>> state = cell.start([hidden_state, carry])
        >>> output, context, weights, state = cell(word, state, memory)
    """

    def __init__(
        self,
        cell,
        attention,
        attentional_size: int,
        input_feeding: bool = False,
        **kwargs,
    ):
        super().__init__(cell, attention, **kwargs)
        if attention is None or attentional_size < 1:
            raise ValueError(
                "LuongCell needs an attention layer and a positive attentional_size. "
                f"Received: attention={attention}, attentional_size={attentional_size}."
            )
        self.attentional_size = attentional_size
        self.input_feeding = input_feeding
        self.attentional_dense = layers.Dense(
            attentional_size,
            activation="tanh",
            use_bias=False,
            dtype=self.dtype_policy,
            name="attentional",
        )

    def build(self, inputs_shape, memory_shape):
        fed_size = self.attentional_size if self.input_feeding else 0
        self._build_parts(inputs_shape, memory_shape, fed_size)
        value_size = memory_shape["values"][-1]
        self.attentional_dense.build((None, value_size + self.hidden_size))

    @property
    def output_size(self) -> int:
        return self.attentional_size

    def start(self, states) -> tuple:
        """The state before the first step; the attentional vector starts at zeros."""
        state = super().start(states)
        if not self.input_feeding:
            return state
        fed_B1 = ops.zeros_like(state[0][:, :1])
        return (*state, ops.repeat(fed_B1, self.attentional_size, axis=1))

    def call(self, inputs, state, memory):
        states, rest = self._split(state)
        if self.input_feeding:
            inputs = ops.concatenate([inputs, rest[-1]], axis=-1)
        hidden_BH, states = self._advance(inputs, states)
        context_BD, weights_BK = self._attend(hidden_BH, rest, memory)
        output_BA = self.attentional_dense(
            ops.concatenate([context_BD, hidden_BH], axis=-1)
        )
        fed = (output_BA,) if self.input_feeding else ()
        state = states + self._count(rest) + fed
        return output_BA, context_BD, weights_BK, state

    def get_config(self):
        config = super().get_config()
        config.update(
            attentional_size=self.attentional_size, input_feeding=self.input_feeding
        )
        return config
