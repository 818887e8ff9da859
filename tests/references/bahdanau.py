"""RNNsearch in plain NumPy, written from Bahdanau et al. (2015) with explicit loops.

Slow on purpose: one sentence, one query, one key at a time, in float64, so that there
is no axis to mix up and no padding to get wrong. Matrices multiply from the right, as
in Keras (`x @ W` where the paper has `W x`).
"""

import numpy as np


def masked_softmax(scores, visible):
    """Softmax over the visible scores of one row; zeros where nothing is visible."""
    seen = [score for score, is_seen in zip(scores, visible, strict=True) if is_seen]
    total = sum(np.exp(score - max(seen)) for score in seen)
    return np.array(
        [
            np.exp(score - max(seen)) / total if is_seen else 0.0
            for score, is_seen in zip(scores, visible, strict=True)
        ]
    )


def alignment(query, key, query_kernel, key_kernel, vector, bias=0.0):
    """e_ij = v . tanh(W s_{i-1} + U h_j + b); appendix A.1.2, without b."""
    hidden = np.tanh(query @ query_kernel + key @ key_kernel + bias)
    return sum(v * h for v, h in zip(vector, hidden, strict=True))


def normed_vector(vector, gain):
    """g v / |v| (Salimans and Kingma, 2016, equation 2)."""
    return gain * vector / np.sqrt(sum(v * v for v in vector))


def attend(query, values, visible, query_kernel, key_kernel, vector, bias=0.0):
    """c_i = sum_j alpha_ij h_j, equations 5 and 6, for one query.

    Returns:
        The context and the weights alpha_i.
    """
    scores = [
        alignment(query, value, query_kernel, key_kernel, vector, bias)
        for value in values
    ]
    weights = masked_softmax(scores, visible)
    context = np.zeros(len(values[0]))
    for weight, value in zip(weights, values, strict=True):
        context += weight * value
    return context, weights


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def gru_step(x, h, kernel, recurrent_kernel, bias):
    """One step of Keras's GRU: blocks z, r, h; the reset comes after the product."""
    x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3)
    h_z, h_r, h_h = np.split(h @ recurrent_kernel + bias[1], 3)
    z = sigmoid(x_z + h_z)
    r = sigmoid(x_r + h_r)
    return z * h + (1.0 - z) * np.tanh(x_h + r * h_h)


def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    """One step of Keras's LSTM: blocks i, f, c, o. Returns the hidden state and c."""
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def gru_encoder(words, weights, direction):
    """The states of one direction, in the order in which it reads."""
    cell = f"encoder/{direction}_gru/gru_cell"
    h = np.zeros(len(weights[f"{cell}/recurrent_kernel"]))
    states = []
    for word in words:
        h = gru_step(
            word,
            h,
            weights[f"{cell}/kernel"],
            weights[f"{cell}/recurrent_kernel"],
            weights[f"{cell}/bias"],
        )
        states.append(h)
    return states


def rnnsearch(source_ids, target_ids, weights):
    """Encoder, attention and decoder along one sentence pair, appendix A.2.

    As in `zoo.models.rnn_seq2seq`, the read-out is a tanh layer tied to the target
    embedding and the start state is made from both directions' last states.

    Args:
        source_ids: the source sentence without padding.
        target_ids: the target tokens that the decoder is fed with.
        weights: arrays by address, of a model with "gru" and "bahdanau".

    Returns:
        Logits (target_length, vocabulary) and weights (target_length, source_length).
    """
    weights = {name: array.astype("float64") for name, array in weights.items()}
    words = [weights["source_embedding/embeddings"][token] for token in source_ids]
    forward = gru_encoder(words, weights, "forward")
    backward = gru_encoder(words[::-1], weights, "backward")
    last_states = np.concatenate([forward[-1], backward[-1]])
    annotations = [
        np.concatenate(pair) for pair in zip(forward, backward[::-1], strict=True)
    ]
    state = np.tanh(
        last_states @ weights["start_state_0/kernel"] + weights["start_state_0/bias"]
    )
    all_logits, all_weights = [], []
    for token in target_ids:
        word = weights["target_embedding/embeddings"][token]
        context, alpha = attend(
            state,
            annotations,
            [True] * len(annotations),
            weights["decoder/attention/query/kernel"],
            weights["decoder/attention/key/kernel"],
            weights["decoder/attention/score_vector"],
        )
        state = gru_step(
            np.concatenate([word, context]),
            state,
            weights["decoder/cell/kernel"],
            weights["decoder/cell/recurrent_kernel"],
            weights["decoder/cell/bias"],
        )
        readout = np.tanh(
            np.concatenate([state, context, word]) @ weights["readout/kernel"]
            + weights["readout/bias"]
        )
        all_logits.append(
            weights["target_embedding/embeddings"] @ readout + weights["output_bias"]
        )
        all_weights.append(alpha)
    return np.array(all_logits), np.array(all_weights)
