"""Marian's Transformer with an SSRU decoder in plain NumPy, by Marian's own names.

Slow on purpose: one sentence, one position, one head at a time, in float64. Written
from the papers: Vaswani et al. (2017) for the encoder and the attention to the source,
Kim et al. (2019), section 2.1, for the recurrence, and from what Marian documents of
itself: positions with all sines before all cosines, `dan` (dropout, add, norm) behind
each part, a start that is no word but zeros, and one table for words in and out.

Weights are a dictionary of arrays with matrices that multiply from the right; `Wemb` is
a row a word.
"""

import math

import numpy as np

EPSILON = 1e-6


def position(number, size):
    """sin and cos of number * 10000 ** (-i / (size / 2 - 1)), for i = 0, 1, …"""
    half = size // 2
    angles = [number * 10000.0 ** (-i / max(half - 1, 1)) for i in range(half)]
    return np.array([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def norm(vector, weights, prefix):
    mean = vector.mean()
    variance = ((vector - mean) ** 2).mean()
    normed = (vector - mean) / math.sqrt(variance + EPSILON)
    return normed * weights[f"{prefix}_ln_scale"][0] + weights[f"{prefix}_ln_bias"][0]


def affine(vector, weights, prefix, name):
    return vector @ weights[f"{prefix}_W{name}"] + weights[f"{prefix}_b{name}"][0]


def attend(query, sequence, weights, prefix, num_heads):
    """Multi-head attention of one vector to a sequence, and its shares by head."""
    query = affine(query, weights, prefix, "q")
    keys = [affine(vector, weights, prefix, "k") for vector in sequence]
    values = [affine(vector, weights, prefix, "v") for vector in sequence]
    size = len(query) // num_heads
    heads, shares = [], []
    for h in range(num_heads):
        part = slice(h * size, (h + 1) * size)
        scores = [query[part] @ key[part] / math.sqrt(size) for key in keys]
        powers = [math.exp(score - max(scores)) for score in scores]
        shares.append([power / sum(powers) for power in powers])
        heads.append(
            sum(s * value[part] for s, value in zip(shares[h], values, strict=True))
        )
    return affine(np.concatenate(heads), weights, prefix, "o"), shares


def feed_forward(vector, weights, prefix):
    hidden = np.maximum(affine(vector, weights, prefix, "1"), 0.0)
    update = affine(hidden, weights, prefix, "2")
    return norm(vector + update, weights, f"{prefix}_ffn")


def encode(ids, weights, num_layers, num_heads, table="Wemb"):
    """States of one sentence: its ids end with the end token's."""
    words = weights[table]
    size = words.shape[1]
    stream = [
        words[word] * math.sqrt(size) + position(number, size)
        for number, word in enumerate(ids)
    ]
    for n in range(1, num_layers + 1):
        prefix = f"encoder_l{n}_self"
        updates = [attend(x, stream, weights, prefix, num_heads)[0] for x in stream]
        stream = [
            norm(x + update, weights, f"{prefix}_Wo")
            for x, update in zip(stream, updates, strict=True)
        ]
        stream = [feed_forward(x, weights, f"encoder_l{n}_ffn") for x in stream]
    return stream


def sigmoid(vector):
    return np.array([1.0 / (1.0 + math.exp(-number)) for number in vector])


def ssru(vector, cell, weights, prefix):
    """Kim et al. (2019): f = sigmoid(W_f x + b), c' = f c + (1 - f) W x, ReLU(c')."""
    forget = sigmoid(affine(vector, weights, prefix, "f"))
    cell = forget * cell + (1.0 - forget) * (vector @ weights[f"{prefix}_W"])
    return np.maximum(cell, 0.0), cell


def start(num_layers, size):
    return [np.zeros(size) for _ in range(num_layers)]


def step(word, number, cells, memory, weights, num_heads, table="Wemb"):
    """Logits of what follows a word, the new cells, and the last block's shares.

    Args:
        word: the last one's id, `None` before the first.
        number: how many words there are already.
        cells: from `start` or the last `step`.
        memory: from `encode`.
    """
    words = weights[table]
    size = words.shape[1]
    stream = np.zeros(size) if word is None else words[word] * math.sqrt(size)
    stream = stream + position(number, size)
    later = []
    for n, cell in enumerate(cells, start=1):
        prefix = f"decoder_l{n}_rnn"
        update, cell = ssru(stream, cell, weights, prefix)
        later.append(cell)
        stream = norm(stream + update, weights, f"{prefix}_ffn")
        prefix = f"decoder_l{n}_context"
        update, shares = attend(stream, memory, weights, prefix, num_heads)
        stream = norm(stream + update, weights, f"{prefix}_Wo")
        stream = feed_forward(stream, weights, f"decoder_l{n}_ffn")
    logits = words @ stream + weights["decoder_ff_logit_out_b"][0]
    return logits, later, shares
