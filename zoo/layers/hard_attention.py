"""Hard attention with a straight-through gradient."""
# Xu et al. (2015, https://arxiv.org/abs/1502.03044, section 4.1) sample one location
# and learn by REINFORCE. Here the likeliest location is taken, and the gradient is that
# of the soft weights (the straight-through estimator of Bengio et al., 2013,
# https://arxiv.org/abs/1308.3432): no sampling noise, but a biased gradient.

import keras
from keras import ops

from zoo.layers.luong_attention import LuongAttention


@keras.saving.register_keras_serializable(package="zoo")
class HardAttention(LuongAttention):
    """Looks at exactly one key: the one with the highest weight.

    The weights are 1 at that key and 0 elsewhere, or all 0 where no key may be
    attended to. While training, gradients flow as if the soft weights had been used.

    Args:
        **kwargs: those of `LuongAttention`.

    Call arguments:
        as for `LuongAttention`.

    Returns:
        The context, shape (batch, queries, value_size): one of the values; and the
        weights, shape (batch, queries, keys).

    Example:
        >>> attention = HardAttention("general")
        >>> context, weights = attention(query, values)
    """

    def choose(self, weights_BQK):
        likeliest_BQ = ops.argmax(weights_BQK, axis=-1)
        hard_BQK = ops.one_hot(
            likeliest_BQ, ops.shape(weights_BQK)[-1], dtype=weights_BQK.dtype
        )
        seen_BQ1 = ops.max(weights_BQK, axis=-1, keepdims=True) > 0
        hard_BQK = ops.where(seen_BQ1, hard_BQK, ops.zeros_like(hard_BQK))
        # Their difference is exactly zero, so the sum is exactly one-hot.
        return hard_BQK + (weights_BQK - ops.stop_gradient(weights_BQK))
