"""Strings to padded ids and back, inside a TensorFlow graph."""

import tensorflow as tf
import tensorflow_text as tf_text

from zoo.data.vocabulary import END_ID, PADDING_ID, Vocabulary

# Those of every script: ideographic and no-break spaces, too.
_SPACES_AROUND = r"^[\s\p{Z}]+|[\s\p{Z}]+$"


class TextCodec(tf.Module):
    """One SentencePiece vocabulary as graph operations.

    The same object serves training, prediction and the exported SavedModel, so that
    none of them can prepare text in its own way. Bytes that are not UTF-8 become
    U+FFFD; text over a limit is cut and flagged, never refused.

    Args:
        vocabulary: the SentencePiece model.
        max_characters: longest text that is read.
        max_pieces: longest sequence of ids, the end token included.
    """

    def __init__(
        self, vocabulary: Vocabulary, max_characters: int = 2000, max_pieces: int = 128
    ):
        super().__init__()
        self.max_characters = max_characters
        self.max_pieces = max_pieces
        # A SavedModel's loader keeps one tokenizer for each name: two vocabularies
        # under the default name would both become the first.
        self._tokenizer = tf_text.SentencepieceTokenizer(
            model=vocabulary.proto, name=f"sentencepiece_{vocabulary.sha256[:16]}"
        )

    def encode(self, texts):
        """Tokenizes.

        Args:
            texts: strings, shape (batch,).

        Returns:
            A ragged tensor of ids, each row ended by the end token, and booleans,
            shape (batch,): whether a limit cut the text.
        """
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        too_long = tf.strings.length(texts, unit="UTF8_CHAR") > self.max_characters
        texts = tf.strings.substr(texts, 0, self.max_characters, unit="UTF8_CHAR")
        pieces = tf.cast(self._tokenizer.tokenize(texts), tf.int32)
        truncated = too_long | (pieces.row_lengths() > self.max_pieces - 1)
        pieces = pieces[:, : self.max_pieces - 1]
        ends = tf.fill([pieces.nrows(), 1], END_ID)
        return tf.concat([pieces, ends], axis=1), truncated

    def surfaces(self, texts):
        """What stands in the texts for each piece that `encode` gives.

        Args:
            texts: strings, shape (batch,).

        Returns:
            Strings without the spaces around them, shape (batch, length), "" for the
            end token and padding.
        """
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        texts = tf.strings.substr(texts, 0, self.max_characters, unit="UTF8_CHAR")
        _, starts, ends = self._tokenizer.tokenize_with_offsets(texts)
        places = starts[:, : self.max_pieces - 1].to_tensor()
        lengths = ends[:, : self.max_pieces - 1].to_tensor() - places
        copies = tf.repeat(texts[:, None], tf.shape(places)[1], axis=1)
        surfaces = tf.strings.substr(copies, places, lengths)
        surfaces = tf.strings.regex_replace(surfaces, _SPACES_AROUND, "")
        return tf.pad(surfaces, [[0, 0], [0, 1]])

    def join(self, pieces):
        """Joins pieces, shape (batch, length), to strings, shape (batch,).

        `decode` does the same for ids, and so only for pieces of the vocabulary.
        """
        joined = tf.strings.reduce_join(pieces, axis=-1)
        return tf.strings.strip(tf.strings.regex_replace(joined, "▁", " "))

    def decode(self, ids):
        """Detokenizes padded ids, shape (batch, length), to strings, shape (batch,)."""
        ids = tf.convert_to_tensor(ids, tf.int32)
        real = (ids != PADDING_ID) & (ids != END_ID)
        return self._tokenizer.detokenize(tf.ragged.boolean_mask(ids, real))

    def pieces(self, ids):
        """The pieces' own strings; "" at padding. Shape of `ids`."""
        pieces = self._tokenizer.id_to_string(ids)
        return tf.where(tf.equal(ids, PADDING_ID), "", pieces)
