"""Strings to the ids of a table and back, inside a TensorFlow graph."""

import tensorflow as tf
import tensorflow_text as tf_text

from zoo.data.table_vocabulary import LANGUAGE, TableVocabulary
from zoo.data.text_codec import SPACES_AROUND, TextCodec
from zoo.data.vocabulary import UNKNOWN_ID


class TableCodec(TextCodec):
    """A `TableVocabulary` as graph operations; see `TextCodec`.

    Args:
        vocabulary: the SentencePiece model and the table.
        max_characters: longest text that is read.
        max_pieces: longest sequence of ids, the end token included.
    """

    def make_tokenizer(self, vocabulary: TableVocabulary):
        return _TableTokenizer(vocabulary)


class _TableTokenizer(tf.Module):
    """As much of a `SentencepieceTokenizer` as a codec asks of one."""

    def __init__(self, vocabulary: TableVocabulary):
        super().__init__()
        # What a character is that the model does not know is said by strings alone.
        self._cut = tf_text.SentencepieceTokenizer(
            model=vocabulary.proto,
            out_type=tf.string,
            name=f"sentencepiece_{vocabulary.sha256[:16]}",
        )
        pieces, ids = zip(*vocabulary.ids.items(), strict=True)
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(pieces), tf.constant(ids, tf.int32)
            ),
            UNKNOWN_ID,
        )
        self._pieces = tf.constant(vocabulary.pieces)
        written = vocabulary.processor.written
        self._written = tf.constant([written(n) for n in range(vocabulary.size)])

    def tokenize(self, texts):
        return self.tokenize_with_offsets(texts)[0]

    def tokenize_with_offsets(self, texts):
        codes, rests = _split(texts)
        pieces, starts, ends = self._cut.tokenize_with_offsets(rests)
        before = tf.cast(tf.strings.length(codes), starts.dtype)
        code_ends = tf.RaggedTensor.from_tensor(before[:, None])
        # A text without a code has no piece there.
        has_code = (before > 0)[:, None]
        columns = [
            (tf.RaggedTensor.from_tensor(codes[:, None]), pieces),
            (tf.zeros_like(code_ends), starts + before[:, None]),
            (code_ends, ends + before[:, None]),
        ]
        pieces, starts, ends = (
            tf.concat([tf.ragged.boolean_mask(first, has_code), rest], axis=1)
            for first, rest in columns
        )
        return tf.ragged.map_flat_values(self._ids.lookup, pieces), starts, ends

    def detokenize(self, ids):
        pieces = tf.ragged.map_flat_values(
            lambda flat: self._of(self._written, flat), ids
        )
        joined = tf.strings.reduce_join(pieces, axis=-1)
        return tf.strings.regex_replace(
            tf.strings.regex_replace(joined, "▁", " "), SPACES_AROUND, ""
        )

    def id_to_string(self, ids):
        return self._of(self._pieces, ids)

    def _of(self, table, ids):
        return tf.gather(table, ids)


def _split(texts):
    """The language codes that texts begin with, or "", and what follows."""
    begins = tf.strings.regex_full_match(texts, f"{LANGUAGE}.*")
    # A flag holds to the end of its group: for what follows it is set anew.
    codes = tf.strings.regex_replace(texts, f"(?s)^({LANGUAGE}).*$", r"\1")
    codes = tf.where(begins, codes, "")
    lengths = tf.strings.length(codes)
    return codes, tf.strings.substr(texts, lengths, tf.strings.length(texts) - lengths)


def codec_of(vocabulary, **limits) -> TextCodec:
    """The codec of a vocabulary of either kind; `limits` are `TextCodec`'s."""
    is_table = isinstance(vocabulary, TableVocabulary)
    return (TableCodec if is_table else TextCodec)(vocabulary, **limits)
