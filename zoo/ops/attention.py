"""Scoring and normalising functions of attention, without weights."""

from keras import ops
from keras.config import epsilon

# Shape letters: B batch, Q query length, K key length, U units.


def masked_softmax(scores, mask=None):
    """Softmax over the last axis that gives masked positions exactly zero weight.

    A row in which every position is masked gives zeros (not NaN, not uniform
    weights), with zero gradient. Half precision scores are normalised in float32 and
    returned in their own type.

    Args:
        scores: floats, shape (..., keys).
        mask: booleans that broadcast to `scores`, True = may be attended to, or
            `None` for no mask.

    Returns:
        Weights of the shape and type of `scores`. Each row sums to 1, or to 0 where
        nothing may be attended to.
    """
    scores_type = scores.dtype
    scores = ops.cast(scores, "float32")
    if mask is None:
        return ops.cast(ops.softmax(scores, axis=-1), scores_type)
    # A finite stand-in for -inf: inf - inf would be NaN in a fully masked row.
    scores = ops.where(mask, scores, ops.cast(-3e38, "float32"))
    highest = ops.stop_gradient(ops.max(scores, axis=-1, keepdims=True))
    exponentials = ops.where(mask, ops.exp(scores - highest), 0.0)
    total = ops.sum(exponentials, axis=-1, keepdims=True)
    # In a row with a visible key the total is at least exp(0) = 1.
    return ops.cast(exponentials / ops.maximum(total, epsilon()), scores_type)


def additive_scores(query_BQU, keys_BKU, score_vector_U, bias_U=None):
    """Bahdanau's alignment model on projected queries and keys.

    e_ij = v . tanh(W s_i + U h_j + b), equation in appendix A.1.2 of Bahdanau et al.
    (2015), where `query_BQU` is W s and `keys_BKU` is U h. The paper has no b; the
    normed variant does.

    Args:
        query_BQU: projected queries, shape (batch, queries, units).
        keys_BKU: projected keys, shape (batch, keys, units).
        score_vector_U: v, shape (units,).
        bias_U: b, shape (units,), or `None`.

    Returns:
        Scores, shape (batch, queries, keys).
    """
    hidden_BQKU = ops.expand_dims(query_BQU, 2) + ops.expand_dims(keys_BKU, 1)
    if bias_U is not None:
        hidden_BQKU = hidden_BQKU + bias_U
    return ops.sum(ops.tanh(hidden_BQKU) * score_vector_U, axis=-1)
