"""Fixed positions for images (Carion et al., 2020, appendix A.4)."""

import math

import keras
from keras import layers, ops

from zoo.ops.positions import sine_positions_2d


@keras.saving.register_keras_serializable(package="zoo")
class SinePositions2D(layers.Layer):
    """Sine positions of the cells of a feature map, as in DETR.

    They are added to the queries and keys of attention over cells, never to values.
    Padding does not move them: rows and columns are counted inside each image only.

    Args:
        size: how many numbers describe a cell, a multiple of 4.
        temperature: the ratio of the longest wavelength to the shortest.
        scale: the number of the last row and column.
        epsilon: keeps a row of padding, which counts nothing, from dividing by zero.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: booleans, shape (batch, height, width), True = inside the image. For a
            feature map it is the image's mask at the map's own resolution.

    Returns:
        Positions, shape (batch, height, width, size).

    Raises:
        ValueError: `size` is not a positive multiple of 4.

    Example:
        >>> positions = SinePositions2D(256)(cell_mask)
        >>> positions = keras.ops.reshape(positions, (batch, height * width, 256))
    """

    def __init__(
        self,
        size: int,
        temperature: float = 10000.0,
        scale: float = 2 * math.pi,
        epsilon: float = 1e-6,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if size < 4 or size % 4:
            raise ValueError(
                f"size must be a positive multiple of 4. Received: size={size}."
            )
        self.size = size
        self.temperature = temperature
        self.scale = scale
        self.epsilon = epsilon

    def call(self, inputs):
        positions = sine_positions_2d(
            inputs, self.size, self.temperature, self.scale, self.epsilon
        )
        return ops.cast(positions, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape, self.size), dtype=self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            size=self.size,
            temperature=self.temperature,
            scale=self.scale,
            epsilon=self.epsilon,
        )
        return config
