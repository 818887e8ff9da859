"""Documents to sentences to padded ids, inside a TensorFlow graph."""

import tensorflow as tf

from zoo.data.text_codec import TextCodec

# Marks where a sentence ends; it has no other use in text.
_MARK = "\x1e"
# A full stop is one before a space; those of Chinese and Japanese stand alone.
_ENDS = r"([.!?…]+[\"'”’)\]]*\s+|[。！？]+[”’」』）]*|[\r\n]+)"

# Shape letters: B documents, S sentences, W pieces of a sentence.


class SentenceCodec(tf.Module):
    """Cuts documents into sentences, and those into pieces.

    A sentence longer than `words` pieces goes on as the next one, so that text without
    full stops is cut as well. Line breaks end sentences.

    Args:
        codec: tokenizes; its own limit on characters holds for a document.
        words: most pieces of a sentence.
        sentences: most sentences of a document.
    """

    def __init__(self, codec: TextCodec, words: int = 32, sentences: int = 64):
        super().__init__()
        self.codec = codec
        self.words = words
        self.sentences = sentences

    def encode(self, texts):
        """Tokenizes.

        Args:
            texts: strings, shape (documents,).

        Returns:
            A ragged tensor of ids, (documents, sentences, pieces), without end tokens;
            a document without any piece has no sentence. Booleans, shape
            (documents,): whether a limit cut the document.
        """
        ids, _, _, truncated = self.read(texts)
        return ids, truncated

    def spans(self, texts):
        """Where pieces and sentences stand.

        Returns:
            Starts and ends in bytes of each piece, ragged as `encode`'s ids.
        """
        _, starts, ends, _ = self.read(texts)
        return starts, ends

    def read(self, texts):
        """What `encode` and `spans` return: ids, starts, ends, and whether cut."""
        texts, too_long = self.codec.within(texts)
        marked = tf.strings.regex_replace(texts, _MARK, " ")
        marked = tf.strings.regex_replace(marked, _ENDS, rf"\1{_MARK}")
        parts_BS = tf.strings.split(marked, _MARK)
        offsets_BS = _starts(parts_BS)
        ids, starts, ends = self.codec.tokens(parts_BS.flat_values)
        offsets = tf.repeat(offsets_BS.flat_values, ids.row_lengths())
        documents = tf.repeat(parts_BS.value_rowids(), ids.row_lengths())
        rows = self._sentences(ids)
        columns = [
            ids.flat_values,
            tf.cast(starts.flat_values + offsets, tf.int32),
            tf.cast(ends.flat_values + offsets, tf.int32),
        ]
        count = tf.cast(tf.shape(texts)[0], tf.int64)
        folded = [_folded(values, rows, documents, count) for values in columns]
        truncated = too_long | (folded[0].row_lengths() > self.sentences)
        return *(values[:, : self.sentences] for values in folded), truncated

    def _sentences(self, ids):
        """The number of the sentence, over all documents, of each piece."""
        inside = tf.ragged.range(ids.row_lengths()).flat_values
        is_first = tf.equal(inside % self.words, 0)
        return tf.cumsum(tf.cast(is_first, tf.int64)) - 1


def _starts(parts_BS):
    """Where each part starts in its document, in bytes; the marks do not count."""
    lengths = tf.cast(tf.strings.length(parts_BS.flat_values), tf.int64)
    before = tf.cumsum(lengths, exclusive=True)
    # Less what stands in earlier documents.
    first = tf.gather(tf.pad(before, [[0, 1]]), parts_BS.row_splits[:-1])
    starts = before - tf.repeat(first, parts_BS.row_lengths())
    return parts_BS.with_flat_values(starts)


def _folded(values, rows, documents, count):
    """Values of all pieces as (documents, sentences, pieces)."""
    sentences = tf.RaggedTensor.from_value_rowids(values, rows)
    first = tf.gather(documents, sentences.row_starts())
    return tf.RaggedTensor.from_value_rowids(sentences, first, nrows=count)
