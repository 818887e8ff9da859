"""Classification of documents with attention to words and to sentences."""

import tensorflow as tf

from zoo.data.vocabulary import PADDING_ID
from zoo.tasks.text_classification_graph import TextClassificationGraph

# Shape letters: B batch, S sentences, W pieces of a sentence, L pieces of a document.


class DocumentClassificationGraph(TextClassificationGraph):
    """`TextClassificationGraph` over a `SentenceCodec`."""

    ids_spec = tf.TensorSpec([None, None, None], tf.int32)

    def ids(self, texts, pairs=None):
        ragged, truncated = self.codec.encode(texts)
        return _padded(ragged), truncated

    def attend(self, texts, pairs=None) -> dict:
        """What each document is, and what the model looked at.

        Returns:
            As of a `TextClassificationGraph`; the weight of a piece is that in its
            sentence times that of the sentence. `sentence_starts`, `sentence_ends` and
            `sentence_attention`, (batch, sentences), say the same of sentences.
        """
        pieces, starts, ends, truncated = self.codec.read(texts)
        ids = _padded(pieces)
        vectors, weights_BSW = self._read(ids)
        sentence_starts = tf.reduce_min(starts, axis=-1).to_tensor()
        # Padding has no weight; a sentence that only fills up has no place either.
        sentences_BS = tf.reduce_sum(weights_BSW, axis=-1)
        return self._named(vectors) | {
            "truncated": truncated,
            "pieces": self.codec.codec.pieces(_flat(pieces)),
            "starts": _flat(starts),
            "ends": _flat(ends),
            "attention": _flat(tf.ragged.boolean_mask(weights_BSW, ids != PADDING_ID)),
            "sentence_starts": sentence_starts,
            "sentence_ends": tf.reduce_max(ends, axis=-1).to_tensor(),
            "sentence_attention": sentences_BS[:, : tf.shape(sentence_starts)[1]],
        }


def _padded(ragged):
    """Ids of documents as one tensor; of empty ones, too, with a place for a piece."""
    ids = ragged.to_tensor()
    missing = tf.maximum(1 - tf.shape(ids)[1:], 0)
    zero = tf.zeros_like(missing)
    padding = tf.concat([[[0, 0]], tf.stack([zero, missing], axis=1)], axis=0)
    return tf.pad(ids, padding)


def _flat(ragged):
    """(batch, sentences, pieces) as (batch, length), padded."""
    return ragged.merge_dims(1, 2).to_tensor()
