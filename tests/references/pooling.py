"""Word attention in plain NumPy, from Yang et al. (2016), with explicit loops."""

import numpy as np

from tests.references.bahdanau import masked_softmax


def pool(values, visible, kernel, bias, context_vector):
    """Equations 5 to 7 for one sentence.

    u_it = tanh(W h_it + b); alpha_it = softmax(u_it . u_w); s_i = sum alpha_it h_it.

    Returns:
        The sum and the weights.
    """
    scores = []
    for value in values:
        hidden = np.tanh(value @ kernel + bias)
        scores.append(sum(u * w for u, w in zip(hidden, context_vector, strict=True)))
    if not any(visible):
        return np.zeros(len(values[0])), np.zeros(len(values))
    weights = masked_softmax(scores, visible)
    total = np.zeros(len(values[0]))
    for weight, value in zip(weights, values, strict=True):
        total += weight * value
    return total, weights
