"""What a position scheme may do to attention."""

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="zoo")
class PositionScheme(layers.Layer):
    """Base of the schemes that tell `MultiHeadAttention` where its tokens stand.

    Each method is a place where attention asks; the answers here change nothing, and a
    scheme overrides what it needs. `build` is given the shape of the projected
    queries, (batch, heads, queries, head_size).

    Distances are integers, position of the key less position of the query, in a
    vector of R = queries + keys - 1 numbers, the lowest first.
    """

    # Whether attention must hold all its weights at once to follow the scheme.
    needs_all_weights = False

    def __init__(self, name: str = "positions", **kwargs):
        super().__init__(name=name, **kwargs)

    def turn(self, heads_BHLD, start=0):
        """Works positions into projected queries or keys.

        Args:
            heads_BHLD: shape (batch, heads, length, head_size).
            start: position of the first.
        """
        return heads_BHLD

    def relative_bias(self, distances_R):
        """Returns what is added to the scores, shape (heads, R), or `None`."""
        return None

    def relative_keys(self, distances_R):
        """Returns what is added to the keys, shape (R, head_size), or `None`."""
        return None

    def relative_values(self, distances_R):
        """Returns what is added to the values, shape (R, head_size), or `None`."""
        return None
