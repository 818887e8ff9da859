"""BERT in plain NumPy, written from Devlin et al. (2019) and Vaswani et al. (2017).

One text, one head, one position at a time, in float64, with no padding to get wrong.
Weights are those of a checkpoint in the hub's layout: matrices are (out, in), so a
product is `W @ x + b`.
"""

import math

import numpy as np


def gelu(x):
    """x times the share of a normal distribution below x (Hendrycks, Gimpel, 2016)."""
    return np.vectorize(lambda v: v * 0.5 * (1.0 + math.erf(v / math.sqrt(2.0))))(x)


def dense(x, weights, name):
    """A product and a bias."""
    return weights[f"{name}.weight"].astype("float64") @ x + weights[f"{name}.bias"]


def norm(x, weights, name, epsilon=1e-12):
    """Ba et al. (2016), equation 4."""
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    scaled = (x - mean) / math.sqrt(variance + epsilon)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def embed(ids, types, weights):
    """Words, positions and, where there are some, segments, added up (figure 2)."""
    words = weights["embeddings.word_embeddings.weight"]
    places = weights["embeddings.position_embeddings.weight"]
    segments = weights.get("embeddings.token_type_embeddings.weight")
    rows = []
    for place, (id_, kind) in enumerate(zip(ids, types, strict=True)):
        row = words[id_].astype("float64") + places[place]
        if segments is not None:
            row = row + segments[kind]
        rows.append(norm(row, weights, "embeddings.LayerNorm"))
    return rows


def attend(rows, weights, prefix, num_heads):
    """Every position looks at every position, a head at a time."""
    queries, keys, values = (
        [dense(row, weights, f"{prefix}.self.{name}") for row in rows]
        for name in ("query", "key", "value")
    )
    size = len(rows[0]) // num_heads
    answers = []
    for query in queries:
        heads = []
        for head in range(num_heads):
            part = slice(head * size, (head + 1) * size)
            scores = [query[part] @ key[part] / math.sqrt(size) for key in keys]
            shares = [math.exp(score - max(scores)) for score in scores]
            context = np.zeros(size)
            for share, value in zip(shares, values, strict=True):
                context += share / sum(shares) * value[part]
            heads.append(context)
        answers.append(dense(np.concatenate(heads), weights, f"{prefix}.output.dense"))
    return answers


def states(ids, types, weights, num_heads, num_layers):
    """The states of the embeddings and after each block: a list of (length, units)."""
    rows = embed(ids, types, weights)
    found = [np.array(rows)]
    for index in range(num_layers):
        block = f"encoder.layer.{index}"
        answers = attend(rows, weights, f"{block}.attention", num_heads)
        rows = [
            norm(row + answer, weights, f"{block}.attention.output.LayerNorm")
            for row, answer in zip(rows, answers, strict=True)
        ]
        hidden = [
            gelu(dense(row, weights, f"{block}.intermediate.dense")) for row in rows
        ]
        rows = [
            norm(
                row + dense(h, weights, f"{block}.output.dense"),
                weights,
                f"{block}.output.LayerNorm",
            )
            for row, h in zip(rows, hidden, strict=True)
        ]
        found.append(np.array(rows))
    return found


def outputs(ids, types, weights, num_heads, num_layers):
    """A classifier's outputs: pooler of the first state, tanh, and a last product."""
    first = states(ids, types, weights, num_heads, num_layers)[-1][0]
    pooled = np.tanh(dense(first, weights, "pooler.dense"))
    return dense(pooled, weights, "classifier")
