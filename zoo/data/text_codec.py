"""Strings to padded ids and back, inside a TensorFlow graph."""

import tensorflow as tf
import tensorflow_text as tf_text

from zoo.data.vocabulary import END_ID, PADDING_ID, Vocabulary

# Those of every script: ideographic and no-break spaces, too.
SPACES_AROUND = r"^[\s\p{Z}]+|[\s\p{Z}]+$"


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
        self._tokenizer = self.make_tokenizer(vocabulary)

    def make_tokenizer(self, vocabulary: Vocabulary):
        """What gives ids for strings and strings for ids."""
        # A SavedModel's loader keeps one tokenizer for each name: two vocabularies
        # under the default name would both become the first.
        return tf_text.SentencepieceTokenizer(
            model=vocabulary.proto, name=f"sentencepiece_{vocabulary.sha256[:16]}"
        )

    def encode(self, texts, pairs=None):
        """Tokenizes.

        Args:
            texts: strings, shape (batch,).
            pairs: a second text for each, or `None`. Too much for both is taken from
                the longer one.

        Returns:
            A ragged tensor of ids, each text ended by the end token, and booleans,
            shape (batch,): whether a limit cut a text.
        """
        texts, too_long = self.within(texts)
        pieces = tf.cast(self._tokenizer.tokenize(texts), tf.int32)
        if pairs is None:
            truncated = too_long | (pieces.row_lengths() > self.max_pieces - 1)
            return _ended(pieces[:, : self.max_pieces - 1]), truncated
        pairs, pair_too_long = self.within(pairs)
        others = tf.cast(self._tokenizer.tokenize(pairs), tf.int32)
        pieces, others, cut = _share(pieces, others, self.max_pieces - 2)
        ids = tf.concat([_ended(pieces), _ended(others)], axis=1)
        return ids, too_long | pair_too_long | cut

    def spans(self, texts, pairs=None):
        """Where each piece that `encode` gives stands.

        Args:
            texts: strings, shape (batch,).
            pairs: a second text for each, or `None`.

        Returns:
            Starts and ends in bytes, both integers of shape (batch, length); of pairs
            in text, line break and second text joined. End tokens and padding have 0.
        """
        texts, _ = self.within(texts)
        _, starts, ends = self._tokenizer.tokenize_with_offsets(texts)
        if pairs is None:
            places = [side[:, : self.max_pieces - 1] for side in (starts, ends)]
            return tuple(_padded(side) for side in places)
        pairs, _ = self.within(pairs)
        _, *others = self._tokenizer.tokenize_with_offsets(pairs)
        before = tf.cast(tf.strings.length(texts), tf.int64)[:, None] + 1
        found = []
        for first, second in zip((starts, ends), others, strict=True):
            first, second, _ = _share(first, second + before, self.max_pieces - 2)
            end = tf.zeros([first.nrows(), 1], first.dtype)
            found.append(_padded(tf.concat([first, end, second], axis=1)))
        return tuple(found)

    def tokens(self, texts):
        """Ids, starts and ends in bytes of all pieces, ragged, without end tokens."""
        ids, starts, ends = self._tokenizer.tokenize_with_offsets(texts)
        return tf.cast(ids, tf.int32), starts, ends

    def within(self, texts):
        """Texts of valid UTF-8 within the limit, and whether it cut them."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        too_long = tf.strings.length(texts, unit="UTF8_CHAR") > self.max_characters
        texts = tf.strings.substr(texts, 0, self.max_characters, unit="UTF8_CHAR")
        return texts, too_long

    def surfaces(self, texts):
        """What stands in the texts for each piece that `encode` gives.

        Args:
            texts: strings, shape (batch,).

        Returns:
            Strings without the spaces around them, shape (batch, length), "" for the
            end token and padding.
        """
        texts, _ = self.within(texts)
        _, starts, ends = self._tokenizer.tokenize_with_offsets(texts)
        places = starts[:, : self.max_pieces - 1].to_tensor()
        lengths = ends[:, : self.max_pieces - 1].to_tensor() - places
        copies = tf.repeat(texts[:, None], tf.shape(places)[1], axis=1)
        surfaces = tf.strings.substr(copies, places, lengths)
        surfaces = tf.strings.regex_replace(surfaces, SPACES_AROUND, "")
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


def _ended(pieces):
    """Rows with the end token behind."""
    return tf.concat([pieces, tf.fill([pieces.nrows(), 1], END_ID)], axis=1)


def _padded(rows):
    """Ragged rows and a zero for the end token, as one 32 bit tensor."""
    return tf.pad(tf.cast(rows.to_tensor(), tf.int32), [[0, 0], [0, 1]])


def _share(rows, others, room: int):
    """Both cut so that they fit, the longer one first, and whether they were."""
    count, other_count = rows.row_lengths(), others.row_lengths()
    kept = tf.minimum(other_count, tf.maximum(room // 2, room - count))
    own = tf.minimum(count, room - kept)
    return (
        _first(rows, own),
        _first(others, kept),
        (own < count) | (kept < other_count),
    )


def _first(rows, counts):
    """As many of each row as are asked for."""
    places = tf.ragged.range(counts)
    return tf.gather(rows, places, batch_dims=1)
