"""Scaled dot-product attention over several heads (Vaswani et al., 2017)."""

from keras import ops

from zoo.ops.attention import softmax
from zoo.ops.masking import visible_keys
from zoo.ops.relative import by_distance, by_key

# Shape letters: B batch, H query heads, G key and value heads, Q query length,
# K key length, D head size, R = Q + K - 1 relative distances.

# A finite stand-in for -inf: inf - inf would be NaN in a fully masked row.
LOWEST = -3e38


def dot_product_attention(
    query_BHQD,
    keys_BGKD,
    values_BGKD,
    bias_HR=None,
    bias_BHQK=None,
    relative_keys_RD=None,
    relative_values_RD=None,
    drop=None,
    **visibility,
):
    """Attention with all its weights at once: softmax(Q K^T / sqrt(D)) V, equation 1.

    Args:
        query_BHQD: projected queries, shape (batch, heads, queries, head_size).
        keys_BGKD: projected keys, shape (batch, key_value_heads, keys, head_size);
            each key head serves `heads / key_value_heads` query heads in a row.
        values_BGKD: projected values, of the shape of the keys.
        bias_HR: added to the scores by distance, as `zoo.ops.relative.distances`
            orders them, or `None`.
        bias_BHQK: added to the scores, or `None`.
        relative_keys_RD: added to the keys by distance (Shaw et al., 2018,
            equation 4), or `None`.
        relative_values_RD: added to the values by distance (equation 3), or `None`.
        drop: function applied to the weights before they are used, or `None`.
        **visibility: for `zoo.ops.masking.visible_keys`.

    Returns:
        The context, of the shape of the query, and the weights that made it, shape
        (batch, heads, queries, keys). Both are zero in rows with nothing to see.
    """
    num_queries, num_keys = ops.shape(query_BHQD)[2], ops.shape(keys_BGKD)[2]
    query_BHQD = scaled(query_BHQD)
    scores_BHQK = grouped_matmul(query_BHQD, ops.transpose(keys_BGKD, (0, 1, 3, 2)))
    if relative_keys_RD is not None:
        relative_keys_RD = ops.cast(relative_keys_RD, query_BHQD.dtype)
        scores_BHQR = ops.matmul(query_BHQD, ops.transpose(relative_keys_RD))
        scores_BHQK = scores_BHQK + by_key(scores_BHQR, num_keys)
    scores_BHQK = ops.cast(scores_BHQK, "float32")
    if bias_HR is not None:
        bias_H1R = ops.expand_dims(ops.cast(bias_HR, "float32"), 1)
        scores_BHQK = scores_BHQK + by_key(bias_H1R, num_keys)
    if bias_BHQK is not None:
        scores_BHQK = scores_BHQK + ops.cast(bias_BHQK, "float32")
    visible = visible_keys(num_queries, num_keys, **visibility)
    weights_BHQK = softmax(hidden(scores_BHQK, visible))
    weights_BHQK = ops.cast(weights_BHQK, values_BGKD.dtype)
    if drop is not None:
        weights_BHQK = drop(weights_BHQK)
    context_BHQD = grouped_matmul(weights_BHQK, values_BGKD)
    if relative_values_RD is not None:
        relative_values_RD = ops.cast(relative_values_RD, weights_BHQK.dtype)
        context_BHQD = context_BHQD + ops.matmul(
            by_distance(weights_BHQK), relative_values_RD
        )
    # Where nobody asks for the weights, a graph leaves the larger product away.
    return sighted(context_BHQD, visible), sighted(weights_BHQK, visible)


def scaled(query_BHQD):
    """Divides by sqrt(D) where it is cheapest: on the queries, before the product."""
    return query_BHQD * ops.cast(query_BHQD.shape[-1] ** -0.5, query_BHQD.dtype)


def grouped_matmul(left_BHQX, right_BGXY):
    """A product of every head with the key or value head that serves it."""
    heads, groups = left_BHQX.shape[1], right_BGXY.shape[1]
    if heads == groups:
        return ops.matmul(left_BHQX, right_BGXY)
    # The heads of a group become rows of one matrix: nothing is repeated.
    batch, _, rows, inner = ops.shape(left_BHQX)
    columns = ops.shape(right_BGXY)[-1]
    left = ops.reshape(left_BHQX, (batch, groups, heads // groups * rows, inner))
    return ops.reshape(ops.matmul(left, right_BGXY), (batch, heads, rows, columns))


def hidden(scores_BHQK, visible):
    """Float32 scores of which the softmax is zero at keys that are not visible.

    In a row with no visible key the softmax is of no use: see `sighted`.
    """
    if visible is None:
        return scores_BHQK
    # Adding is cheaper than choosing, forwards and backwards.
    return scores_BHQK + ops.where(visible, 0.0, LOWEST)


def sighted(rows_BHQX, visible):
    """Puts zeros into the rows of queries with no visible key."""
    if visible is None:
        return rows_BHQX
    sees_BHQ1 = ops.any(visible, axis=-1, keepdims=True)
    return rows_BHQX * ops.cast(sees_BHQ1, rows_BHQX.dtype)
