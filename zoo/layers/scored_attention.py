"""What attention with a scoring function and an alignment window has in common."""

import keras
from keras import layers, ops

from zoo.layers.alignment_window import AlignmentWindow
from zoo.ops.attention import masked_softmax

# Shape letters: B batch, Q query length, K key length, D value size.


class ScoredAttention(layers.Layer):
    """Base of attention layers that score every query against every key.

    A subclass says how: `build_scores` makes its weights, `project_keys` computes what
    depends on the values alone, and `scores` compares. This class masks, applies the
    window, normalises and averages the values.

    Args:
        window: "global", "local_m" or "local_p", see `AlignmentWindow`.
        window_width: D of the local windows, at least 1.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        values: shape (batch, keys, value_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to. A row
            without any such key gives a context and weights of zeros.
        keys: what `project_keys(values)` returned, to spare that product when the
            same values are asked many times; computed when not given.
        query_positions: integers, shape (batch, queries), the step t of each query,
            which "local_m" goes by; 0, 1, 2, … when not given.

    Returns:
        The context, shape (batch, queries, value_size), and the attention weights,
        shape (batch, queries, keys). A row of weights sums to 1, or to 0 where nothing
        may be attended to; with "local_p" the Gaussian makes it less than 1, as in the
        paper.
    """

    def __init__(self, window: str = "global", window_width: int = 10, **kwargs):
        super().__init__(**kwargs)
        self.window = window
        self.window_width = window_width
        self.alignment_window = AlignmentWindow(
            window, window_width, dtype=self.dtype_policy, name="window"
        )

    def build_scores(self, query_shape, values_shape):
        """Makes the weights of the scoring function."""
        raise NotImplementedError

    def project_keys(self, values):
        """Projects values once for many calls: (batch, keys, …)."""
        raise NotImplementedError

    def scores(self, query, keys):
        """Compares: (batch, queries, keys)."""
        raise NotImplementedError

    def reach(self, num_keys):
        """Booleans, shape (keys,): which positions can be scored; `None` for all."""
        return None

    def choose(self, weights_BQK):
        """The last word on the weights; soft attention takes them as they are."""
        return weights_BQK

    def build(self, query_shape, values_shape):
        self.build_scores(query_shape, values_shape)
        self.alignment_window.build(query_shape)

    def call(self, query, values, key_mask=None, keys=None, query_positions=None):
        if keys is None:
            keys = self.project_keys(values)
        num_keys = ops.shape(values)[1]
        mask_BQK, factor_BQK = self.alignment_window(
            query,
            num_keys=num_keys,
            key_mask=key_mask,
            query_positions=query_positions,
        )
        reach_K = self.reach(num_keys)
        if reach_K is not None:
            mask_BQK = (
                reach_K if mask_BQK is None else ops.logical_and(mask_BQK, reach_K)
            )
        weights_BQK = masked_softmax(self.scores(query, keys), mask_BQK)
        if factor_BQK is not None:
            weights_BQK = weights_BQK * ops.cast(factor_BQK, weights_BQK.dtype)
        weights_BQK = self.choose(weights_BQK)
        return ops.matmul(weights_BQK, values), weights_BQK

    def compute_output_spec(
        self, query, values, key_mask=None, keys=None, query_positions=None
    ):
        batch, queries, _ = query.shape
        _, num_keys, value_size = values.shape
        return (
            keras.KerasTensor((batch, queries, value_size), dtype=self.compute_dtype),
            keras.KerasTensor((batch, queries, num_keys), dtype=self.compute_dtype),
        )

    def get_config(self):
        config = super().get_config()
        config.update(window=self.window, window_width=self.window_width)
        return config
