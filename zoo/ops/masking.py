"""Boolean masks. One meaning everywhere: True = this position may be attended to."""

import functools

from keras import ops


def padding_mask(token_ids, padding_id: int = 0):
    """Marks the real tokens of a padded batch.

    Args:
        token_ids: integers, any shape.
        padding_id: the id that fills unused positions.

    Returns:
        Booleans of the same shape: True at real tokens, False at padding.
    """
    return ops.not_equal(token_ids, padding_id)


def expand_key_mask(key_mask):
    """Adds the query axis: (batch, keys) becomes (batch, 1, keys).

    The result broadcasts over scores of shape (batch, queries, keys). `None` stays
    `None`, which means that every key may be attended to.
    """
    return None if key_mask is None else ops.expand_dims(key_mask, 1)


def causal_mask(num_queries, num_keys, offset=0):
    """Lets a query see its own position and what came before.

    Args:
        num_queries: number of queries.
        num_keys: number of keys; key number k stands at position k.
        offset: position of the first query: `num_keys - num_queries` where the
            queries are the last of the keys, as in decoding with a cache.

    Returns:
        Booleans, shape (queries, keys).
    """
    return _distances(num_queries, num_keys, offset) <= 0


def window_mask(num_queries, num_keys, window_width: int, offset=0):
    """Lets a query at p see the keys at p - window_width to p + window_width.

    Args:
        num_queries: number of queries.
        num_keys: number of keys; key number k stands at position k.
        window_width: how far to each side a query sees.
        offset: position of the first query.

    Returns:
        Booleans, shape (queries, keys).
    """
    return ops.abs(_distances(num_queries, num_keys, offset)) <= window_width


def visible_keys(
    num_queries,
    num_keys,
    causal: bool = False,
    window_width: int | None = None,
    offset=0,
    key_mask=None,
    attention_mask=None,
):
    """Puts all rules of who sees whom into one mask.

    Args:
        num_queries: number of queries.
        num_keys: number of keys.
        causal: a query sees no later position.
        window_width: how far a query sees, or `None` for any distance.
        offset: position of the first query.
        key_mask: booleans, shape (batch, keys), or `None`.
        attention_mask: booleans, shape (batch, queries, keys), or `None`.

    Returns:
        Booleans that broadcast to (batch, heads, queries, keys), or `None` where every
        query sees every key.
    """
    masks = []
    if causal:
        masks.append(causal_mask(num_queries, num_keys, offset))
    if window_width is not None:
        masks.append(window_mask(num_queries, num_keys, window_width, offset))
    if key_mask is not None:
        masks.append(ops.cast(key_mask, "bool")[:, None, None, :])
    if attention_mask is not None:
        masks.append(ops.cast(attention_mask, "bool")[:, None])
    if not masks:
        return None
    return functools.reduce(ops.logical_and, masks)


def _distances(num_queries, num_keys, offset):
    """Position of the key less position of the query, shape (queries, keys)."""
    positions_Q = ops.arange(num_queries, dtype="int32") + offset
    return ops.arange(num_keys, dtype="int32") - positions_Q[:, None]
