"""Beam search, one token further at a time.

It keeps two sets a sentence: the best unfinished hypotheses, ranked by log probability,
and the best finished ones, ranked by their score (`zoo.decoding.penalties`). A finished
hypothesis never changes again. The search for a sentence ends when no unfinished
hypothesis can still beat the worst of those that were asked for: log probabilities only
fall and the coverage penalty is never negative, so the best that an unfinished one can
reach is its own log probability over the penalty of the longest length allowed.
`DecodingOptions.stopping` names two other rules.
"""

from typing import NamedTuple

import tensorflow as tf

from zoo.data.vocabulary import END_ID, START_ID
from zoo.decoding.candidates import NEVER, Candidates, best_candidates, with_forced
from zoo.decoding.options import DecodingOptions
from zoo.decoding.penalties import coverage_cost, length_penalty

# Shape letters: A sentences, K beam size, C candidates, T target length so far,
# S source length.


class Beam(NamedTuple):
    """Both sets of every sentence.

    A trail holds, for each token, the token and the beam slot that was held before it
    (what the model's attention of that step is found by) as token x K + slot.
    """

    last: tf.Tensor  # (A, K), the last token
    log_probs: tf.Tensor  # (A, K)
    trails: tf.Tensor  # (A, K, T)
    coverage: tf.Tensor  # (A, K, S), attention so far; S is 0 where nothing asks for it
    ended_scores: tf.Tensor  # (A, K), best first
    ended_trails: tf.Tensor  # (A, K, T)
    done: tf.Tensor  # (A,)


class BeamSearch:
    """The steps of a beam search; `zoo.decoding.decode` runs them.

    Args:
        options: with method "beam" and a beam of at least 2.
    """

    def __init__(self, options: DecodingOptions):
        self.options = options

    def begin(self, source_ids) -> Beam:
        count, beams = tf.shape(source_ids)[0], self.options.beam_size
        nothing = tf.zeros([count, beams, 0], tf.int32)
        # All beams start alike: only the first may be continued.
        first = tf.where(tf.range(beams) == 0, 0.0, NEVER)
        covered = tf.shape(source_ids)[1] if self.options.coverage_penalty else 0
        return Beam(
            last=tf.fill([count, beams], START_ID),
            log_probs=tf.tile(first[None], [count, 1]),
            trails=nothing,
            coverage=tf.zeros(tf.stack([count, beams, covered])),
            ended_scores=tf.fill([count, beams], NEVER),
            ended_trails=nothing,
            done=tf.zeros([count], tf.bool),
        )

    def advance(self, step, beam: Beam, logits, weights_AKS, limits):
        """Takes the best next tokens.

        Returns:
            The new beam, and which slot each hypothesis comes from, shape (A, K).
        """
        beams, options = self.options.beam_size, self.options
        best, chosen, parents = self._choose(step, beam, logits, limits)
        codes = tf.expand_dims(chosen * beams + parents, 2)
        trails = tf.gather(beam.trails, parents, batch_dims=1)
        trails = tf.concat([trails, codes], axis=2)
        penalty = length_penalty(step + 1, options)
        scores = best / penalty
        coverage = beam.coverage
        if options.coverage_penalty:
            coverage = tf.gather(coverage + weights_AKS, parents, batch_dims=1)
            cost = coverage_cost(coverage, limits.source_ids)
            scores -= options.coverage_penalty * cost
        ends = tf.equal(chosen, END_ID)
        # What no real hypothesis led to, or came after the end, has no score.
        real = ends & tf.expand_dims(~beam.done, 1) & (best > NEVER / 2)
        if options.stopping != "sure":
            real &= tf.range(tf.shape(best)[1]) < beams
        ended_scores, ended_trails = self._best_ended(
            beam, trails, tf.where(real, scores, NEVER)
        )
        log_probs, kept = tf.math.top_k(tf.where(ends, 2 * NEVER, best), beams)
        if options.coverage_penalty:
            coverage = tf.gather(coverage, kept, batch_dims=1)
        over = self._is_over(log_probs[:, 0], ended_scores, penalty, limits)
        over |= step + 1 >= limits.max_lengths
        alive = Beam(
            last=tf.gather(chosen, kept, batch_dims=1),
            log_probs=log_probs,
            trails=tf.gather(trails, kept, batch_dims=1),
            coverage=coverage,
            ended_scores=ended_scores,
            ended_trails=ended_trails,
            done=beam.done | over,
        )
        return alive, tf.gather(parents, kept, batch_dims=1)

    def _is_over(self, best_A, ended_scores, penalty, limits):
        """Whether what has ended is good enough, shape (A,)."""
        options = self.options
        worst_A = ended_scores[:, -1]
        if options.stopping == "full":
            return worst_A > NEVER / 2
        if options.stopping == "likely":
            return best_A / penalty <= worst_A
        reachable_A = best_A / limits.longest_penalty
        return reachable_A <= ended_scores[:, options.num_hypotheses - 1]

    def _choose(self, step, beam, logits, limits):
        """The best continuations: log probabilities, tokens, slots, each (A, 2 K)."""
        beams = self.options.beam_size
        # Twice the beam: even if half of the candidates end, the beam stays full.
        found = best_candidates(
            logits, 2 * beams, step, beam.trails // beams, self.options
        )
        found = with_forced(found, limits.forced_at(step), logits, beams)
        if self.options.stopping != "sure":
            found = _ended_at_no_cost(found, tf.repeat(limits.cut_at(step), beams))
        width = found.ids.shape[1]
        totals = tf.reshape(beam.log_probs, [-1, 1]) + found.log_probs
        totals = tf.reshape(totals, [-1, beams * width])
        best, place = tf.math.top_k(totals, min(2 * beams, beams * width))
        ids = tf.reshape(found.ids, [-1, beams * width])
        return best, tf.gather(ids, place, batch_dims=1), place // width

    def _best_ended(self, beam: Beam, trails, scores):
        """The best of those that had ended and those that may just have."""
        scores, kept = tf.math.top_k(
            tf.concat([beam.ended_scores, scores], axis=1), self.options.beam_size
        )
        had_ended = tf.pad(beam.ended_trails, [[0, 0], [0, 0], [0, 1]])
        trails = tf.concat([had_ended, trails], axis=1)
        return scores, tf.gather(trails, kept, batch_dims=1)

    def result(self, beam: Beam, source_ids):
        """Ids, scores and paths of the best, each (A, num_hypotheses, …)."""
        count, beams = self.options.num_hypotheses, self.options.beam_size
        trails = beam.ended_trails[:, :count]
        return trails // beams, beam.ended_scores[:, :count], trails % beams


def _ended_at_no_cost(candidates: Candidates, cut_N) -> Candidates:
    """Candidates of which the first, a forced end, takes nothing away."""
    first = tf.range(tf.shape(candidates.ids)[1]) == 0
    return candidates._replace(
        log_probs=tf.where(first & cut_N[:, None], 0.0, candidates.log_probs)
    )
