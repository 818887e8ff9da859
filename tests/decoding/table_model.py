"""A model that is a table of numbers, and what decoding should find with it."""

import itertools

import numpy as np
import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID
from zoo.decoding import DecodingOptions, ModelStepper, decode

VOCABULARY = 7
WORDS = (4, 5, 6)


class TableModel:
    """Logits depend on the sentence, the last token and how many came before it.

    The state counts tokens and remembers the one before the last, so a beam that
    reorders tokens but not states gives other scores. The attention weights of a step
    are 3/4 at (number of tokens + last token) modulo the source length, and 1/4 at the
    next place.
    """

    def __init__(self, seed, sharpness=2.0):
        random = np.random.default_rng(seed)
        shape = (11, VOCABULARY, VOCABULARY, VOCABULARY)
        self.table = (sharpness * random.normal(size=shape)).astype("float32")
        self.supports = random.normal(size=(13, VOCABULARY)).astype("float32")

    def encode(self, source_ids, training=False):
        return {
            "key": source_ids[:, 0] % 11,
            "length": tf.reduce_sum(tf.cast(source_ids != 0, tf.int32), axis=1),
            "grid": tf.cast(source_ids, tf.float32),
        }

    def initial_state(self, memory):
        count = tf.shape(memory["key"])[0]
        return (tf.zeros([count, 1], tf.int32), tf.zeros([count, 1], tf.int32))

    def step(self, token_ids, state, memory):
        count, before = state
        index = tf.stack([memory["key"], before[:, 0], token_ids], axis=1)
        logits = tf.gather_nd(tf.constant(self.table), index)
        logits += tf.gather(tf.constant(self.supports), count[:, 0] % 13)
        places = tf.shape(memory["grid"])[1]
        at = (count[:, 0] + token_ids) % memory["length"]
        weights = 0.75 * tf.one_hot(at, places)
        weights += 0.25 * tf.one_hot((at + 1) % memory["length"], places)
        return logits, (count + 1, token_ids[:, None]), weights


def logits_of(model, key, ids):
    """Logits with which the token after `ids` is chosen."""
    before, last = (START_ID, START_ID, *ids)[-2:]
    if not ids:
        before = 0
    return (model.table[key, before, last] + model.supports[len(ids)]).astype("float64")


def log_softmax(logits):
    logits = logits - np.max(logits, axis=-1, keepdims=True)
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def attention(ids, length, width):
    """The weights with which each of the ids was chosen, shape (ids, width)."""
    weights = np.zeros((len(ids), width))
    for step, last in enumerate((START_ID, *ids[:-1])):
        weights[step, (step + last) % length] += 0.75
        weights[step, (step + last + 1) % length] += 0.25
    return weights


def score_of(model, source, ids, alpha=0.0, beta=0.0, form="gnmt"):
    """Equation 14 of Wu et al. (2016), written out; or with n for (5 + n) / 6."""
    key, length = int(source[0]), int(np.count_nonzero(source))
    total = 0.0
    for step, token in enumerate(ids):
        total += log_softmax(logits_of(model, key, ids[:step]))[token]
    total /= ((5 + len(ids)) / 6 if form == "gnmt" else len(ids)) ** alpha
    for covered in attention(ids, length, length).sum(axis=0):
        total += beta * np.log(np.clip(covered, 1e-6, 1.0))
    return total


def exhaustive(
    model, source, longest, alpha=0.0, beta=0.0, words=WORDS, keep=None, form="gnmt"
):
    """Every hypothesis of at most `longest` tokens with its score, best first."""
    found = [
        (*chosen, END_ID)
        for length in range(longest)
        for chosen in itertools.product(words, repeat=length)
        if keep is None or keep(chosen)
    ]
    scored = [(score_of(model, source, ids, alpha, beta, form), ids) for ids in found]
    return sorted(scored, reverse=True)


def search(model, source_ids, max_lengths, options, **more):
    return decode(
        ModelStepper(model),
        tf.constant(source_ids),
        tf.constant(max_lengths),
        options,
        **more,
    )


def beam(size, alpha=1.0, best=1, **options):
    return DecodingOptions(
        beam_size=size, length_penalty=alpha, num_hypotheses=best, **options
    )


def sample(count, **options):
    return DecodingOptions(
        method="sample", num_hypotheses=count, length_penalty=0.0, **options
    )


def strip(ids):
    return tuple(int(token) for token in ids if token != PADDING_ID)


def hypotheses(found, row=0):
    """The hypotheses of a sentence, as tuples."""
    return [strip(ids) for ids in found.ids.numpy()[row]]
