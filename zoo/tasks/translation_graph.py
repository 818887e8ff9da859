"""Translation as a graph: strings in, strings, scores and alignment out."""

import tensorflow as tf

from zoo.data.text_codec import TextCodec
from zoo.decoding import SearchOptions, search

# A translation may have this many tokens for each source token, and some more.
_LENGTH_RATIO, _LENGTH_EXTRA = 2, 10


class TranslationGraph(tf.Module):
    """A model and its vocabularies, from raw text to raw text.

    Prediction, evaluation and the exported SavedModel all run this. What it tracks are
    the model's variables and the tokenizers; the model itself is Python, used while
    tracing.

    Args:
        model: has `encode`, `initial_state` and `step`.
        source: codec of the source language.
        target: codec of the target language.
    """

    def __init__(self, model, source: TextCodec, target: TextCodec):
        super().__init__()
        object.__setattr__(self, "model", model)
        self.weights = [variable.value for variable in model.variables]
        self.source = source
        self.target = target

    def translate(self, texts, options: SearchOptions) -> dict:
        """The best translation of each text.

        Args:
            texts: strings, shape (batch,).
            options: how to search.

        Returns:
            `translations`, strings, and `scores`, floats, log probability over length
            penalty, both (batch,); `truncated`, booleans, (batch,): a limit cut the
            source.
        """
        found = self.align(texts, options)
        return {key: found[key] for key in ("translations", "scores", "truncated")}

    def align(self, texts, options: SearchOptions) -> dict:
        """The best translation of each text, and what it looked at.

        Returns:
            What `translate` returns, and: `source_pieces`, strings, (batch,
            source_length), and `target_pieces`, strings, (batch, target_length), ""
            after the end; `source_lengths` and `target_lengths`, integers, (batch,),
            the end tokens included; `alignment`, floats, (batch, target_length,
            source_length): row t holds the attention weights with which target piece
            t was chosen.
        """
        source_ids, truncated = self.source.encode(texts)
        source_lengths = tf.cast(source_ids.row_lengths(), tf.int32)
        source_ids = source_ids.to_tensor()
        # Even a batch of no texts has a position: recurrent layers need one.
        missing = tf.maximum(1 - tf.shape(source_ids)[1], 0)
        source_ids = tf.pad(source_ids, [[0, 0], [0, missing]])
        max_lengths = tf.minimum(
            _LENGTH_RATIO * source_lengths + _LENGTH_EXTRA, self.target.max_pieces
        )
        # An empty text has only its end token, and an empty translation.
        max_lengths = tf.where(source_lengths > 1, max_lengths, 1)
        found = search(self.model, source_ids, max_lengths, options)
        ids = found.ids[:, 0]
        return {
            "translations": self.target.decode(ids),
            "scores": found.scores[:, 0],
            "truncated": truncated,
            "source_pieces": self.source.pieces(source_ids),
            "source_lengths": source_lengths,
            "target_pieces": self.target.pieces(ids),
            "target_lengths": tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1),
            "alignment": found.weights[:, 0],
        }
