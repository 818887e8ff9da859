"""Where attention may look: the local windows of Luong et al. (2015), section 3.2."""

from keras import ops

from zoo.ops.attention import at_least_float32

# Shape letters: B batch, Q query length, K key length.


def monotonic_centres(query_positions_BQ, lengths_B):
    """Centres of local-m windows: p_t = t.

    The paper leaves open what happens where a translation outruns its source; here the
    window then stays at the last key.

    Args:
        query_positions_BQ: t, counted from 0, shape (batch, queries).
        lengths_B: S, the number of keys that are no padding, shape (batch,).

    Returns:
        float32, shape (batch, queries).
    """
    last_B1 = ops.expand_dims(ops.cast(lengths_B, "float32") - 1.0, 1)
    return ops.minimum(ops.cast(query_positions_BQ, "float32"), last_B1)


def predicted_centres(logits_BQ, lengths_B):
    """Centres of local-p windows: p_t = S sigmoid(logit), equation 9.

    Args:
        logits_BQ: v . tanh(W h_t), shape (batch, queries).
        lengths_B: S, the number of keys that are no padding, shape (batch,).

    Returns:
        float32 in [0, S], shape (batch, queries).
    """
    logits_BQ = at_least_float32(logits_BQ)
    lengths_B1 = ops.expand_dims(ops.cast(lengths_B, logits_BQ.dtype), 1)
    return lengths_B1 * ops.sigmoid(logits_BQ)


def distances(centres_BQ, num_keys):
    """s - p_t for keys s = 0, 1, …: shape (batch, queries, keys)."""
    keys_K = ops.cast(ops.arange(num_keys), centres_BQ.dtype)
    return keys_K - ops.expand_dims(centres_BQ, 2)


def inside(distances_BQK, width: int):
    """Booleans: which keys lie in the window [p_t - D, p_t + D], where D is `width`."""
    return ops.abs(distances_BQK) <= width


def gaussian(distances_BQK, width: int):
    """exp(-(s - p_t)^2 / (2 sigma^2)) with sigma = D / 2, equation 10."""
    return ops.exp(-2.0 * ops.square(distances_BQK / width))
