"""Exact sliding-window self-attention in linear time (Beltagy et al., 2020).

https://arxiv.org/abs/2004.05150
"""

from keras import ops

from zoo.ops.attention import softmax
from zoo.ops.dot_product_attention import hidden, scaled, sighted
from zoo.ops.masking import visible_keys
from zoo.ops.relative import by_key

# Shape letters: B batch, H query heads, G key and value heads, g = H / G, L length,
# D head size, R = 2 L - 1 distances, N blocks, b positions of a block, k keys that a
# block sees: its own and those of the blocks beside it.


def banded_attention(
    query_BHLD,
    keys_BGLD,
    values_BGLD,
    window_width: int,
    bias_HR=None,
    block_size: int = 64,
    causal: bool = False,
    key_mask=None,
    attention_mask=None,
):
    """The context of `dot_product_attention` with a window, where queries are the keys.

    The sequence is cut into blocks that are no shorter than the window, so that a block
    sees only itself and the blocks beside it. Time and memory grow with length times
    window.

    Args:
        query_BHLD: projected queries, shape (batch, heads, length, head_size).
        keys_BGLD: projected keys, shape (batch, key_value_heads, length, head_size).
        values_BGLD: projected values, of the shape of the keys.
        window_width: a query at p sees the keys at p - window_width to
            p + window_width.
        bias_HR: added to the scores by distance, as `zoo.ops.relative.distances`
            orders them, or `None`.
        block_size: number of positions in a block, unless the window is wider.
        causal: a query sees no later position.
        key_mask: booleans, shape (batch, length), or `None`.
        attention_mask: booleans, shape (batch, length, length), or `None`.

    Returns:
        The context, of the shape of the query; zero in rows with nothing to see.
    """
    batch, heads, length, size = ops.shape(query_BHLD)
    groups = keys_BGLD.shape[1]
    sides = 2 if causal else 3
    block_size = max(block_size, window_width)
    query_BGgLD = ops.reshape(
        scaled(query_BHLD), (batch, groups, heads // groups, length, size)
    )
    query_BGgNbD = _split(query_BGgLD, block_size)
    keys_BG1NkD = _neighbours(_split(keys_BGLD, block_size), sides)[:, :, None]
    values_BG1NkD = _neighbours(_split(values_BGLD, block_size), sides)[:, :, None]
    scores = ops.matmul(query_BGgNbD, ops.swapaxes(keys_BG1NkD, -1, -2))
    scores = ops.cast(scores, "float32")
    if bias_HR is not None:
        bias_Hbk = _band_of_bias(bias_HR, length, block_size, sides)
        scores = scores + ops.reshape(
            bias_Hbk, (groups, heads // groups, 1, block_size, sides * block_size)
        )
    if key_mask is None:
        key_mask = ops.ones((1, length), dtype="bool")
    # What fills the sequence on either side counts as masked.
    key_mask = ops.cast(key_mask, "bool")[:, None, :, None]
    key_mask_B1Nk1 = _neighbours(_split(key_mask, block_size), sides)
    # In the band the first query of a block stands at the start of the second block.
    visible = visible_keys(
        block_size, sides * block_size, causal, window_width, offset=block_size
    )
    visible = ops.logical_and(visible, ops.swapaxes(key_mask_B1Nk1, -1, -2))
    if attention_mask is not None:
        mask_BNbk = _band_of_mask(attention_mask, length, block_size, sides)
        visible = ops.logical_and(visible, mask_BNbk[:, None])
    visible = visible[:, :, None]
    weights = ops.cast(softmax(hidden(scores, visible)), values_BGLD.dtype)
    context = sighted(ops.matmul(weights, values_BG1NkD), visible)
    context_BHLD = ops.reshape(context, (batch, heads, -1, size))
    return context_BHLD[:, :, :length]


def _split(tensor, block_size):
    """Fills axis -2 to whole blocks and splits it: (..., N, block_size, last)."""
    *leading, length, last = ops.shape(tensor)
    number = -(-length // block_size)
    rest = ops.zeros((*leading, number * block_size - length, last), tensor.dtype)
    filled = ops.concatenate([tensor, rest], axis=-2)
    return ops.reshape(filled, (*leading, number, block_size, last))


def _neighbours(blocks_BGNbD, sides):
    """The block before, the block itself and, for three sides, the block after."""
    none = ops.zeros_like(blocks_BGNbD[:, :, :1])
    before = ops.concatenate([none, blocks_BGNbD[:, :, :-1]], axis=2)
    after = ops.concatenate([blocks_BGNbD[:, :, 1:], none], axis=2)
    return ops.concatenate([before, blocks_BGNbD, after][:sides], axis=3)


def _band_of_bias(bias_HR, length, block_size, sides):
    """The bias of a block's queries for the keys that they see, the same in all."""
    bias_HR = ops.cast(bias_HR, "float32")
    # Distances beyond the sequence only meet keys that fill it.
    rest = ops.zeros((bias_HR.shape[0], sides * block_size), "float32")
    bias_HR = ops.concatenate([rest, bias_HR, rest], axis=1)
    first = length - 1 - (2 * block_size - 1) + sides * block_size
    band_HR = bias_HR[:, first : first + (1 + sides) * block_size - 1]
    return by_key(band_HR[:, None], sides * block_size)


def _band_of_mask(mask_BLL, length, block_size, sides):
    """The part of a whole mask that the blocks see, shape (B, N, b, sides * b)."""
    mask = _split(ops.cast(mask_BLL, "bool"), block_size)
    batch, number, _, _ = ops.shape(mask)
    before = ops.zeros((batch, number, block_size, block_size), "bool")
    after_size = number * block_size - length + (sides - 2) * block_size
    after = ops.zeros((batch, number, block_size, after_size), "bool")
    mask = ops.concatenate([before, mask, after], axis=-1)
    columns = number + sides - 1
    mask = ops.reshape(mask, (batch, number, block_size, columns, block_size))
    mask = ops.transpose(mask, (0, 1, 3, 2, 4))
    mask = ops.reshape(mask, (batch, number * columns, block_size, block_size))
    rows_N = ops.arange(number, dtype="int32")
    picks_Ns = (rows_N * (columns + 1))[:, None] + ops.arange(sides, dtype="int32")
    mask = ops.take(mask, picks_Ns, axis=1)
    mask = ops.transpose(mask, (0, 1, 3, 2, 4))
    return ops.reshape(mask, (batch, number, block_size, sides * block_size))
