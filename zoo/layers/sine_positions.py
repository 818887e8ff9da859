"""Fixed positions for sequences (Vaswani et al., 2017, section 3.5)."""

import keras
from keras import layers, ops

from zoo.ops.positions import LAYOUTS, sine_positions

# Shape letters: L length, C size.


@keras.saving.register_keras_serializable(package="zoo")
class SinePositions(layers.Layer):
    """Sine positions to add to word embeddings.

    Nothing is learned, and there is no longest sequence. Use `PositionEmbedding` where
    the positions themselves are learned, as in BERT.

    Args:
        base: the ratio of the longest wavelength to the shortest.
        layout: which numbers stand where; "interleaved" is the paper's, "halves" and
            "tensor2tensor" are those of translation checkpoints; `zoo.ops.positions`
            says how they differ.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: shape (batch, length, size), with an even size. Only the shape counts.
        start: the position of the first one, for decoding step by step.

    Returns:
        Positions to add to `inputs`, shape (1, length, size).

    Raises:
        ValueError: no such layout, or an odd size.

    Example:
        >>> words = embedding(token_ids)
        >>> words = words + SinePositions()(words)
    """

    def __init__(self, base: float = 10000.0, layout: str = "interleaved", **kwargs):
        super().__init__(**kwargs)
        if layout not in LAYOUTS:
            raise ValueError(
                f"layout must be one of {LAYOUTS}. Received: layout={layout}."
            )
        self.base = base
        self.layout = layout

    def call(self, inputs, start=0):
        positions_L = ops.arange(ops.shape(inputs)[1], dtype="int32") + start
        table_LC = sine_positions(positions_L, inputs.shape[-1], self.base, self.layout)
        return ops.cast(ops.expand_dims(table_LC, 0), self.compute_dtype)

    def compute_output_spec(self, inputs, start=0):
        return keras.KerasTensor((1, *inputs.shape[1:]), dtype=self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(base=self.base, layout=self.layout)
        return config
