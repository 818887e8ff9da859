"""Position-wise feed-forward network (Vaswani et al., 2017, section 3.3)."""
# Departures from the paper (equation 2, FFN(x) = max(0, x W1 + b1) W2 + b2):
# - other activations: BERT has the exact gelu.
# - dropout after the activation, which the paper does not mention but its code
#   (tensor2tensor's `relu_dropout`), Marian's and DETR's have.

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="zoo")
class FeedForward(layers.Layer):
    """Two dense layers with an activation between them, the same at every position.

    Args:
        hidden_size: size between the two layers.
        output_size: size of the result, or `None` for that of the inputs.
        activation: name or function, as in `keras.layers.Dense`. Keras's "gelu" is the
            exact one, with the error function.
        dropout: share of the hidden numbers that is dropped while training.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (..., size).

    Returns:
        Shape (..., output_size).

    Raises:
        ValueError: a size is not positive, or dropout is not in [0, 1).

    Example:
        >>> feed_forward = FeedForward(2048, dropout=0.1)
        >>> outputs = feed_forward(inputs, training=True)
    """

    def __init__(
        self,
        hidden_size: int,
        output_size: int | None = None,
        activation="relu",
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if hidden_size < 1 or (output_size is not None and output_size < 1):
            raise ValueError(
                "hidden_size and output_size must be positive integers. Received: "
                f"hidden_size={hidden_size}, output_size={output_size}."
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout must be at least 0 and below 1. Received: dropout={dropout}."
            )
        self.hidden_size = hidden_size
        self.output_size = output_size
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self.hidden_dense = layers.Dense(
            hidden_size,
            activation=self.activation,
            dtype=self.dtype_policy,
            name="hidden",
        )
        self.output_dense = None
        if output_size is not None:
            self.output_dense = self._output(output_size)
        self.hidden_dropout = layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def _output(self, size):
        return layers.Dense(size, dtype=self.dtype_policy, name="output")

    def build(self, inputs_shape):
        self.hidden_dense.build(inputs_shape)
        if self.output_dense is None:
            self.output_dense = self._output(inputs_shape[-1])
        self.output_dense.build((*inputs_shape[:-1], self.hidden_size))

    def call(self, inputs, training=False):
        hidden = self.hidden_dropout(self.hidden_dense(inputs), training=training)
        return self.output_dense(hidden)

    def compute_output_spec(self, inputs, training=False):
        shape = (*inputs.shape[:-1], self.output_size or inputs.shape[-1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            hidden_size=self.hidden_size,
            output_size=self.output_size,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config
