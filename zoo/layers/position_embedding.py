"""Learned positions (Gehring et al., 2017, https://arxiv.org/abs/1705.03122)."""
# - As BERT (Devlin et al., 2019, https://arxiv.org/abs/1810.04805) uses them: one
#   vector a position, drawn from a truncated normal with deviation 0.02 as in its code.

import keras
from keras import layers, ops

# Shape letters: L length, C size.


@keras.saving.register_keras_serializable(package="zoo")
class PositionEmbedding(layers.Layer):
    """Learned positions to add to word embeddings.

    Use it where a checkpoint has such a table, or where no sequence will ever be longer
    than those seen in training; `SinePositions` has no such limit.

    Args:
        max_length: how many positions there are.
        size: size of a position's vector.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length) or (batch, length, any). Only the length counts.
        start: the position of the first one, for decoding step by step.

    Returns:
        Positions to add to word embeddings, shape (1, length, size).

    Raises:
        ValueError: `max_length` or `size` is not positive, or a length that is known
            beforehand goes past `max_length`.

    Example:
        >>> positions = PositionEmbedding(max_length=512, size=768)
        >>> words = words + positions(words)
    """

    def __init__(self, max_length: int, size: int, **kwargs):
        super().__init__(**kwargs)
        if max_length < 1 or size < 1:
            raise ValueError(
                "max_length and size must be positive integers. "
                f"Received: max_length={max_length}, size={size}."
            )
        self.max_length = max_length
        self.size = size

    def build(self, inputs_shape):
        self.embeddings = self.add_weight(
            shape=(self.max_length, self.size),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="embeddings",
        )

    def call(self, inputs, start=0):
        self._check_length(inputs, start)
        positions_L = ops.arange(ops.shape(inputs)[1], dtype="int32") + start
        table_LC = ops.take(self.embeddings, positions_L, axis=0)
        return ops.cast(ops.expand_dims(table_LC, 0), self.compute_dtype)

    def _check_length(self, inputs, start):
        length = inputs.shape[1]
        known = isinstance(length, int) and isinstance(start, int)
        if known and start + length > self.max_length:
            raise ValueError(
                f"There are max_length={self.max_length} positions. Received: inputs "
                f"of length {length} from start={start}. Cut the inputs, or make the "
                "layer with a larger max_length."
            )

    def compute_output_spec(self, inputs, start=0):
        self._check_length(inputs, start)
        shape = (1, inputs.shape[1], self.size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(max_length=self.max_length, size=self.size)
        return config
