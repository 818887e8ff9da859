"""One block of a Transformer's decoder (Vaswani et al., 2017, section 3.1)."""
# Departures from the paper are those of `residual_block` and of the parts, and:
# - positions may be added to queries and keys in every block, never to values, as in
#   DETR (Carion et al., 2020, appendix A.3): `positions` are its object queries, whose
#   stream `inputs` starts at zeros, `memory_positions` those of the image's cells.

import keras
from keras import ops

from zoo.layers.residual_block import ResidualBlock, build_once, with_positions


@keras.saving.register_keras_serializable(package="zoo")
class DecoderBlock(ResidualBlock):
    """Self-attention, attention to a memory, then a feed-forward network.

    Each has a residual connection. Calling the block runs it along whole sequences.
    `start` and `advance` run it step by step with the same result, for a self-attention
    that is causal: nothing is remembered between calls, the cache is an argument and a
    result.

    Args:
        self_attention: a `MultiHeadAttention`, causal for translation and not for
            DETR. Its name, like those of the other parts, is part of its weights'
            address.
        cross_attention: a `MultiHeadAttention`, not causal.
        feed_forward: a `FeedForward`.
        norm: "post", the paper's normalisation of each sum, or "pre", of each part's
            inputs; the model then normalises the last block's outputs.
        dropout: share of each part's result that is dropped while training.
        epsilon: what the normalisations add to the variance.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length, size).
        memory: what the encoder made, shape (batch, keys, memory_size).
        key_mask: booleans, shape (batch, length), True = may be attended to.
        memory_mask: the same for the memory, shape (batch, keys).
        positions: added to the queries of both attentions and the keys of the first,
            of a shape that broadcasts to that of the inputs, or `None`.
        memory_positions: added to the keys made of the memory, or `None`.
        return_weights: return both attentions' weights too.

    Returns:
        Shape (batch, length, size), or that and a pair of weights, of shapes
        (batch, heads, length, length) and (batch, heads, length, keys).

    Raises:
        ValueError: no such `norm`, or dropout is not in [0, 1).

    Example:
        >>> block = DecoderBlock(
        ...     MultiHeadAttention(8, 512, causal=True, name="self_attention"),
        ...     MultiHeadAttention(8, 512, name="cross_attention"),
        ...     FeedForward(2048, name="feed_forward"),
        ... )
        >>> outputs = block(words, memory, memory_mask=memory_mask)
    """

    parts = ("self_attention", "cross_attention", "feed_forward")

    def __init__(
        self,
        self_attention,
        cross_attention,
        feed_forward,
        norm: str = "pre",
        dropout: float = 0.1,
        epsilon: float = 1e-5,
        **kwargs,
    ):
        super().__init__(norm, dropout, epsilon, **kwargs)
        self.self_attention = self_attention
        self.cross_attention = cross_attention
        self.feed_forward = feed_forward
        self.self_attention_norm = self.make_norm("self_attention_norm")
        self.cross_attention_norm = self.make_norm("cross_attention_norm")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(self, inputs_shape, memory_shape):
        self.size = inputs_shape[-1]
        build_once(self.self_attention, inputs_shape, inputs_shape)
        build_once(self.cross_attention, inputs_shape, memory_shape)
        build_once(self.feed_forward, inputs_shape)
        build_once(self.self_attention_norm, inputs_shape)
        build_once(self.cross_attention_norm, inputs_shape)
        build_once(self.feed_forward_norm, inputs_shape)

    def call(
        self,
        inputs,
        memory,
        key_mask=None,
        memory_mask=None,
        positions=None,
        memory_positions=None,
        return_weights=False,
        training=False,
    ):
        values = self.before(self.self_attention_norm, inputs)
        query = with_positions(values, positions)
        update = self.self_attention(
            query,
            values,
            keys=query,
            key_mask=key_mask,
            return_weights=return_weights,
            training=training,
        )
        update, weights = update if return_weights else (update, None)
        hidden = self.after(self.self_attention_norm, inputs, update, training)
        outputs, memory_weights = self._after_self_attention(
            hidden,
            positions,
            return_weights,
            training,
            values=memory,
            keys=with_positions(memory, memory_positions),
            key_mask=memory_mask,
        )
        return (outputs, (weights, memory_weights)) if return_weights else outputs

    def compute_output_spec(
        self,
        inputs,
        memory,
        key_mask=None,
        memory_mask=None,
        positions=None,
        memory_positions=None,
        return_weights=False,
        training=False,
    ):
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_weights:
            return outputs
        batch, length, _ = inputs.shape
        weights = tuple(
            keras.KerasTensor(
                (batch, attention.num_heads, length, keys), dtype=self.compute_dtype
            )
            for attention, keys in (
                (self.self_attention, length),
                (self.cross_attention, memory.shape[1]),
            )
        )
        return outputs, weights

    def start(self, memory, memory_positions=None) -> dict:
        """The cache of a sequence of which nothing has been read yet.

        Args:
            memory: shape (batch, keys, memory_size).
            memory_positions: as in the call.

        Returns:
            Nested dictionary of tensors whose first axis is the batch: "memory", the
            projected memory, which stays, and "self", which `advance` lengthens from
            nothing.

        Raises:
            ValueError: the self-attention is not causal, or the block is not built.
        """
        if not self.built:
            raise ValueError(
                "The size of the inputs is not known yet. Received: a block that is "
                "not built. Call it once, or its build() with both shapes."
            )
        if not self.self_attention.causal:
            raise ValueError(
                "Step by step, a token cannot attend to later ones as it does in a "
                "whole sequence. Received: a self_attention with causal=False. Call "
                "the block with the whole sequence, or make it with causal=True."
            )
        memory = ops.cast(memory, self.compute_dtype)
        nothing = ops.zeros((ops.shape(memory)[0], 0, self.size), self.compute_dtype)
        keys = with_positions(memory, memory_positions)
        return {
            "self": self.self_attention.project(nothing),
            "memory": self.cross_attention.project(memory, keys),
        }

    def advance(self, inputs, cache, memory_mask=None, positions=None):
        """Runs the block along what comes next in each sequence.

        Args:
            inputs: the next one or more tokens, shape (batch, length, size).
            cache: what `start` or the last `advance` returned.
            memory_mask: as in the call.
            positions: as in the call, those of `inputs`.

        Returns:
            Outputs of the shape of the inputs, the weights of the attention to the
            memory, shape (batch, heads, length, keys), and the longer cache.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        values = self.before(self.self_attention_norm, inputs)
        query = with_positions(values, positions)
        seen = self.self_attention.extend(cache["self"], values, query)
        update = self.self_attention(query, cache=seen)
        hidden = self.after(self.self_attention_norm, inputs, update)
        outputs, weights = self._after_self_attention(
            hidden,
            positions,
            return_weights=True,
            cache=cache["memory"],
            key_mask=memory_mask,
        )
        return outputs, weights, {"self": seen, "memory": cache["memory"]}

    def _after_self_attention(
        self, hidden, positions, return_weights, training=False, **memory
    ):
        """Attends to the memory, given as values and keys or as a cache, and ends."""
        values = self.before(self.cross_attention_norm, hidden)
        update = self.cross_attention(
            with_positions(values, positions),
            return_weights=return_weights,
            training=training,
            **memory,
        )
        update, weights = update if return_weights else (update, None)
        hidden = self.after(self.cross_attention_norm, hidden, update, training)
        values = self.before(self.feed_forward_norm, hidden)
        update = self.feed_forward(values, training=training)
        return self.after(self.feed_forward_norm, hidden, update, training), weights
