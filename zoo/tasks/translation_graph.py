"""Translation as a graph: strings in, strings, scores and alignment out."""

import functools

import tensorflow as tf

from zoo.data.text_codec import TextCodec
from zoo.data.vocabulary import END_ID, PADDING_ID, UNKNOWN_ID
from zoo.decoding import DecodingOptions, decode
from zoo.decoding.penalties import coverage_cost, length_penalty

# Shape letters: B batch, n hypotheses, T target length, S source length.

# A translation may have this many tokens for each source token, and some more.
_LENGTH_RATIO, _LENGTH_EXTRA = 2, 10


class TranslationGraph(tf.Module):
    """A model and its vocabularies, from raw text to raw text.

    Prediction, evaluation and the exported SavedModel all run this.

    Args:
        stepper: the model, as decoding sees it.
        source: codec of the source language.
        target: codec of the target language.
        options: how to decode.
        replace_unknown: put the source's own text where the model writes an unknown
            piece: that of the source piece which it attended to most.
        variables: the model's, if its weights are no constants of the graph.
    """

    def __init__(
        self,
        stepper,
        source: TextCodec,
        target: TextCodec,
        options: DecodingOptions,
        replace_unknown: bool = False,
        variables=(),
    ):
        super().__init__()
        object.__setattr__(self, "stepper", stepper)
        self.variables_ = [variable.value for variable in variables]
        self.source = source
        self.target = target
        self.options = options
        self.replace_unknown = replace_unknown

    @functools.cached_property
    def _decode(self):
        """One function for all signatures: constants in it are written once."""
        function = tf.function(
            lambda *inputs: tuple(self._decoded(*inputs)),
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ],
            autograph=False,
        )
        # Traced here and now: a save would trace a function again.
        return function.get_concrete_function()

    def translate(self, texts) -> dict:
        """The best translation of each text.

        Args:
            texts: strings, shape (batch,).

        Returns:
            `translations`, strings, and `scores`, floats, as the decoding ranks them,
            both (batch,); `truncated`, booleans, (batch,): a limit cut the source.
        """
        found = self.align(texts)
        return {key: found[key] for key in ("translations", "scores", "truncated")}

    def align(self, texts) -> dict:
        """The best translation of each text, and what it looked at.

        Returns:
            What `n_best` returns, for the best hypothesis alone, without its axis.
        """
        found = self.n_best(texts)
        of_hypotheses = ("translations", "scores", *_OF_TARGETS)
        return {
            key: value[:, 0] if key in of_hypotheses else value
            for key, value in found.items()
        }

    def n_best(self, texts, prefixes=None) -> dict:
        """The best translations of each text, and what they looked at.

        Args:
            texts: strings, shape (batch,).
            prefixes: strings, shape (batch,), that the translations start with; or
                `None`. Their last pieces are what they would be at a text's end.

        Returns:
            `translations`, strings, and `scores`, floats, both (batch, hypotheses),
            best first; `truncated`, booleans, (batch,): a limit cut the source;
            `source_pieces`, strings, (batch, source_length), and `target_pieces`,
            strings, (batch, hypotheses, target_length), "" after the end;
            `source_lengths`, integers, (batch,), and `target_lengths`, integers,
            (batch, hypotheses), the end tokens included, and 0 where there was no
            further hypothesis to be found; `alignment`, floats, (batch, hypotheses,
            target_length, source_length): row t holds the attention weights with
            which target piece t was chosen.
        """
        source_ids, lengths, truncated = self._read(texts)
        limit = tf.minimum(
            _LENGTH_RATIO * lengths + _LENGTH_EXTRA, self.target.max_pieces
        )
        # An empty text has only its end token, and an empty translation.
        limit = tf.where(lengths > 1, limit, 1)
        if prefixes is None:
            forced = tf.zeros([tf.size(limit), 0], tf.int32)
        else:
            ragged, _ = self.target.encode(prefixes)
            forced = ragged[:, :-1].to_tensor()
            given = tf.cast(ragged.row_lengths(), tf.int32) - 1
            limit = tf.minimum(limit + given, self.target.max_pieces)
        ids, scores, weights = self._decode(source_ids, limit, forced)
        return {
            "translations": self._write(ids, weights, texts),
            "scores": scores,
            "truncated": truncated,
            "source_pieces": self.source.pieces(source_ids),
            "source_lengths": lengths,
            "target_pieces": self.target.pieces(ids),
            "target_lengths": _lengths(ids),
            "alignment": weights,
        }

    def score(self, texts, translations) -> dict:
        """How probable given translations are.

        Args:
            texts: strings, shape (batch,).
            translations: strings, shape (batch,).

        Returns:
            `scores`, (batch,), as the decoding would rank them; `log_probabilities`,
            (batch,), summed over the pieces; `target_lengths`, (batch,), how many
            pieces, the end token included; `truncated`, (batch,): a limit cut one of
            the two texts.
        """
        source_ids, _, truncated = self._read(texts)
        targets, target_truncated = self.target.encode(translations)
        target_ids = targets.to_tensor()
        lengths = tf.cast(targets.row_lengths(), tf.int32)
        _, scores, weights = self._decode(source_ids, lengths, target_ids)
        scores, options = scores[:, 0], self.options
        ranked = scores
        if options.coverage_penalty:
            covered = tf.reduce_sum(weights[:, :1], axis=2)
            cost = coverage_cost(covered, source_ids)[:, 0]
            ranked += options.coverage_penalty * cost
        penalty = length_penalty(lengths, options)
        return {
            "scores": scores,
            "log_probabilities": ranked * penalty,
            "target_lengths": lengths,
            "truncated": truncated | target_truncated,
        }

    def watched(self, texts):
        """Decodes texts eagerly, for steppers that watch their numbers."""
        source_ids, lengths, _ = self._read(texts)
        nothing = tf.zeros([tf.size(lengths), 0], tf.int32)
        limit = tf.minimum(_LENGTH_RATIO * lengths, self.target.max_pieces)
        return self._decoded(source_ids, limit, nothing)

    def _read(self, texts):
        """Ids, lengths, and whether a limit cut the text."""
        ragged, truncated = self.source.encode(texts)
        ids = ragged.to_tensor()
        # Even a batch of no texts has a position: recurrent layers need one.
        missing = tf.maximum(1 - tf.shape(ids)[1], 0)
        ids = tf.pad(ids, [[0, 0], [0, missing]])
        return ids, tf.cast(ragged.row_lengths(), tf.int32), truncated

    def _decoded(self, source_ids, max_lengths, prefixes):
        return decode(self.stepper, source_ids, max_lengths, self.options, prefixes)

    def _write(self, ids_BnT, weights_BnTS, texts):
        """Target ids as text, shape (batch, hypotheses)."""
        shape = tf.shape(ids_BnT)
        ids = tf.reshape(ids_BnT, [shape[0] * shape[1], shape[2]])
        written = self.target.decode(ids)
        if self.replace_unknown:
            surfaces_BS = self.source.surfaces(texts)
            # The end token, last of all, has no text to copy.
            inside_BnTS = weights_BnTS[..., : tf.shape(surfaces_BS)[1]]
            inside_BnTS = tf.where(surfaces_BS[:, None, None] == "", -1.0, inside_BnTS)
            seen_BnT = tf.argmax(inside_BnTS, axis=-1, output_type=tf.int32)
            seen_BN = tf.reshape(seen_BnT, [shape[0], shape[1] * shape[2]])
            copied_BN = tf.gather(surfaces_BS, seen_BN, batch_dims=1)
            is_unknown = ids == UNKNOWN_ID
            pieces = tf.where(
                is_unknown,
                tf.reshape(copied_BN, tf.shape(ids)),
                tf.where(ids == END_ID, "", self.target.pieces(ids)),
            )
            some = tf.reduce_any(is_unknown, axis=1)
            written = tf.where(some, self.target.join(pieces), written)
        return tf.reshape(written, shape[:2])


_OF_TARGETS = ("target_pieces", "target_lengths", "alignment")


def _lengths(ids):
    return tf.reduce_sum(tf.cast(ids != PADDING_ID, tf.int32), axis=-1)
