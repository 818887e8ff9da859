"""Multi-head attention in plain NumPy, written from the papers with explicit loops.

Slow on purpose: one sentence, one head, one query, one key at a time, in float64, so
that there is no axis to mix up. Matrices multiply from the right, as in Keras.
"""

import math

import numpy as np

from tests.references.bahdanau import masked_softmax


def sees(q, k, causal, window_width):
    """Whether position q may look at position k."""
    if causal and k > q:
        return False
    return window_width is None or abs(k - q) <= window_width


def rotary(vector, position, base, layout):
    """Su et al. (2021), equation 15: pair i turns by position * theta_i."""
    size = len(vector)
    turned = np.zeros(size)
    for i in range(size // 2):
        angle = position * base ** (-2 * i / size)
        a, b = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, i + size // 2)
        turned[a] = vector[a] * math.cos(angle) - vector[b] * math.sin(angle)
        turned[b] = vector[b] * math.cos(angle) + vector[a] * math.sin(angle)
    return turned


def alibi_slopes(num_heads):
    """Press et al. (2022), section 3, and the get_slopes of their code."""
    if math.log2(num_heads).is_integer():
        start = 2 ** (-8 / num_heads)
        return [start ** (i + 1) for i in range(num_heads)]
    below = 2 ** math.floor(math.log2(num_heads))
    return alibi_slopes(below) + alibi_slopes(2 * below)[::2][: num_heads - below]


def bucket(distance, num_buckets, max_distance, bidirectional):
    """Raffel et al. (2020), as in mesh_tensorflow's _relative_position_bucket."""
    first = 0
    if bidirectional:
        num_buckets //= 2
        first = num_buckets if distance > 0 else 0
        steps = abs(distance)
    else:
        steps = max(-distance, 0)
    exact = num_buckets // 2
    if steps < exact:
        return first + steps
    share = math.log(steps / exact) / math.log(max_distance / exact)
    # At a power of two the logarithms may fall short of a whole number.
    wide = exact + math.floor(share * (num_buckets - exact) + 1e-9)
    return first + min(wide, num_buckets - 1)


def shaw_vector(vectors, distance):
    """Shaw et al. (2018), section 3.2: w_clip(j - i, k)."""
    farthest = (len(vectors) - 1) // 2
    return vectors[min(max(distance, -farthest), farthest) + farthest]


def attend_one(
    query,
    keys,
    values,
    visible,
    distances,
    bias=None,
    key_vectors=None,
    value_vectors=None,
):
    """One query of one head: its context and weights.

    Vaswani et al. (2017), equation 1; with vectors by distance Shaw et al. (2018),
    equations 3 and 4.
    """
    scores = []
    for key, distance in zip(keys, distances, strict=True):
        if key_vectors is not None:
            key = key + shaw_vector(key_vectors, distance)
        score = sum(a * b for a, b in zip(query, key, strict=True))
        score /= math.sqrt(len(query))
        scores.append(score + (0.0 if bias is None else bias(distance)))
    weights = masked_softmax(scores, visible)
    context = np.zeros(len(query))
    for weight, value, distance in zip(weights, values, distances, strict=True):
        if value_vectors is not None:
            value = value + shaw_vector(value_vectors, distance)
        context += weight * value
    return context, weights


def attend(
    query,
    keys,
    values,
    causal=False,
    window_width=None,
    key_mask=None,
    attention_mask=None,
    bias=None,
    key_vectors=None,
    value_vectors=None,
):
    """All heads of a batch, from projected queries, keys and values.

    Args:
        query: (batch, heads, queries, head_size).
        keys, values: (batch, key_value_heads, keys, head_size).
        bias: function of head and distance.

    Returns:
        Contexts (batch, heads, queries, head_size) and weights
        (batch, heads, queries, keys).
    """
    batch, heads, queries, size = query.shape
    shared, num_keys = keys.shape[1:3]
    contexts = np.zeros((batch, heads, queries, size))
    weights = np.zeros((batch, heads, queries, num_keys))
    first = num_keys - queries if causal else 0
    for b in range(batch):
        for h in range(heads):
            g = h // (heads // shared)
            for q in range(queries):
                at = first + q
                visible = [
                    sees(at, k, causal, window_width)
                    and (key_mask is None or key_mask[b, k])
                    and (attention_mask is None or attention_mask[b, q, k])
                    for k in range(num_keys)
                ]
                contexts[b, h, q], weights[b, h, q] = attend_one(
                    query[b, h, q],
                    keys[b, g],
                    values[b, g],
                    visible,
                    [k - at for k in range(num_keys)],
                    None if bias is None else (lambda d, h=h: bias(h, d)),
                    key_vectors,
                    value_vectors,
                )
    return contexts, weights


def split_heads(projected, size):
    """(batch, length, heads * size) becomes (batch, heads, length, size)."""
    batch, length, units = projected.shape
    heads = np.zeros((batch, units // size, length, size))
    for h in range(units // size):
        heads[:, h] = projected[:, :, h * size : (h + 1) * size]
    return heads


def multi_head(query, values, keys, weights, size, turn=None, causal=False, **options):
    """The whole layer: MultiHead(Q, K, V), section 3.2.2 of Vaswani et al. (2017).

    Args:
        weights: arrays by address, "query/kernel" and so on; biases may be missing.
        size: size of a head.
        turn: function of a vector and its position, for queries and keys.
        **options: for `attend`.
    """

    def product(inputs, name):
        return inputs @ weights[f"{name}/kernel"] + weights.get(f"{name}/bias", 0.0)

    query_heads = split_heads(product(query, "query"), size)
    key_heads = split_heads(product(keys, "key"), size)
    value_heads = split_heads(product(values, "value"), size)
    if turn is not None:
        first = key_heads.shape[2] - query_heads.shape[2] if causal else 0
        for heads, start in ((query_heads, first), (key_heads, 0)):
            for b, h, at in np.ndindex(heads.shape[:3]):
                heads[b, h, at] = turn(heads[b, h, at], start + at)
    contexts, attention = attend(
        query_heads, key_heads, value_heads, causal=causal, **options
    )
    batch, heads, queries, _ = contexts.shape
    joined = np.zeros((batch, queries, heads * size))
    for h in range(heads):
        joined[:, :, h * size : (h + 1) * size] = contexts[:, h]
    return product(joined, "output"), attention
