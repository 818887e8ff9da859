"""Global and local alignment windows (Luong et al., 2015, sections 3.1 and 3.2)."""

import keras
from keras import layers, ops

from zoo.ops import windows
from zoo.ops.masking import expand_key_mask

# Shape letters: B batch, Q query length, K key length, U query size.

WINDOWS = ("global", "local_m", "local_p")


@keras.saving.register_keras_serializable(package="zoo")
class AlignmentWindow(layers.Layer):
    """Says which keys a query may look at, and how much the far ones count.

    "global" shows every key. "local_m" (monotonic) shows the keys within `width` of
    the query's own position. "local_p" (predictive) has weights of its own that tell
    the centre from the query, p_t = S sigmoid(v . tanh(W h_t)) (equation 9), and the
    attention weights are multiplied by a Gaussian of standard deviation `width` / 2
    around it (equation 10), which lets the centre learn.

    Positions are counted from 0 at the first key; padding stands at the end.

    Args:
        window: "global", "local_m" or "local_p".
        width: D, at least 1: keys in [p_t - D, p_t + D] are seen. The paper takes 10.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        num_keys: how many keys there are, padding included.
        key_mask: booleans, shape (batch, keys), True = no padding, or `None`.
        query_positions: t of each query, integers, shape (batch, queries), or `None`
            for 0, 1, 2, …

    Returns:
        A boolean mask that broadcasts to (batch, queries, keys), or `None` where every
        key may be seen; and the factor of the same shape to multiply the weights with,
        float32, or `None` for 1.

    Raises:
        ValueError: an unknown `window`, or a `width` below 1.

    Example:
        >>> window = AlignmentWindow("local_m", width=2)
        >>> mask, factor = window(query, num_keys=20, key_mask=key_mask)
    """

    def __init__(self, window: str = "global", width: int = 10, **kwargs):
        super().__init__(**kwargs)
        if window not in WINDOWS:
            raise ValueError(
                f"window must be one of {', '.join(WINDOWS)}. "
                f"Received: window={window!r}."
            )
        if width < 1:
            raise ValueError(f"width must be at least 1. Received: width={width}.")
        self.window = window
        self.width = width

    def build(self, query_shape):
        if self.window == "local_p":
            size = query_shape[-1]
            self.hidden_dense = layers.Dense(
                size,
                activation="tanh",
                use_bias=False,
                dtype=self.dtype_policy,
                name="hidden",
            )
            self.hidden_dense.build(query_shape)
            self.centre_vector = self.add_weight(
                shape=(size,), initializer="glorot_uniform", name="centre_vector"
            )

    def call(self, query, num_keys, key_mask=None, query_positions=None):
        mask_BQK = expand_key_mask(key_mask)
        if self.window == "global":
            return mask_BQK, None
        if key_mask is None:
            lengths_B = ops.full_like(query[:, 0, 0], num_keys, dtype="int32")
        else:
            lengths_B = ops.sum(ops.cast(key_mask, "int32"), axis=1)
        centres_BQ = self._centres(query, lengths_B, query_positions)
        distances_BQK = windows.distances(centres_BQ, num_keys)
        inside_BQK = windows.inside(distances_BQK, self.width)
        if mask_BQK is not None:
            inside_BQK = ops.logical_and(inside_BQK, mask_BQK)
        if self.window == "local_m":
            return inside_BQK, None
        return inside_BQK, windows.gaussian(distances_BQK, self.width)

    def _centres(self, query, lengths_B, query_positions):
        if self.window == "local_p":
            hidden_BQU = self.hidden_dense(query)
            logits_BQ = ops.sum(hidden_BQU * self.centre_vector, axis=-1)
            return windows.predicted_centres(logits_BQ, lengths_B)
        if query_positions is None:
            query_positions = ops.expand_dims(ops.arange(ops.shape(query)[1]), 0)
        return windows.monotonic_centres(query_positions, lengths_B)

    def get_config(self):
        config = super().get_config()
        config.update(window=self.window, width=self.width)
        return config
