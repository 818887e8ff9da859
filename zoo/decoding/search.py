"""Greedy and beam search.

Beam search keeps two sets a sentence: the best unfinished hypotheses, ranked by log
probability, and the best finished ones, ranked by log probability over the length
penalty of Wu et al. (2016, https://arxiv.org/abs/1609.08144, equation 14):
lp(n) = ((5 + n) / 6)^alpha, where n counts the end token. A finished hypothesis never
changes again. The search for a sentence ends when no unfinished hypothesis can still
beat the worst of those that were asked for: log probabilities only fall, so the best
that an unfinished one can reach is its own log probability over the penalty of the
longest length allowed.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID

# Shape letters: B batch, K beam size, N = B x K rows, V vocabulary, S source length,
# T target length so far.

_NEVER = -1e9
_SUPPRESSED = (PADDING_ID, START_ID, UNKNOWN_ID)


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes:
        beam_size: hypotheses kept while searching; 1 is greedy search.
        length_penalty: alpha, at least 0; 0 ranks by plain log probability.
        num_hypotheses: how many of the best are returned, at most `beam_size`.

    Raises:
        ValueError: a value out of range.
    """

    beam_size: int = 4
    length_penalty: float = 1.0
    num_hypotheses: int = 1

    def __post_init__(self):
        if self.beam_size < 1:
            raise ValueError(
                f"beam_size must be at least 1. Received: beam_size={self.beam_size}."
            )
        if not 0 <= self.length_penalty < math.inf:
            raise ValueError(
                "length_penalty must be at least 0 and finite. "
                f"Received: length_penalty={self.length_penalty}."
            )
        if not 1 <= self.num_hypotheses <= self.beam_size:
            raise ValueError(
                "num_hypotheses must be from 1 to beam_size. Received: num_hypotheses="
                f"{self.num_hypotheses}, beam_size={self.beam_size}."
            )


class Hypotheses(NamedTuple):
    """What a search found, best first.

    Attributes:
        ids: (batch, num_hypotheses, length), ended by the end token, then padding.
        scores: (batch, num_hypotheses), log probability over length penalty.
        weights: (batch, num_hypotheses, length, source_length), the attention
            weights with which each token was chosen; zeros after the end.
    """

    ids: tf.Tensor
    scores: tf.Tensor
    weights: tf.Tensor


def search(model, source_ids, max_lengths, options: SearchOptions) -> Hypotheses:
    """Decodes a batch.

    A sentence's result does not depend on the others in its batch.

    Args:
        model: has `encode`, `initial_state` and `step`.
        source_ids: (batch, source_length), 0 = padding.
        max_lengths: (batch,), most target tokens of each sentence, the end token
            included, at least 1. A hypothesis that gets there is ended there.
        options: how to search.
    """
    memory = model.encode(source_ids, training=False)
    state = model.initial_state(memory)
    if options.beam_size == 1:
        return _greedy_search(model, memory, state, max_lengths, options)
    return _beam_search(model, memory, state, max_lengths, options)


def length_penalty(length, alpha: float):
    return tf.pow((5.0 + tf.cast(length, tf.float32)) / 6.0, alpha)


def _log_probabilities(logits, must_end):
    """Log probabilities in float32, with what may not be chosen put out of reach.

    They are not normalised again over what may be chosen, so a hypothesis scores the
    same here as when the model is asked to score it.
    """
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    ids = tf.range(tf.shape(logits)[-1])
    suppressed = tf.reduce_any(ids[:, None] == tf.constant(_SUPPRESSED), axis=-1)
    forbidden = suppressed | (must_end[:, None] & (ids != END_ID))
    return tf.where(forbidden, _NEVER, log_probs)


def _greedy_search(model, memory, state, max_lengths, options):
    batch = tf.shape(max_lengths)[0]

    def advance(step, last, state, done, ids, log_prob, lengths, weights):
        logits, state, weights_BS = model.step(last, state, memory)
        log_probs = _log_probabilities(logits, step + 1 >= max_lengths)
        best = tf.argmax(log_probs, axis=-1, output_type=tf.int32)
        chosen = tf.gather(log_probs, best, batch_dims=1)
        log_prob += tf.where(done, 0.0, chosen)
        lengths += tf.where(done, 0, 1)
        best = tf.where(done, PADDING_ID, best)
        weights_BS = tf.where(done[:, None], 0.0, tf.cast(weights_BS, tf.float32))
        return (
            step + 1,
            best,
            state,
            done | (best == END_ID),
            tf.concat([ids, best[:, None]], axis=1),
            log_prob,
            lengths,
            weights.write(step, weights_BS),
        )

    start = (
        tf.constant(0),
        tf.fill([batch], START_ID),
        state,
        tf.zeros([batch], tf.bool),
        tf.zeros([batch, 0], tf.int32),
        tf.zeros([batch]),
        tf.zeros([batch], tf.int32),
        _weights_history(),
    )
    invariants = _shapes(start)
    invariants[4] = tf.TensorShape([None, None])
    _, _, _, _, ids, log_prob, lengths, weights = tf.while_loop(
        _unfinished(max_lengths, 3),
        advance,
        start,
        shape_invariants=tuple(invariants),
    )
    scores = log_prob / length_penalty(lengths, options.length_penalty)
    weights_BTS = tf.transpose(weights.stack(), (1, 0, 2))
    return Hypotheses(ids[:, None], scores[:, None], weights_BTS[:, None])


def _beam_search(model, memory, state, max_lengths, options):
    beams = options.beam_size
    batch = tf.shape(max_lengths)[0]
    memory = tf.nest.map_structure(lambda t: tf.repeat(t, beams, axis=0), memory)
    state = tf.nest.map_structure(lambda t: tf.repeat(t, beams, axis=0), state)
    max_lengths_N = tf.repeat(max_lengths, beams)
    longest_penalty_B = length_penalty(max_lengths, options.length_penalty)
    slots_BK = tf.tile(tf.range(beams)[None], [batch, 1])

    def advance(step, state, alive, finished, done, weights):
        logits, state, weights_NS = model.step(
            tf.reshape(alive.last, [-1]), state, memory
        )
        weights = weights.write(step, tf.cast(weights_NS, tf.float32))
        log_probs = _log_probabilities(logits, step + 1 >= max_lengths_N)
        totals = tf.reshape(alive.log_probs, [-1, 1]) + log_probs
        vocabulary = tf.shape(totals)[-1]
        # Twice the beam: even if half of the candidates end, the beam stays full.
        best, flat = tf.math.top_k(tf.reshape(totals, [batch, -1]), 2 * beams)
        parents, chosen = flat // vocabulary, flat % vocabulary
        paths = tf.gather(
            tf.concat([alive.paths, slots_BK[..., None]], axis=2), parents, batch_dims=1
        )
        ids = tf.concat(
            [tf.gather(alive.ids, parents, batch_dims=1), chosen[..., None]], axis=2
        )
        ends = chosen == END_ID
        finished = _merge_finished(
            finished,
            ids,
            paths,
            tf.where(
                ends & ~done[:, None],
                best / length_penalty(step + 1, options.length_penalty),
                _NEVER,
            ),
        )
        log_probs, kept = tf.math.top_k(tf.where(ends, _NEVER, best), beams)
        rows = tf.gather(parents, kept, batch_dims=1)
        rows = tf.reshape(rows + tf.range(batch)[:, None] * beams, [-1])
        alive = _Alive(
            tf.gather(chosen, kept, batch_dims=1),
            log_probs,
            tf.gather(ids, kept, batch_dims=1),
            tf.gather(paths, kept, batch_dims=1),
        )
        reachable = log_probs[:, 0] / longest_penalty_B
        to_beat = finished.scores[:, options.num_hypotheses - 1]
        done |= (step + 1 >= max_lengths) | (reachable <= to_beat)
        state = tf.nest.map_structure(lambda t: tf.gather(t, rows), state)
        return step + 1, state, alive, finished, done, weights

    nothing = tf.zeros([batch, beams, 0], tf.int32)
    start = (
        tf.constant(0),
        state,
        _Alive(
            tf.fill([batch, beams], START_ID),
            # All beams start alike: only the first may be continued.
            tf.where(slots_BK == 0, 0.0, _NEVER),
            nothing,
            nothing,
        ),
        _Finished(tf.fill([batch, beams], _NEVER), nothing, nothing),
        tf.zeros([batch], tf.bool),
        _weights_history(),
    )
    growing = tf.TensorShape([None, beams, None])
    invariants = _shapes(start)
    invariants[2] = invariants[2]._replace(ids=growing, paths=growing)
    invariants[3] = invariants[3]._replace(ids=growing, paths=growing)
    _, _, _, finished, _, weights = tf.while_loop(
        _unfinished(max_lengths, 4),
        advance,
        start,
        shape_invariants=tuple(invariants),
    )
    finished = _Finished(*(tensor[:, : options.num_hypotheses] for tensor in finished))
    return Hypotheses(
        finished.ids, finished.scores, _follow(weights, finished, batch, beams)
    )


def _unfinished(max_lengths, done: int):
    """The loops' condition: `done` is where in their values that flag stands.

    The first step is always taken, so that there is something to stack; and none
    after the longest length, whatever a broken model answers.
    """
    longest = tf.reduce_max(tf.concat([[1], max_lengths], axis=0))
    return lambda step, *rest: (
        (step == 0) | ((step < longest) & ~tf.reduce_all(rest[done - 1]))
    )


class _Alive(NamedTuple):
    """Unfinished hypotheses; a path names the beam slot held before each token."""

    last: tf.Tensor
    log_probs: tf.Tensor
    ids: tf.Tensor
    paths: tf.Tensor


class _Finished(NamedTuple):
    """Ended hypotheses, best first."""

    scores: tf.Tensor
    ids: tf.Tensor
    paths: tf.Tensor


def _merge_finished(finished, ids, paths, scores):
    """The best of those that had ended and those that may just have."""
    beams = tf.shape(finished.scores)[1]
    one_more = [[0, 0], [0, 0], [0, 1]]
    scores, kept = tf.math.top_k(tf.concat([finished.scores, scores], 1), beams)
    ids = tf.concat([tf.pad(finished.ids, one_more), ids], 1)
    paths = tf.concat([tf.pad(finished.paths, one_more), paths], 1)
    return _Finished(
        scores,
        tf.gather(ids, kept, batch_dims=1),
        tf.gather(paths, kept, batch_dims=1),
    )


def _follow(weights, finished, batch, beams):
    """Gathers each hypothesis's attention weights along its path through the beam."""
    weights_TNS = weights.stack()
    shape = tf.shape(weights_TNS)
    weights_TBKS = tf.reshape(weights_TNS, [shape[0], batch, beams, shape[2]])
    weights_BTKS = tf.transpose(weights_TBKS, (1, 0, 2, 3))
    paths_BTK = tf.transpose(finished.paths, (0, 2, 1))
    weights_BTKS = tf.gather(weights_BTKS, paths_BTK, batch_dims=2)
    weights_BKTS = tf.transpose(weights_BTKS, (0, 2, 1, 3))
    return tf.where((finished.ids == PADDING_ID)[..., None], 0.0, weights_BKTS)


def _weights_history():
    """Attention weights of every step, each (rows, source_length)."""
    return tf.TensorArray(
        tf.float32, size=0, dynamic_size=True, element_shape=[None, None]
    )


def _shapes(values) -> list:
    """The loop's shape invariants if nothing grew."""
    return [
        tf.TensorShape(None)
        if isinstance(value, tf.TensorArray)
        else tf.nest.map_structure(lambda t: t.shape, value)
        for value in values
    ]
