"""Exact attention that never holds all its weights (Rabe and Staats, 2021).

https://arxiv.org/abs/2112.05682
"""
# Departure from the paper: blocks are of queries only and each sees all its keys, so
# that no running sums are needed. Memory is linear in the number of keys.

from keras import ops

from zoo.ops.attention import softmax
from zoo.ops.dot_product_attention import grouped_matmul, hidden, scaled, sighted
from zoo.ops.masking import visible_keys
from zoo.ops.relative import by_distance, by_key

# Shape letters: B batch, H query heads, G key and value heads, Q query length,
# K key length, D head size, R = Q + K - 1 distances, N blocks, b queries of a block.


def blockwise_attention(
    query_BHQD,
    keys_BGKD,
    values_BGKD,
    bias_HR=None,
    block_size: int = 128,
    attention_mask=None,
    **visibility,
):
    """The context of `dot_product_attention`, one block of queries after the other.

    The backward pass computes the weights of each block again, so that it needs no
    more memory than the forward pass.

    Args:
        query_BHQD: projected queries, shape (batch, heads, queries, head_size).
        keys_BGKD: projected keys, shape (batch, key_value_heads, keys, head_size).
        values_BGKD: projected values, of the shape of the keys.
        bias_HR: added to the scores by distance, as `zoo.ops.relative.distances`
            orders them, or `None`.
        block_size: number of queries in a block.
        attention_mask: booleans, shape (batch, queries, keys), or `None`.
        **visibility: the rest, for `zoo.ops.masking.visible_keys`.

    Returns:
        The context, of the shape of the query; zero in rows with nothing to see.
    """
    if isinstance(query_BHQD.shape[2], int):
        block_size = max(1, min(block_size, query_BHQD.shape[2]))
    blocks = _Blocks(query_BHQD, keys_BGKD, block_size, attention_mask, visibility)

    @ops.custom_gradient
    def attend(query, keys, values, bias=None):
        context = blocks.forward(query, keys, values, bias)

        def gradient(*arguments, upstream=None):
            upstream = arguments[-1] if upstream is None else upstream
            return blocks.backward(query, keys, values, bias, context, upstream)

        return context, gradient

    arguments = [scaled(query_BHQD), keys_BGKD, values_BGKD]
    if bias_HR is not None:
        arguments.append(ops.cast(bias_HR, "float32"))
    return attend(*arguments)


class _Blocks:
    """The sizes and rules of one call, and its two passes over the blocks."""

    def __init__(self, query, keys, size, attention_mask, visibility):
        self.size = size
        self.num_queries, self.num_keys = ops.shape(query)[2], ops.shape(keys)[2]
        self.number = -(-self.num_queries // size)
        self.padding = self.number * size - self.num_queries
        self.visibility = dict(visibility)
        self.offset = self.visibility.pop("offset", 0)
        if attention_mask is not None:
            attention_mask = self._padded(ops.cast(attention_mask, "bool"), axis=1)
        self.attention_mask = attention_mask

    def forward(self, query, keys, values, bias):
        keys_BGDK = ops.transpose(keys, (0, 1, 3, 2))
        bias = self._padded_bias(bias)

        def step(carry, block):
            i, _ = carry
            weights = ops.cast(self._weights(i, block, keys_BGDK, bias), keys.dtype)
            carry = (i + 1, grouped_matmul(weights, values))
            return carry, carry

        # The context of a block is also carried on: only one is in memory at a time.
        blocks = self._split(query)
        first = ops.convert_to_tensor(0, "int32")
        _, (_, contexts) = ops.scan(step, (first, ops.zeros_like(blocks[0])), blocks)
        return self._joined(contexts)

    def backward(self, query, keys, values, bias, context, upstream):
        """The slopes of the query, the keys, the values and the bias."""
        keys_BGDK = ops.transpose(keys, (0, 1, 3, 2))
        values_BGDK = ops.transpose(values, (0, 1, 3, 2))
        bias_slope = None if bias is None else ops.zeros_like(self._padded_bias(bias))
        bias = self._padded_bias(bias)
        upstream_NBHbD = self._split(upstream)
        # sum_k of weight times slope of the weight, without the weights.
        means = ops.sum(ops.cast(upstream * context, "float32"), -1, keepdims=True)
        means_NBHb1 = self._split(means)

        def step(i, queue, keys_slope, values_slope, *bias_slope):
            block, upstream = queue[0], upstream_NBHbD[i]
            weights = self._weights(i, block, keys_BGDK, bias)
            slopes = ops.cast(grouped_matmul(upstream, values_BGDK), "float32")
            slopes = weights * (slopes - means_NBHb1[i])
            values_slope = values_slope + _grouped_sum(upstream, weights, values_BGDK)
            keys_slope = keys_slope + _grouped_sum(block, slopes, keys_BGDK)
            bias_slope = [self._with_block(old, slopes) for old in bias_slope]
            slopes = ops.cast(slopes, keys.dtype)
            queue = _advanced(queue, grouped_matmul(slopes, keys))
            return i + 1, queue, keys_slope, values_slope, *bias_slope

        _, queue, keys_slope, values_slope, *bias_slopes = self._over_blocks(
            step,
            self._split(query),
            ops.zeros_like(keys_BGDK, "float32"),
            ops.zeros_like(values_BGDK, "float32"),
            *([] if bias is None else [bias_slope]),
        )
        return (
            self._joined(queue),
            ops.cast(ops.transpose(keys_slope, (0, 1, 3, 2)), keys.dtype),
            ops.cast(ops.transpose(values_slope, (0, 1, 3, 2)), values.dtype),
            *[slope[:, self.padding :] for slope in bias_slopes],
        )

    def _over_blocks(self, step, *state):
        return ops.while_loop(lambda i, *_: i < self.number, step, (0, *state))

    def _weights(self, i, query_BHbD, keys_BGDK, bias):
        """The weights of block number i, in float32."""
        start = i * self.size
        scores = ops.cast(grouped_matmul(query_BHbD, keys_BGDK), "float32")
        if bias is not None:
            first = (self.number - 1) * self.size - start
            width = self.size + self.num_keys - 1
            bias_HR = ops.slice(bias, (0, first), (bias.shape[0], width))
            scores = scores + by_key(bias_HR[:, None], self.num_keys)
        attention_mask = self.attention_mask
        if attention_mask is not None:
            shape = (ops.shape(attention_mask)[0], self.size, self.num_keys)
            # One type for all three, whatever type the backend gives a plain 0.
            zero = start * 0
            attention_mask = ops.slice(attention_mask, (zero, start, zero), shape)
        visible = visible_keys(
            self.size,
            self.num_keys,
            offset=self.offset + start,
            attention_mask=attention_mask,
            **self.visibility,
        )
        return sighted(softmax(hidden(scores, visible)), visible)

    def _with_block(self, bias_slope, scores_slope):
        """Adds what a block says about the bias.

        The sum moves by a block each time, so that what comes first ends farthest: the
        first block has the highest distances.
        """
        new = ops.sum(by_distance(ops.sum(scores_slope, axis=0)), axis=1)
        moved = ops.concatenate(
            [ops.zeros_like(bias_slope[:, : self.size]), bias_slope], axis=1
        )[:, : -self.size]
        rest = ops.zeros_like(bias_slope[:, self.size + self.num_keys - 1 :])
        return moved + ops.concatenate([new, rest], axis=1)

    def _padded(self, tensor, axis):
        """Fills the last block."""
        shape = list(ops.shape(tensor))
        shape[axis] = self.padding
        return ops.concatenate([tensor, ops.zeros(shape, tensor.dtype)], axis=axis)

    def _padded_bias(self, bias):
        """Queries that fill the last block are at lower distances than any other."""
        if bias is None:
            return None
        before = ops.zeros((bias.shape[0], self.padding), bias.dtype)
        return ops.concatenate([before, bias], axis=1)

    def _split(self, tensor_BHQX):
        """Splits queries into blocks: (blocks, batch, heads, block_size, size)."""
        batch, heads, _, size = ops.shape(tensor_BHQX)
        padded = self._padded(tensor_BHQX, axis=2)
        blocks = ops.reshape(padded, (batch, heads, self.number, self.size, size))
        return ops.transpose(blocks, (2, 0, 1, 3, 4))

    def _joined(self, tensor_NBHbD):
        _, batch, heads, _, size = ops.shape(tensor_NBHbD)
        blocks = ops.transpose(tensor_NBHbD, (1, 2, 0, 3, 4))
        joined = ops.reshape(blocks, (batch, heads, self.number * self.size, size))
        return joined[:, :, : self.num_queries]


def _advanced(queue, last):
    """The queue without its first block and with another last one."""
    last = ops.reshape(last, (1, *ops.shape(queue)[1:]))
    return ops.concatenate([queue[1:], last], axis=0)


def _grouped_sum(rows_BHbD, weights_BHbK, like_BGDK):
    """Sums rows by their weights over the queries and heads that share a key head."""
    batch, groups, size, num_keys = ops.shape(like_BGDK)
    heads, rows = rows_BHbD.shape[1], ops.shape(rows_BHbD)[2]
    together = heads // groups * rows
    rows = ops.reshape(rows_BHbD, (batch, groups, together, size))
    weights = ops.cast(weights_BHbK, rows.dtype)
    weights = ops.reshape(weights, (batch, groups, together, num_keys))
    return ops.cast(ops.matmul(ops.transpose(rows, (0, 1, 3, 2)), weights), "float32")
