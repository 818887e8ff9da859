"""Classification of documents with attention to words and to sentences."""

import tensorflow as tf

from zoo.tasks.text_classification_graph import TextClassificationGraph

# Shape letters: B batch, S sentences, W pieces of a sentence, L pieces of a document.


class DocumentClassificationGraph(TextClassificationGraph):
    """`TextClassificationGraph` over a `SentenceCodec`."""

    ids_spec = tf.TensorSpec([None, None, None], tf.int32)

    def ids(self, texts, pairs=None):
        ragged, truncated = self.codec.encode(texts)
        ids = ragged.to_tensor()
        # Even a batch of empty documents has a sentence with a position.
        missing = tf.maximum(1 - tf.shape(ids)[1:], 0)
        zero = tf.zeros_like(missing)
        padding = tf.concat([[[0, 0]], tf.stack([zero, missing], axis=1)], axis=0)
        return tf.pad(ids, padding), truncated

    def attend(self, texts, pairs=None) -> dict:
        """What each document is, and what the model looked at.

        Returns:
            As of a `TextClassificationGraph`; the weight of a piece is that in its
            sentence times that of the sentence. `sentence_starts`, `sentence_ends` and
            `sentence_attention`, (batch, sentences), say the same of sentences.
        """
        ids, truncated = self.ids(texts)
        vectors, weights_BSW = self._read(ids)
        starts, ends = self.codec.spans(texts)
        pieces, _ = self.codec.encode(texts)
        own = _like(weights_BSW, pieces)
        return self._named(vectors) | {
            "truncated": truncated,
            "pieces": self.codec.codec.pieces(_flat(pieces)),
            "starts": _flat(starts),
            "ends": _flat(ends),
            "attention": _flat(own),
            "sentence_starts": tf.reduce_min(starts, axis=-1).to_tensor(),
            "sentence_ends": tf.reduce_max(ends, axis=-1).to_tensor(),
            "sentence_attention": tf.reduce_sum(own, axis=-1).to_tensor(),
        }


def _like(values_BSW, ragged):
    """Dense values in the shape of ragged ones."""
    sentences = ragged.row_lengths()
    flat = ragged.values
    places_NW = tf.ragged.range(flat.row_lengths())
    document = tf.repeat(tf.range(ragged.nrows()), sentences)
    sentence = tf.ragged.range(sentences).flat_values
    count = flat.row_lengths()
    index = tf.stack(
        [
            tf.repeat(document, count),
            tf.repeat(sentence, count),
            places_NW.flat_values,
        ],
        axis=-1,
    )
    return ragged.with_flat_values(tf.gather_nd(values_BSW, index))


def _flat(ragged):
    """(batch, sentences, pieces) as (batch, length), padded."""
    return ragged.merge_dims(1, 2).to_tensor()
