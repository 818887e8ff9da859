"""A Transformer's blocks in plain NumPy, written from Vaswani et al. (2017).

Slow on purpose: one sequence, one query, one head, one key at a time, in float64.
Matrices multiply from the right, as in Keras. Weights are dictionaries by address
below the block.
"""

import math

import numpy as np


def layer_norm(vector, weights, address, epsilon):
    """Ba et al. (2016), equation 4: over the numbers of one position."""
    mean = sum(vector) / len(vector)
    variance = sum((number - mean) ** 2 for number in vector) / len(vector)
    normed = (vector - mean) / math.sqrt(variance + epsilon)
    return normed * weights[f"{address}/gamma"] + weights[f"{address}/beta"]


def relu(number):
    return max(0.0, number)


def gelu(number):
    """Hendrycks and Gimpel (2016): x Phi(x), exactly."""
    return number * 0.5 * (1.0 + math.erf(number / math.sqrt(2.0)))


def dense(vector, weights, address):
    return vector @ weights[f"{address}/kernel"] + weights[f"{address}/bias"]


def feed_forward(vector, weights, address, activation):
    """FFN(x) = f(x W1 + b1) W2 + b2, equation 2, of one position."""
    hidden = dense(vector, weights, f"{address}/hidden")
    hidden = np.array([activation(number) for number in hidden])
    return dense(hidden, weights, f"{address}/output")


def softmax(scores):
    """Of a list that may be empty."""
    total = sum(math.exp(score - max(scores)) for score in scores)
    return [math.exp(score - max(scores)) / total for score in scores]


def attention(queries, keys, values, visible, weights, address, num_heads):
    """MultiHead(Q, K, V), section 3.2.2, of one sequence.

    Args:
        queries: list of vectors.
        keys: list of vectors, what is compared.
        values: list of vectors, what is averaged.
        visible: visible(q, k) tells whether query q may attend to key k.
        weights: by address.
        address: of the attention's weights.
        num_heads: number of heads, h.

    Returns:
        One vector a query and the weights (heads, queries, keys).
    """
    queries = [dense(vector, weights, f"{address}/query") for vector in queries]
    keys = [dense(vector, weights, f"{address}/key") for vector in keys]
    values = [dense(vector, weights, f"{address}/value") for vector in values]
    size = len(queries[0]) // num_heads
    shares = np.zeros((num_heads, len(queries), len(keys)))
    outputs = []
    for q, query in enumerate(queries):
        heads = []
        for h in range(num_heads):
            part = slice(h * size, (h + 1) * size)
            seen = [k for k in range(len(keys)) if visible(q, k)]
            scores = [query[part] @ keys[k][part] / math.sqrt(size) for k in seen]
            head = np.zeros(size)
            for k, share in zip(seen, softmax(scores), strict=True):
                shares[h, q, k] = share
                head += share * values[k][part]
            heads.append(head)
        outputs.append(dense(np.concatenate(heads), weights, f"{address}/output"))
    return outputs, shares


def residual(stream, sublayer, norm, weights, address, epsilon):
    """LayerNorm(x + Sublayer(x)), or x + Sublayer(LayerNorm(x)) where norm is "pre".

    `sublayer` is given the whole sequence and returns one vector a position.
    """

    def normed(sequence):
        return [layer_norm(vector, weights, address, epsilon) for vector in sequence]

    if norm == "pre":
        updates = sublayer(normed(stream))
        return [x + update for x, update in zip(stream, updates, strict=True)]
    updates = sublayer(stream)
    return normed([x + update for x, update in zip(stream, updates, strict=True)])


def _self_attention(stream, positions, visible, weights, address, num_heads, found):
    moved = [x + position for x, position in zip(stream, positions, strict=True)]
    outputs, shares = attention(
        moved, moved, stream, visible, weights, address, num_heads
    )
    found.append(shares)
    return outputs


def encoder_block(stream, visible, positions, weights, num_heads, **options):
    """One block of the encoder along one sequence.

    Args:
        stream: (length, size).
        visible: booleans (length,).
        positions: (length, size), added to queries and keys.
        weights: by address.
        num_heads: of the attention.
        **options: `norm`, `epsilon` and `activation`.

    Returns:
        (length, size), and the weights (heads, length, length).
    """
    norm, epsilon = options["norm"], options["epsilon"]
    found = []
    stream = residual(
        list(stream),
        lambda x: _self_attention(
            x,
            positions,
            lambda q, k: visible[k],
            weights,
            "attention",
            num_heads,
            found,
        ),
        norm,
        weights,
        "attention_norm",
        epsilon,
    )
    stream = _feed_forward(stream, weights, **options)
    return np.array(stream), found[0]


def decoder_block(
    stream,
    memory,
    visible,
    memory_visible,
    positions,
    memory_positions,
    weights,
    num_heads,
    causal,
    **options,
):
    """One block of the decoder along one sequence; as `encoder_block`.

    Args:
        causal: whether a position sees only itself and those before it.

    Returns:
        (length, size), and both attentions' weights.
    """
    norm, epsilon = options["norm"], options["epsilon"]
    found = []

    def sees(q, k):
        return visible[k] and (k <= q or not causal)

    def look_at_memory(sequence):
        queries = [x + place for x, place in zip(sequence, positions, strict=True)]
        keys = [x + place for x, place in zip(memory, memory_positions, strict=True)]
        outputs, shares = attention(
            queries,
            keys,
            memory,
            lambda q, k: memory_visible[k],
            weights,
            "cross_attention",
            num_heads,
        )
        found.append(shares)
        return outputs

    stream = residual(
        list(stream),
        lambda x: _self_attention(
            x, positions, sees, weights, "self_attention", num_heads, found
        ),
        norm,
        weights,
        "self_attention_norm",
        epsilon,
    )
    stream = residual(
        stream, look_at_memory, norm, weights, "cross_attention_norm", epsilon
    )
    stream = _feed_forward(stream, weights, **options)
    return np.array(stream), *found


def _feed_forward(stream, weights, norm, epsilon, activation):
    return residual(
        stream,
        lambda sequence: [
            feed_forward(vector, weights, "feed_forward", activation)
            for vector in sequence
        ],
        norm,
        weights,
        "feed_forward_norm",
        epsilon,
    )
