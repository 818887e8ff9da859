"""Attention of Luong et al. (2015) in plain NumPy, written with explicit loops.

Slow on purpose: one sentence, one query, one key at a time, in float64. Matrices
multiply from the right, as in Keras (`h @ W` where the paper has `W h`). Equations are
those of https://arxiv.org/abs/1508.04025.
"""

import math

import numpy as np

from tests.references.bahdanau import (
    gru_encoder,
    gru_step,
    lstm_step,
    masked_softmax,
    sigmoid,
)


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def score(name, query, values, weights):
    """score(h_t, h_s) of section 3.1, or a_t of equation 8, for every key s.

    Args:
        name: "dot", "general", "concat" or "location" of the paper; "scaled_dot",
            "scaled_general" and "cosine".
        query: h_t.
        values: every h_s.
        weights: of the layer, by address.

    Returns:
        One number a key.
    """
    if name == "location":
        positions = query @ weights["location/kernel"]
        return [positions[min(s, len(positions) - 1)] for s in range(len(values))]
    return [_compare(name, query, value, weights) for value in values]


def _compare(name, query, value, weights):
    if name == "dot":
        return dot(query, value)
    if name == "scaled_dot":
        return dot(query, value) / math.sqrt(len(query))
    if name == "general":
        return dot(query, value @ weights["key/kernel"])
    if name == "scaled_general":
        return weights["score_gain"] * dot(query, value @ weights["key/kernel"])
    if name == "cosine":
        lengths = math.sqrt(dot(query, query)) * math.sqrt(dot(value, value))
        return weights["score_gain"] * dot(query, value) / lengths
    assert name == "concat"
    # W_a [h_t; h_s], with W_a in two halves.
    both = np.concatenate([weights["query/kernel"], weights["key/kernel"]])
    hidden = np.tanh(np.concatenate([query, value]) @ both)
    return dot(weights["score_vector"], hidden)


def centre(window, query, length, t, weights):
    """p_t: t for "local_m" (section 3.2), and equation 9 for "local_p"."""
    if window == "local_m":
        return min(t, length - 1)
    hidden = np.tanh(query @ weights["window/hidden/kernel"])
    return length * sigmoid(dot(weights["window/centre_vector"], hidden))


def attend(name, window, width, query, values, visible, weights, t, max_keys=None):
    """a_t and c_t of one query.

    Args:
        name: of the score.
        window: "global", "local_m" or "local_p".
        width: D.
        query: h_t.
        values: every h_s.
        visible: which keys are no padding.
        weights: of the layer, by address.
        t: the step, counted from 0.
        max_keys: how many positions "location" knows.

    Returns:
        The context and the weights.
    """
    length = sum(bool(is_seen) for is_seen in visible)
    visible = list(visible)
    if name == "location":
        visible = [visible[s] and s < max_keys for s in range(len(values))]
    if window != "global":
        p_t = centre(window, query, length, t, weights)
        visible = [visible[s] and abs(s - p_t) <= width for s in range(len(values))]
    alignment = masked_softmax(score(name, query, values, weights), visible)
    if window == "local_p":
        # Equation 10. What is left of the weights does not sum to 1.
        sigma = width / 2
        for s in range(len(values)):
            alignment[s] *= math.exp(-((s - p_t) ** 2) / (2 * sigma**2))
    context = np.zeros(len(values[0]))
    for weight, value in zip(alignment, values, strict=True):
        context += weight * value
    return context, alignment


def hard(alignment):
    """All weight on the likeliest key."""
    chosen = np.zeros(len(alignment))
    if max(alignment) > 0:
        chosen[list(alignment).index(max(alignment))] = 1.0
    return chosen


def attentional_vector(context, hidden, kernel):
    """h~_t = tanh(W_c [c_t; h_t]), equation 5."""
    return np.tanh(np.concatenate([context, hidden]) @ kernel)


def stack_step(inputs, states, weights, address, sizes):
    """One step of a recurrent cell of one or more layers.

    Args:
        inputs: of the lowest layer.
        states: a list of state tensors, layer by layer.
        weights: by address.
        address: of the layers' weights, one a layer.
        sizes: how many state tensors each layer has: 1 a GRU, 2 an LSTM.

    Returns:
        The hidden state of the highest layer and the new states.
    """
    new_states = []
    for layer, count in zip(address, sizes, strict=True):
        numbers = [
            weights[f"{layer}/{name}"]
            for name in ("kernel", "recurrent_kernel", "bias")
        ]
        own, states = states[:count], states[count:]
        if count == 1:
            own = [gru_step(inputs, *own, *numbers)]
        else:
            own = list(lstm_step(inputs, *own, *numbers))
        inputs = own[0]
        new_states += own
    return inputs, new_states


def decoder(
    words, states, look, weights, fed=False, cells=("cell",), counts=(1,), kernel=None
):
    """h_t -> a_t -> c_t -> h~_t along the words of one sentence (section 3.1).

    Args:
        words: embedded target words.
        states: of the recurrent cell before the first word.
        look: look(hidden, t) gives the context and the weights.
        weights: of the decoder, by address.
        fed: whether h~ stands beside the next word (section 3.3).
        cells: addresses of the recurrent layers.
        counts: how many state tensors each has.
        kernel: W_c.

    Returns:
        h~, contexts and weights, one a word, and the last states.
    """
    vector = np.zeros(kernel.shape[1])
    vectors, contexts, alignments = [], [], []
    for t, word in enumerate(words):
        inputs = np.concatenate([word, vector]) if fed else word
        hidden, states = stack_step(inputs, states, weights, cells, counts)
        context, alignment = look(hidden, t)
        vector = attentional_vector(context, hidden, kernel)
        vectors.append(vector)
        contexts.append(context)
        alignments.append(alignment)
    return np.array(vectors), np.array(contexts), np.array(alignments), states


def luong_decoder(source_ids, target_ids, weights, name, window, width, fed):
    """Encoder, attention and decoder along one sentence pair.

    As in `zoo.models.rnn_seq2seq`: one bidirectional encoder layer whose directions
    stand side by side, a start state made from both directions' last states, and an
    output matrix tied to the target embedding.

    Args:
        source_ids: the source sentence without padding.
        target_ids: the target tokens that the decoder is fed with.
        weights: arrays by address, of a model with "gru".
        name: of the score, one that projects the values.
        window: "global", "local_m" or "local_p".
        width: D.
        fed: input feeding.

    Returns:
        Logits (target_length, vocabulary) and weights (target_length, source_length).
    """
    weights = {address: array.astype("float64") for address, array in weights.items()}
    words = [weights["source_embedding/embeddings"][token] for token in source_ids]
    forward = gru_encoder(words, weights, "forward")
    backward = gru_encoder(words[::-1], weights, "backward")
    values = [
        np.concatenate(pair) for pair in zip(forward, backward[::-1], strict=True)
    ]
    last_states = np.concatenate([forward[-1], backward[-1]])
    start = np.tanh(
        last_states @ weights["start_state_0/kernel"] + weights["start_state_0/bias"]
    )
    prefix = "decoder/attention/"
    own = {
        address.removeprefix(prefix): array
        for address, array in weights.items()
        if address.startswith(prefix)
    }
    visible = [True] * len(values)
    vectors, _, alignments, _ = decoder(
        [weights["target_embedding/embeddings"][token] for token in target_ids],
        [start],
        lambda hidden, t: attend(name, window, width, hidden, values, visible, own, t),
        weights,
        fed,
        cells=("decoder/cell",),
        kernel=weights["decoder/attentional/kernel"],
    )
    logits = [
        weights["target_embedding/embeddings"] @ vector + weights["output_bias"]
        for vector in vectors
    ]
    return np.array(logits), alignments
