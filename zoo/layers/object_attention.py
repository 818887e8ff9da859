"""What attentions of object queries to cells share: heads side by side."""

import keras
from keras import layers, ops

# Shape letters: B batch, H heads, Q query length, K key length, L either, U units,
# D head size.


class ObjectAttention(layers.Layer):
    """Base of attentions that are given where queries and keys are, each of them.

    A subclass names its `projections`.

    Args:
        num_heads: number of heads.
        units: size over all heads, and of the output.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: sizes do not divide.
    """

    # Names of the dense layers, "output" among them.
    projections: tuple[str, ...] = ()

    def __init__(self, num_heads: int, units: int, **kwargs):
        super().__init__(**kwargs)
        if num_heads < 1 or units < 1 or units % num_heads:
            raise ValueError(
                "units must be a positive multiple of num_heads. Received: "
                f"units={units}, num_heads={num_heads}."
            )
        self.num_heads = num_heads
        self.units = units
        self.dense = {
            name: layers.Dense(units, dtype=self.dtype_policy, name=name)
            for name in self.projections
        }

    def split(self, name: str, inputs_BLX):
        """A projection's result, head by head: shape (batch, heads, length, size)."""
        heads_BLU = self.dense[name](inputs_BLX)
        batch, length, units = ops.shape(heads_BLU)
        shape = (batch, length, self.num_heads, units // self.num_heads)
        return ops.transpose(ops.reshape(heads_BLU, shape), (0, 2, 1, 3))

    def join(self, context_BHQD):
        """The output of what the heads gathered, shape (batch, queries, units)."""
        batch, _, queries, _ = ops.shape(context_BHQD)
        context_BQHD = ops.transpose(context_BHQD, (0, 2, 1, 3))
        return self.dense["output"](
            ops.reshape(context_BQHD, (batch, queries, self.units))
        )

    def compute_output_spec(
        self, query, values, *places, return_weights=False, **others
    ):
        batch, queries, _ = query.shape
        output = keras.KerasTensor(
            (batch, queries, self.units), dtype=self.compute_dtype
        )
        shape = (batch, self.num_heads, queries, values.shape[1])
        weights = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (output, weights) if return_weights else output

    def get_config(self):
        config = super().get_config()
        config.update(num_heads=self.num_heads, units=self.units)
        return config
