"""A decoder's block with a recurrence in place of self-attention (Kim et al., 2019)."""
# https://aclanthology.org/D19-5632, section 2.1: the SSRU is a part with a residual
# connection like the others. The rest is Vaswani et al. (2017, section 3.1), with the
# departures of `residual_block` and of the parts.

import keras
from keras import ops

from zoo.layers.residual_block import ResidualBlock, build_once


@keras.saving.register_keras_serializable(package="zoo")
class SSRUDecoderBlock(ResidualBlock):
    """An SSRU, attention to a memory, then a feed-forward network.

    Calling the block runs it along whole sequences. `start` and `advance` run it token
    by token with the same result: nothing is remembered between calls, the cache is an
    argument and a result, and does not grow.

    Args:
        recurrence: an `SSRU`. Its name, like those of the other parts, is part of its
            weights' address.
        cross_attention: a `MultiHeadAttention`, not causal.
        feed_forward: a `FeedForward`.
        norm: "post", as Marian's models have it, or "pre"; the model then normalises
            the last block's outputs.
        dropout: share of each part's result that is dropped while training.
        epsilon: what the normalisations add to the variance.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length, size).
        memory: what the encoder made, shape (batch, keys, memory_size).
        memory_mask: booleans, shape (batch, keys), True = may be attended to.
        return_weights: return the weights of the attention too.

    Returns:
        Shape (batch, length, size), or that and the weights, shape
        (batch, heads, length, keys).

    Raises:
        ValueError: no such `norm`, or dropout is not in [0, 1).

    Example:
        >>> block = SSRUDecoderBlock(
        ...     SSRU(name="recurrence"),
        ...     MultiHeadAttention(8, 256, name="cross_attention"),
        ...     FeedForward(1536, name="feed_forward"),
        ... )
        >>> outputs = block(words, memory, memory_mask=memory_mask)
    """

    parts = ("recurrence", "cross_attention", "feed_forward")

    def __init__(
        self,
        recurrence,
        cross_attention,
        feed_forward,
        norm: str = "post",
        dropout: float = 0.1,
        epsilon: float = 1e-5,
        **kwargs,
    ):
        super().__init__(norm, dropout, epsilon, **kwargs)
        self.recurrence = recurrence
        self.cross_attention = cross_attention
        self.feed_forward = feed_forward
        self.recurrence_norm = self.make_norm("recurrence_norm")
        self.cross_attention_norm = self.make_norm("cross_attention_norm")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(self, inputs_shape, memory_shape):
        self.size = inputs_shape[-1]
        build_once(self.recurrence, inputs_shape)
        build_once(self.cross_attention, inputs_shape, memory_shape)
        build_once(self.feed_forward, inputs_shape)
        build_once(self.recurrence_norm, inputs_shape)
        build_once(self.cross_attention_norm, inputs_shape)
        build_once(self.feed_forward_norm, inputs_shape)

    def call(
        self, inputs, memory, memory_mask=None, return_weights=False, training=False
    ):
        update = self.recurrence(self.before(self.recurrence_norm, inputs))
        hidden = self.after(self.recurrence_norm, inputs, update, training)
        outputs, weights = self._after_recurrence(
            hidden,
            return_weights,
            training,
            values=memory,
            key_mask=memory_mask,
        )
        return (outputs, weights) if return_weights else outputs

    def compute_output_spec(
        self, inputs, memory, memory_mask=None, return_weights=False, training=False
    ):
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_weights:
            return outputs
        batch, length, _ = inputs.shape
        shape = (batch, self.cross_attention.num_heads, length, memory.shape[1])
        return outputs, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def start(self, memory) -> dict:
        """The cache of a sequence of which nothing has been read yet.

        Args:
            memory: shape (batch, keys, memory_size).

        Returns:
            Nested dictionary of tensors whose first axis is the batch: "memory", the
            projected memory, which stays, and "state", the recurrence's.

        Raises:
            ValueError: the block is not built.
        """
        if not self.built:
            raise ValueError(
                "The size of the inputs is not known yet. Received: a block that is "
                "not built. Call it once, or its build() with both shapes."
            )
        memory = ops.cast(memory, self.compute_dtype)
        nothing = ops.zeros((ops.shape(memory)[0], 0, self.size), self.compute_dtype)
        return {
            "state": self.recurrence.initial_state(nothing),
            "memory": self.cross_attention.project(memory),
        }

    def advance(self, inputs, cache, memory_mask=None):
        """Runs the block along the next token of each sequence.

        Args:
            inputs: shape (batch, 1, size).
            cache: what `start` or the last `advance` returned.
            memory_mask: as in the call.

        Returns:
            Outputs of the shape of the inputs, the weights of the attention, shape
            (batch, heads, 1, keys), and the new cache.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        values = self.before(self.recurrence_norm, inputs)
        update, state = self.recurrence.step(values[:, 0], cache["state"])
        hidden = self.after(self.recurrence_norm, inputs, update[:, None])
        outputs, weights = self._after_recurrence(
            hidden, return_weights=True, cache=cache["memory"], key_mask=memory_mask
        )
        return outputs, weights, {"state": state, "memory": cache["memory"]}

    def _after_recurrence(self, hidden, return_weights, training=False, **memory):
        """Attends to the memory, given as values or as a cache, and ends."""
        update = self.cross_attention(
            self.before(self.cross_attention_norm, hidden),
            return_weights=return_weights,
            training=training,
            **memory,
        )
        update, weights = update if return_weights else (update, None)
        hidden = self.after(self.cross_attention_norm, hidden, update, training)
        values = self.before(self.feed_forward_norm, hidden)
        update = self.feed_forward(values, training=training)
        return self.after(self.feed_forward_norm, hidden, update, training), weights
