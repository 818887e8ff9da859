"""One block of a Transformer's encoder (Vaswani et al., 2017, section 3.1)."""
# Departures from the paper are those of `residual_block` and of the parts, and:
# - positions may be added to queries and keys in every block, never to values, as in
#   DETR (Carion et al., 2020, appendix A.3), where the paper adds them to the words.

import keras

from zoo.layers.residual_block import ResidualBlock, build_once, with_positions


@keras.saving.register_keras_serializable(package="zoo")
class EncoderBlock(ResidualBlock):
    """Self-attention, then a feed-forward network, each with a residual connection.

    The same block serves translation, BERT (`norm="post"`, `epsilon=1e-12`, a
    feed-forward network with "gelu") and DETR (`norm="post"`, `positions`).

    Args:
        attention: a `MultiHeadAttention`. Its name, like that of `feed_forward`, is
            part of its weights' address.
        feed_forward: a `FeedForward`.
        norm: "post", the paper's normalisation of each sum, or "pre", of each part's
            inputs, which trains without warm-up; the model then normalises the last
            block's outputs.
        dropout: share of each part's result that is dropped while training.
        epsilon: what the normalisations add to the variance.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length, size).
        key_mask: booleans, shape (batch, length), True = may be attended to.
        positions: added to queries and keys, of a shape that broadcasts to that of
            the inputs, or `None`.
        return_weights: return the attention weights too.

    Returns:
        Shape (batch, length, size), or that and the attention weights, shape
        (batch, heads, length, length).

    Raises:
        ValueError: no such `norm`, or dropout is not in [0, 1).

    Example:
        >>> block = EncoderBlock(
        ...     MultiHeadAttention(num_heads=8, units=512, name="attention"),
        ...     FeedForward(2048, name="feed_forward"),
        ... )
        >>> outputs = block(words, key_mask=key_mask)
    """

    parts = ("attention", "feed_forward")

    def __init__(
        self,
        attention,
        feed_forward,
        norm: str = "pre",
        dropout: float = 0.1,
        epsilon: float = 1e-5,
        **kwargs,
    ):
        super().__init__(norm, dropout, epsilon, **kwargs)
        self.attention = attention
        self.feed_forward = feed_forward
        self.attention_norm = self.make_norm("attention_norm")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(self, inputs_shape):
        build_once(self.attention, inputs_shape, inputs_shape)
        build_once(self.feed_forward, inputs_shape)
        build_once(self.attention_norm, inputs_shape)
        build_once(self.feed_forward_norm, inputs_shape)

    def call(
        self,
        inputs,
        key_mask=None,
        positions=None,
        return_weights=False,
        training=False,
    ):
        values = self.before(self.attention_norm, inputs)
        query = with_positions(values, positions)
        update = self.attention(
            query,
            values,
            keys=query,
            key_mask=key_mask,
            return_weights=return_weights,
            training=training,
        )
        update, weights = update if return_weights else (update, None)
        hidden = self.after(self.attention_norm, inputs, update, training)
        values = self.before(self.feed_forward_norm, hidden)
        update = self.feed_forward(values, training=training)
        outputs = self.after(self.feed_forward_norm, hidden, update, training)
        return (outputs, weights) if return_weights else outputs

    def compute_output_spec(
        self,
        inputs,
        key_mask=None,
        positions=None,
        return_weights=False,
        training=False,
    ):
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_weights:
            return outputs
        batch, length, _ = inputs.shape
        shape = (batch, self.attention.num_heads, length, length)
        return outputs, keras.KerasTensor(shape, dtype=self.compute_dtype)
