"""Moving between "by distance" and "by key", for relative positions."""

from keras import ops

# Shape letters: Q query length, K key length, R = Q + K - 1 relative distances.
# Distance number r of query number q belongs to key number k = r + q - (Q - 1).


def distances(num_queries, num_keys, offset=0):
    """All distances between a query and a key, shape (R,), the lowest first.

    Args:
        num_queries: number of queries.
        num_keys: number of keys; key number k stands at position k.
        offset: position of the first query.

    Returns:
        Integers, position of the key less position of the query.
    """
    first = 1 - num_queries - offset
    return ops.arange(num_queries + num_keys - 1, dtype="int32") + first


def by_key(rows_QR, num_keys):
    """Shears rows by distance into rows by key: (..., Q, R) becomes (..., Q, K).

    Nothing is gathered: written one after the other, rows that are one longer than
    they are read shift by one a row, and the gradient is as cheap.

    Args:
        rows_QR: numbers of each query by distance, or of shape (..., 1, R) where they
            are the same for all.
        num_keys: number of keys K.
    """
    *leading, rows, width = ops.shape(rows_QR)
    num_queries = width + 1 - num_keys
    rows_QR = ops.concatenate([rows_QR, ops.zeros_like(rows_QR[..., :1])], axis=-1)
    if isinstance(rows, int) and rows == 1:
        rows_QR = ops.broadcast_to(rows_QR, (*leading, num_queries, width + 1))
    flat = ops.reshape(rows_QR, (*leading, num_queries * (width + 1)))
    flat = flat[..., num_queries - 1 : num_queries * (width + 1) - 1]
    return ops.reshape(flat, (*leading, num_queries, width))[..., :num_keys]


def by_distance(rows_QK):
    """Shears rows by key back into rows by distance: the transpose of `by_key`.

    Args:
        rows_QK: numbers of each query by key, shape (..., Q, K).

    Returns:
        Shape (..., Q, R); zero where a query is at that distance from no key.
    """
    *leading, num_queries, num_keys = ops.shape(rows_QK)
    width = num_queries + num_keys - 1
    rest = ops.zeros((*leading, num_queries, num_queries - 1), dtype=rows_QK.dtype)
    flat = ops.concatenate([rows_QK, rest], axis=-1)
    flat = ops.reshape(flat, (*leading, num_queries * width))
    before = ops.zeros((*leading, num_queries - 1), dtype=rows_QK.dtype)
    after = ops.zeros((*leading, 1), dtype=rows_QK.dtype)
    flat = ops.concatenate([before, flat, after], axis=-1)
    return ops.reshape(flat, (*leading, num_queries, width + 1))[..., :width]


def alibi_slopes(num_heads: int) -> list[float]:
    """How steeply each head's scores fall with distance (Press et al., 2022).

    For a power of two the geometric series that starts at and has the ratio
    2^(-8 / num_heads). In between, as in the authors' code: the slopes of the power
    below, then every other one of the power above.
    """
    below = 2 ** (num_heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (i + 1) / below) for i in range(below)]
    between = [2.0 ** (-8.0 * (i + 0.5) / below) for i in range(below)]
    return slopes + between[: num_heads - below]


def position_buckets(
    distances, num_buckets: int, max_distance: int, bidirectional: bool
):
    """The bucket of each distance, as in T5 (Raffel et al., 2020, section 2.1).

    Half of the buckets hold one distance each, the other half grow logarithmically up
    to `max_distance`; what is farther falls into the last.

    Args:
        distances: integers, position of the key less position of the query.
        num_buckets: number of all buckets.
        max_distance: where the last bucket begins to hold all.
        bidirectional: half of the buckets are for keys after the query; otherwise
            such keys fall into the first bucket.

    Returns:
        Integers from 0 to `num_buckets - 1`, of the shape of `distances`.
    """
    if bidirectional:
        num_buckets //= 2
        buckets = ops.where(distances > 0, num_buckets, 0)
        steps = ops.abs(distances)
    else:
        buckets = ops.zeros_like(distances)
        steps = ops.maximum(-distances, 0)
    for first in _bucket_starts(num_buckets, max_distance):
        buckets = buckets + ops.cast(steps >= first, buckets.dtype)
    return buckets


def _bucket_starts(num_buckets: int, max_distance: int) -> list[int]:
    """The lowest distance of each bucket but the first."""
    exact = num_buckets // 2
    logarithmic = num_buckets - exact
    starts = list(range(1, exact + 1))
    for step in range(1, logarithmic):
        start = starts[-1]
        # log(start / exact) / log(max_distance / exact) >= step / logarithmic, in whole
        # numbers: at powers of two the logarithms would be a matter of rounding.
        while start**logarithmic < exact ** (logarithmic - step) * max_distance**step:
            start += 1
        starts.append(start)
    return starts
