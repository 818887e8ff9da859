"""Boolean masks. One meaning everywhere: True = this position may be attended to."""

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
