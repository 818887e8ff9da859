"""Greedy search and sampling: every hypothesis goes its own way."""

from typing import NamedTuple

import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID
from zoo.decoding.candidates import NEVER, best_candidates, top_k
from zoo.decoding.options import DecodingOptions
from zoo.decoding.penalties import coverage_cost, length_penalty

# Shape letters: A sentences, K hypotheses of each, N = A x K rows, T target length so
# far, S source length, V vocabulary, C candidates.


class Sequences(NamedTuple):
    """The hypotheses of every sentence."""

    last: tf.Tensor  # (A, K), the last token; padding after the end
    log_probs: tf.Tensor  # (A, K)
    ids: tf.Tensor  # (A, K, T)
    coverage: tf.Tensor  # (A, K, S); S is 0 where nothing asks for it
    ended: tf.Tensor  # (A, K)

    @property
    def done(self):
        return tf.reduce_all(self.ended, axis=1)


class GreedySearch:
    """Takes the most probable token at every step.

    Args:
        options: with method "beam" and a beam of 1.
    """

    def __init__(self, options: DecodingOptions):
        self.options = options

    def begin(self, source_ids) -> Sequences:
        count, rows = tf.shape(source_ids)[0], self.options.rows
        covered = tf.shape(source_ids)[1] if self.options.coverage_penalty else 0
        return Sequences(
            last=tf.fill([count, rows], START_ID),
            log_probs=tf.zeros([count, rows]),
            ids=tf.zeros([count, rows, 0], tf.int32),
            coverage=tf.zeros(tf.stack([count, rows, covered])),
            ended=tf.zeros([count, rows], tf.bool),
        )

    def advance(self, step, found: Sequences, logits, weights_AKS, limits):
        """Takes the next token of each.

        Returns:
            The new sequences, and `None`: each comes from itself.
        """
        rows, ended = self.options.rows, found.ended
        chosen, log_total_N1 = self.choose(step, found, logits)
        forced = tf.expand_dims(limits.forced_at(step), 1)
        chosen = tf.where(forced > 0, forced, tf.reshape(chosen, [-1, rows]))
        log_probs = tf.gather(logits, tf.reshape(chosen, [-1, 1]), batch_dims=1)
        log_probs = tf.reshape(log_probs - log_total_N1, [-1, rows])
        chosen = tf.where(ended, PADDING_ID, chosen)
        coverage = found.coverage
        if self.options.coverage_penalty:
            coverage += tf.where(tf.expand_dims(ended, 2), 0.0, weights_AKS)
        return Sequences(
            last=chosen,
            log_probs=found.log_probs + tf.where(ended, 0.0, log_probs),
            ids=tf.concat([found.ids, tf.expand_dims(chosen, 2)], axis=2),
            coverage=coverage,
            ended=ended | tf.equal(chosen, END_ID),
        ), None

    def choose(self, step, found: Sequences, logits):
        """The next token of each row, (N,), and what its logits sum up to, (N, 1)."""
        best = best_candidates(logits, 1, step, found.ids, self.options)
        place = tf.argmax(best.log_probs, axis=-1, output_type=tf.int32)
        return tf.gather(best.ids, place, batch_dims=1), best.log_total

    def result(self, found: Sequences, source_ids):
        """Ids, scores, best first, and paths, each (A, num_hypotheses, …)."""
        options = self.options
        real = tf.cast(found.ids != PADDING_ID, tf.int32)
        scores = found.log_probs / length_penalty(tf.reduce_sum(real, axis=2), options)
        if options.coverage_penalty:
            cost = coverage_cost(found.coverage, source_ids)
            scores -= options.coverage_penalty * cost
        scores, order = tf.math.top_k(scores, options.num_hypotheses)
        ids = tf.gather(found.ids, order, batch_dims=1)
        paths = tf.broadcast_to(order[..., None], tf.shape(ids))
        return ids, scores, paths


class Sampling(GreedySearch):
    """Draws every token at random (see `DecodingOptions` for what shapes the draw).

    The noise of a step is the same for every sentence of a batch, so that a sentence's
    samples do not depend on what it is batched with; Gumbel noise added to log
    probabilities makes the largest sum a sample.

    Args:
        options: with method "sample".
    """

    def choose(self, step, found: Sequences, logits):
        options, size = self.options, logits.shape[-1]
        # All of the vocabulary as candidates: what is forbidden is settled.
        every = best_candidates(logits, size, step, found.ids, options)
        # Counted from the best: no temperature reaches what is out of the question.
        below = every.log_probs - tf.reduce_max(every.log_probs, -1, keepdims=True)
        scaled = tf.where(
            every.log_probs > NEVER / 2, below / options.temperature, NEVER
        )
        scaled = keep_likely(scaled, options)
        seed = tf.stack([options.seed, step])
        shape = [options.num_hypotheses, size]
        uniform_KV = tf.random.stateless_uniform(shape, seed=seed, minval=1e-30)
        noise_KV = -tf.math.log(-tf.math.log(uniform_KV))
        # A token's noise is its own, wherever it stands among the candidates.
        noise_NV = tf.tile(noise_KV, [tf.shape(found.last)[0], 1])
        noise_NC = tf.gather(noise_NV, every.ids, batch_dims=1)
        place = tf.argmax(scaled + noise_NC, axis=-1, output_type=tf.int32)
        return tf.gather(every.ids, place, batch_dims=1), every.log_total


def keep_likely(log_probs_NC, options: DecodingOptions):
    """Puts all but the likeliest out of reach, as `top_k` and `top_p` ask."""
    kept = log_probs_NC
    if options.top_k:
        count = min(options.top_k, log_probs_NC.shape[-1] or options.top_k)
        lowest = top_k(log_probs_NC, count)[0][:, -1:]
        kept = tf.where(log_probs_NC >= lowest, kept, NEVER)
    if options.top_p < 1.0:
        ordered = tf.sort(kept, axis=-1, direction="DESCENDING")
        shares = tf.nn.softmax(ordered)
        before = tf.cumsum(shares, axis=-1, exclusive=True)
        inside = tf.where(before < options.top_p, ordered, -2 * NEVER)
        lowest = tf.reduce_min(inside, axis=-1, keepdims=True)
        kept = tf.where(kept >= lowest, kept, NEVER)
    return kept
