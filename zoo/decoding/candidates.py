"""Which tokens may come next, and how probable they are."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.decoding.options import DecodingOptions
from zoo.decoding.penalties import length_penalty

# Shape letters: A sentences, K hypotheses of each, N = A x K rows, T target length so
# far, C candidates, V vocabulary.

NEVER = -1e9
# Top-k looks at the best blocks only; half a kilobyte is a few cache lines.
_BLOCK = 64


class Limits(NamedTuple):
    """What each sentence may become; made by `limits_of`.

    Attributes:
        source_ids: (A, S), 0 = padding.
        max_lengths: (A,), most tokens, the end token included.
        longest_penalty: (A,), the length penalty of so many.
        forced: (A, longest of all), the token that it must take at each step, 0 where
            it is free: its prefix, and the end token at its longest length, even
            if the prefix would go on.
        cut: (A, longest of all), where the end is forced by the longest length alone.
    """

    source_ids: tf.Tensor
    max_lengths: tf.Tensor
    longest_penalty: tf.Tensor
    forced: tf.Tensor
    cut: tf.Tensor

    def forced_at(self, step):
        """Column of a step, shape (A,)."""
        return tf.gather(self.forced, step, axis=1)

    def cut_at(self, step):
        """Likewise."""
        return tf.gather(self.cut, step, axis=1)


def limits_of(source_ids, max_lengths, prefixes, options: DecodingOptions) -> Limits:
    """Limits of every sentence; `prefixes` is (A, any), padded with 0."""
    longest = tf.reduce_max(tf.concat([[1], max_lengths], axis=0))
    missing = tf.maximum(longest - tf.shape(prefixes)[1], 0)
    forced = tf.pad(prefixes, [[0, 0], [0, missing]])[:, :longest]
    is_last = tf.equal(tf.range(longest)[None], max_lengths[:, None] - 1)
    return Limits(
        source_ids,
        max_lengths,
        length_penalty(max_lengths, options),
        tf.where(is_last, END_ID, forced),
        is_last & (forced != END_ID),
    )


class Candidates(NamedTuple):
    """The best next tokens of each hypothesis.

    Attributes:
        ids: (N, C).
        log_probs: (N, C), about `NEVER` where a token may not be chosen. Not normalised
            again over what may be chosen: a hypothesis scores the same as when the
            model is asked to score it.
        log_total: (N, 1), what turns logits into log probabilities.
    """

    ids: tf.Tensor
    log_probs: tf.Tensor
    log_total: tf.Tensor


def never_chosen(options: DecodingOptions) -> tuple[int, ...]:
    """Ids that are out of the question at every step."""
    specials = {PADDING_ID, START_ID}
    if not options.allow_unknown:
        specials.add(UNKNOWN_ID)
    return tuple(sorted(specials | set(options.suppressed)))


def best_candidates(logits, count: int, step, ids, options) -> Candidates:
    """The best `count` tokens that may come next, and some that may not.

    Args:
        logits: (N, V), in float32.
        count: how many are needed.
        step: how many tokens there are already.
        ids: what they are, (A, K, T).
        options: of the decoding.
    """
    allowed = logits
    if options.no_repeat_ngram:
        rows = tf.reshape(ids, [-1, tf.shape(ids)[2]])
        allowed += repeated_ngrams(rows, options.no_repeat_ngram, tf.shape(logits)[1])
    never = never_chosen(options)
    if never[-1] >= logits.shape[-1]:
        raise ValueError(
            f"suppressed ids must be below {logits.shape[-1]}, the size of the target "
            f"vocabulary. Received: {never[-1]}."
        )
    # However many of the best are out of the question, enough others stand behind them.
    values, chosen = top_k(allowed, count + len(never) + (options.min_length > 0))
    if options.no_repeat_ngram:
        highest = tf.reduce_max(logits, axis=-1, keepdims=True)
    else:
        highest = values[:, :1]
    total = tf.reduce_sum(tf.exp(logits - highest), axis=-1, keepdims=True)
    log_total = highest + tf.math.log(total)
    out_of_question = np.zeros(logits.shape[-1], "float32")
    out_of_question[list(never)] = NEVER
    penalties = tf.gather(out_of_question, chosen)
    if options.min_length:
        too_early = tf.where(step < options.min_length, NEVER, 0.0)
        penalties += tf.where(tf.equal(chosen, END_ID), too_early, 0.0)
    return Candidates(chosen, values - log_total + penalties, log_total)


def with_forced(candidates: Candidates, forced_A, logits, rows: int) -> Candidates:
    """Where a token is forced, it is the first candidate and the only one.

    Args:
        candidates: of each row.
        forced_A: the tokens, 0 where a sentence is free.
        logits: (N, V).
        rows: K.
    """
    forced = tf.repeat(forced_A, rows) if rows > 1 else forced_A
    forced_N1 = tf.expand_dims(forced, 1)
    own = tf.gather(logits, forced_N1, batch_dims=1) - candidates.log_total
    first = np.arange(candidates.ids.shape[1]) == 0
    is_forced = forced_N1 > 0
    return candidates._replace(
        ids=tf.where(is_forced, forced_N1, candidates.ids),
        log_probs=tf.where(
            is_forced, tf.where(first, own, NEVER), candidates.log_probs
        ),
    )


def top_k(values, count: int):
    """The largest `count` of each row and where they stand, exactly.

    The best k numbers of a row lie in the k blocks with the highest maxima, which are
    far fewer to sort.
    """
    size = values.shape[-1]
    if size is None or size < 2 * count * _BLOCK:
        return tf.math.top_k(values, min(count, size or count))
    whole = size // _BLOCK * _BLOCK
    full = values if whole == size else values[:, :whole]
    blocks = tf.reshape(full, (-1, whole // _BLOCK, _BLOCK))
    _, best = tf.math.top_k(tf.reduce_max(blocks, axis=-1), count, sorted=False)
    found = tf.reshape(tf.gather(blocks, best, batch_dims=1), (-1, count * _BLOCK))
    if whole < size:
        found = tf.concat([found, values[:, whole:]], axis=1)
    found, place = tf.math.top_k(found, count)
    inside = tf.minimum(place // _BLOCK, count - 1)
    ids = tf.gather(best, inside, batch_dims=1) * _BLOCK + place % _BLOCK
    if whole < size:
        ids = tf.where(place < count * _BLOCK, ids, place - count * _BLOCK + whole)
    return found, ids


def repeated_ngrams(ids, length: int, vocabulary):
    """What makes it impossible to complete an n-gram that a row already has.

    Args:
        ids: (N, T), the tokens so far.
        length: n.
        vocabulary: V.

    Returns:
        (N, V): `NEVER` at tokens that would repeat one, else 0.
    """
    # Fewer than n - 1 tokens have no n-gram to repeat: -1 is like no token.
    ids = tf.pad(ids, [[0, 0], [length - 1, 0]], constant_values=-1)
    rows, size = tf.unstack(tf.shape(ids))
    starts = size - length + 1
    same = tf.ones([rows, starts], tf.bool)
    for offset in range(length - 1):
        last = ids[:, starts + offset]
        same &= ids[:, offset : starts + offset] == last[:, None]
    completing = ids[:, length - 1 :]
    places = tf.stack([tf.repeat(tf.range(rows), starts), tf.reshape(completing, [-1])])
    hits = tf.cast(tf.reshape(same, [-1]), tf.float32)
    counts = tf.scatter_nd(tf.transpose(places), hits, tf.stack([rows, vocabulary]))
    return tf.where(counts > 0, NEVER, 0.0)
