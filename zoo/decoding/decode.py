"""Decoding a batch: the loop that every method and every model shares.

Two loops, one in the other. The inner one advances all sentences by a token. It is left
when a quarter of them have ended; the outer one then stores what was found and goes on
with the others alone, so that a batch costs what its sentences cost.
"""

import tensorflow as tf

from zoo.data.vocabulary import PADDING_ID
from zoo.decoding.beam import BeamSearch
from zoo.decoding.candidates import limits_of
from zoo.decoding.options import DecodingOptions, Hypotheses
from zoo.decoding.sequence import GreedySearch, Sampling
from zoo.decoding.steppers import Stepper, gather_rows

_ENDED_SHARE = 0.25

# Shape letters: B batch, A sentences still being decoded, K hypotheses side by side of
# each, n hypotheses returned, T target length so far, S source length.


def decode(
    stepper: Stepper,
    source_ids,
    max_lengths,
    options: DecodingOptions,
    prefixes=None,
) -> Hypotheses:
    """Decodes a batch.

    A sentence's result does not depend on the others in its batch.

    Args:
        stepper: the model.
        source_ids: (batch, source_length), 0 = padding.
        max_lengths: (batch,), most target tokens of each sentence, the end token
            included, at least 1. A hypothesis that gets there is ended there.
        options: how to decode.
        prefixes: (batch, any), tokens that each translation must start with, then
            padding; or `None`.
    """
    method = _method(options)
    if prefixes is None:
        prefixes = tf.zeros([tf.shape(source_ids)[0], 0], tf.int32)
    memory, state = stepper.start(source_ids, options.rows)
    batch, source_length = tf.unstack(tf.shape(source_ids))
    active = {
        "rows": tf.range(batch),
        "limits": limits_of(source_ids, max_lengths, prefixes, options),
        "found": method.begin(source_ids),
        "history": tf.zeros([batch, 0, options.rows, source_length]),
    }
    best = options.num_hypotheses
    results = Hypotheses(
        tf.zeros([batch, best, 0], tf.int32),
        tf.zeros([batch, best]),
        tf.zeros([batch, best, 0, source_length]),
    )

    def go_on(step, results, active, memory, state):
        found, history = active["found"], active["history"]
        step, found, history, state = _advance_together(
            stepper, method, step, found, history, state, active, memory
        )
        active = active | {"found": found, "history": history}
        results = _store(results, method, active, step)
        left = _places(~found.done)
        active = gather_rows(active, left)
        state, memory = (stepper.keep(v, left) for v in (state, memory))
        return step, results, active, memory, state

    start = (tf.constant(0), results, active, memory, state)
    _, results, *_ = tf.while_loop(
        lambda step, results, active, *rest: tf.size(active["rows"]) > 0,
        go_on,
        start,
        shape_invariants=growing_shapes(start),
    )
    return results


def score(stepper: Stepper, source_ids, target_ids):
    """Log probability of given translations, summed over their tokens, shape (batch,).

    Args:
        stepper: the model.
        source_ids: (batch, source_length), 0 = padding.
        target_ids: (batch, target_length), each ended by the end token, then padding.
    """
    lengths = tf.reduce_sum(tf.cast(target_ids != PADDING_ID, tf.int32), axis=1)
    options = DecodingOptions(beam_size=1, length_penalty=0.0)
    return decode(stepper, source_ids, lengths, options, target_ids).scores[:, 0]


def _method(options: DecodingOptions):
    if options.method == "sample":
        return Sampling(options)
    return GreedySearch(options) if options.beam_size == 1 else BeamSearch(options)


def _advance_together(stepper, method, step, found, history, state, active, memory):
    """Advances all sentences until a quarter of them have ended."""
    limits = active["limits"]

    def unfinished(step, found, history, state):
        # Whatever a broken model answers: at its longest length a sentence ends.
        return tf.reduce_mean(tf.cast(found.done, tf.float32)) < _ENDED_SHARE

    def advance(step, found, history, state):
        logits, state, weights_AKS = stepper.step(found.last, state, memory)
        logits = tf.cast(logits, tf.float32)
        history = tf.concat([history, tf.expand_dims(weights_AKS, 1)], axis=1)
        found, parents = method.advance(step, found, logits, weights_AKS, limits)
        if parents is not None:
            state = stepper.reorder(state, parents)
        return step + 1, found, history, state

    start = (step, found, history, state)
    return tf.while_loop(
        unfinished, advance, start, shape_invariants=growing_shapes(start)
    )


def _store(results: Hypotheses, method, active, step) -> Hypotheses:
    """Results with those of the sentences that have ended."""
    ended = _places(active["found"].done)
    ended_active = gather_rows(active, ended)
    ids, scores, paths = method.result(
        ended_active["found"], ended_active["limits"].source_ids
    )
    # Each token's weights are those of the slot held before it: gather along the path.
    paths_ATn = tf.transpose(paths, (0, 2, 1))
    weights_ATnS = tf.gather(ended_active["history"], paths_ATn, batch_dims=2)
    weights = tf.transpose(weights_ATnS, (0, 2, 1, 3))
    weights = tf.where((ids == PADDING_ID)[..., None], 0.0, weights)
    more = step - tf.shape(results.ids)[2]
    longer = Hypotheses(
        tf.pad(results.ids, [[0, 0], [0, 0], [0, more]]),
        results.scores,
        tf.pad(results.weights, [[0, 0], [0, 0], [0, more], [0, 0]]),
    )
    places = ended_active["rows"][:, None]
    return Hypotheses(
        *(
            tf.tensor_scatter_nd_update(whole, places, part)
            for whole, part in zip(longer, (ids, scores, weights), strict=True)
        )
    )


def _places(flags):
    """Where flags are true, shape (their number,)."""
    return tf.cast(tf.reshape(tf.where(flags), [-1]), tf.int32)


def growing_shapes(values):
    """Shape invariants of a loop: rows come and go, and empty axes grow."""

    def invariant(tensor):
        if tensor.shape.rank == 0:
            return tensor.shape
        inner = [None if size == 0 else size for size in tensor.shape[1:]]
        return tf.TensorShape([None, *inner])

    return tf.nest.map_structure(invariant, values)
