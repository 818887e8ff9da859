"""Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864)."""

import keras

from zoo.layers.position_scheme import PositionScheme
from zoo.ops.rotary import rotate

LAYOUTS = ("interleaved", "halves")


@keras.saving.register_keras_serializable(package="zoo")
class RotaryPositions(PositionScheme):
    """Turns queries and keys by an angle that grows with their position.

    Use it as `positions` of `MultiHeadAttention`: a score then depends on the distance
    of query and key, with no weights. The head size must be even.

    Args:
        base: the slowest pair of numbers turns once in about 2 pi base positions.
        layout: which numbers make a pair: "interleaved" (0, 1), (2, 3), … as in the
            paper, or "halves", i and i + head_size / 2, as in GPT-NeoX and LLaMA.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: `layout` is unknown, `base` is not positive, or the head size odd.

    Example:
        >>> attention = MultiHeadAttention(8, 512, positions=RotaryPositions())
    """

    def __init__(self, base: float = 10000.0, layout: str = "interleaved", **kwargs):
        super().__init__(**kwargs)
        if base <= 0:
            raise ValueError(f"base must be positive. Received: base={base}.")
        if layout not in LAYOUTS:
            raise ValueError(
                f"layout must be one of {LAYOUTS}. Received: layout={layout!r}."
            )
        self.base = base
        self.layout = layout

    def build(self, heads_shape):
        if heads_shape[-1] % 2:
            raise ValueError(
                "RotaryPositions turns pairs of numbers, so the head size "
                "(units / num_heads) must be even. "
                f"Received: head size {heads_shape[-1]}."
            )

    def turn(self, heads_BHLD, start=0):
        return rotate(heads_BHLD, start, self.base, self.layout == "interleaved")

    def get_config(self):
        config = super().get_config()
        config.update(base=self.base, layout=self.layout)
        return config
