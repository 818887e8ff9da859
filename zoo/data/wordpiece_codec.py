"""Strings to WordPiece ids as BERT makes them, inside a TensorFlow graph."""
# Where this departs from Hugging Face's fast BertTokenizer:
# - "[SEP]", "[MASK]" and the like in a text are split as any other text, so that who
#   writes a text cannot write special ids;
# - what is a mark, a sign or a control character is said by the tables of Unicode that
#   RE2 and ICU have in the running TensorFlow, which are newer.

import tensorflow as tf
import tensorflow_text as tf_text

from zoo.data.wordpiece_vocabulary import PADDING, UNKNOWN, WordPieceVocabulary

MOST_CHARACTERS_OF_A_WORD = 100

_SPACES = r"\t\n\r\p{Z}"
# ASCII's symbols, such as "$" and "^", are no punctuation to Unicode but to BERT.
_PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
_CHINESE = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B81F}"
    r"\x{2B920}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}"
)
# They become "=", "<", ">" and "`" where accents are taken off.
_PUNCTUATION_WITH_ACCENTS = r"\x{2260}\x{226E}\x{226F}\x{1FEF}"
# No word has spaces, tabs or line breaks inside, so all of \p{Z} and \p{C} can go.
_REMOVED = r"\p{Z}\p{C}\x{FFFD}"
_ACCENTS = r"\p{Mn}"

# A character takes up to 4 bytes. One more byte than a word may have is no piece.
_MOST_BYTES_OF_A_WORD = 4 * MOST_CHARACTERS_OF_A_WORD
_UNKNOWN_WORD = "x" * (_MOST_BYTES_OF_A_WORD + 1)


class WordPieceCodec(tf.Module):
    """One WordPiece vocabulary as graph operations.

    The same object serves training, prediction and the exported SavedModel, as
    `TextCodec` does for SentencePiece. Bytes that are not UTF-8 become U+FFFD, which
    BERT drops; text over a limit is cut and flagged, never refused. It uses only
    operations of TF Text that every server since TensorFlow 2.10 has.

    Args:
        vocabulary: the pieces.
        max_characters: longest text that is read.
        max_pieces: longest sequence of ids, all special tokens included; at least 3.

    Raises:
        ValueError: `max_pieces` leaves no room for the special tokens, or TF Text
            cannot hold a piece.
    """

    def __init__(
        self,
        vocabulary: WordPieceVocabulary,
        max_characters: int = 20_000,
        max_pieces: int = 128,
    ):
        super().__init__()
        if max_pieces < 3:
            raise ValueError(
                "max_pieces must be 3 or more: a pair alone has three special tokens. "
                f"Received {max_pieces}."
            )
        self.max_characters = max_characters
        self.max_pieces = max_pieces
        self.lower_case = vocabulary.lower_case
        self.strip_accents = vocabulary.strip_accents
        kept = _PUNCTUATION + (_CHINESE if vocabulary.split_chinese else "")
        kept += _PUNCTUATION_WITH_ACCENTS if self.strip_accents else ""
        self._delimiters = f"([{_SPACES}]+|[{kept}])"
        self._start_and_end = tf.constant([vocabulary.start_id, vocabulary.end_id])
        self._pieces = tf.constant(
            ["" if piece == PADDING else piece for piece in vocabulary.pieces]
        )
        # Its model is a constant of the graph: unlike the tables of other tokenizers,
        # it has no name that two vocabularies in a SavedModel could share.
        try:
            self._tokenizer = tf_text.FastWordpieceTokenizer(
                vocab=list(vocabulary.pieces),
                max_bytes_per_word=_MOST_BYTES_OF_A_WORD,
                token_out_type=tf.int32,
                unknown_token=UNKNOWN,
                no_pretokenization=True,
            )
        except RuntimeError as error:
            raise ValueError(f"TF Text cannot hold the vocabulary: {error}") from error

    def encode(self, texts, pairs=None):
        """Tokenizes.

        Args:
            texts: strings, shape (batch,).
            pairs: a second text for each, or None.

        Returns:
            A ragged tensor of ids, each row [CLS] text [SEP] or [CLS] text [SEP] pair
            [SEP], and booleans, shape (batch,): whether a limit cut something. Of a
            pair the longer one is cut first.
        """
        words, too_long = self._split(_together(texts, pairs))
        ids = self._tokenizer.tokenize(self._ready(self._plain(words.values)))
        places, lengths, cut = self._arrange(_over_texts(words, ids), pairs is not None)
        sides = 1 if pairs is None else 2
        too_long = tf.reduce_any(tf.reshape(too_long, [sides, -1]), axis=0)
        ids = tf.gather(tf.concat([ids.values, self._start_and_end], axis=0), places)
        return _ragged(ids, lengths), too_long | cut

    def spans(self, texts, pairs=None):
        """Where the pieces that `encode` gives stand.

        A word that changed its length when it was made ready (accents, hidden
        characters) gives all of its pieces the whole word.

        Args:
            texts: strings, shape (batch,).
            pairs: a second text for each, or None.

        Returns:
            First bytes and bytes after the last, int32, both of shape (batch, length),
            in the UTF-8 text after bytes that are not UTF-8 were replaced; for a pair,
            in text + "\\n" + pair. Special tokens and padding have (0, 0).
        """
        texts = _together(texts, pairs)
        words, _ = self._split(texts)
        word_starts, word_ends = _places(words)
        if pairs is not None:
            shift = tf.strings.length(_valid(texts))[: tf.size(texts) // 2] + 1
            shift = tf.concat([tf.zeros_like(shift), shift], axis=0)
            shift = tf.gather(shift, words.value_rowids())
            word_starts, word_ends = word_starts + shift, word_ends + shift
        plain = self._plain(words.values)
        ready = self._ready(plain)
        same_places = plain == words.values
        same_places &= tf.strings.length(plain) == tf.strings.length(ready)
        ids, starts, ends = self._tokenizer.tokenize_with_offsets(ready)
        word = ids.value_rowids()
        exact = tf.gather(same_places, word)
        word_starts = tf.gather(word_starts, word)
        word_ends = tf.gather(word_ends, word)
        starts, ends = (tf.cast(x.values, tf.int32) for x in (starts, ends))
        starts = tf.where(exact, word_starts + starts, word_starts)
        ends = tf.where(exact, word_starts + ends, word_ends)
        places, lengths, _ = self._arrange(_over_texts(words, ids), pairs is not None)
        return tuple(
            _ragged(tf.gather(tf.pad(place, [[0, 2]]), places), lengths).to_tensor()
            for place in (starts, ends)
        )

    def pieces(self, ids):
        """The pieces' own strings; "" at padding. Shape of `ids`."""
        return tf.gather(self._pieces, ids)

    def words(self, texts):
        """All words as the vocabulary would have them, and "" between, in one row."""
        return self._ready(self._plain(self._split(texts)[0].values))

    def _split(self, texts):
        """Words, punctuation and what is between them, as written.

        Returns:
            Ragged strings, which together are the texts, and booleans of the texts
            that were cut.
        """
        texts = _valid(texts)
        too_long = tf.strings.length(texts, unit="UTF8_CHAR") > self.max_characters
        texts = tf.strings.substr(texts, 0, self.max_characters, unit="UTF8_CHAR")
        if self.lower_case:
            # ICU has another lower case for a sigma at the end of a word, BERT has not.
            texts = tf.strings.regex_replace(texts, "Σ", "σ")
        # TF Text could split by a pattern too, but it stops reading at a NUL, and its
        # checks make a graph three times as large.
        texts = tf.strings.regex_replace(texts, "\n", " ")
        texts = tf.strings.regex_replace(texts, self._delimiters, "\n\\1\n")
        return tf.strings.split(texts, "\n"), too_long

    def _plain(self, words):
        """Words without hidden characters and, where they go, without accents.

        Nothing is left of what is between the words, and so it gives no pieces.
        """
        if not self.strip_accents:
            return tf.strings.regex_replace(words, f"[{_REMOVED}]+", "")
        words = tf_text.normalize_utf8(words, "NFD")
        return tf.strings.regex_replace(words, f"[{_REMOVED}{_ACCENTS}]+", "")

    def _ready(self, words):
        """Plain words as the vocabulary has them."""
        if self.lower_case:
            if not self.strip_accents:
                words = tf.strings.regex_replace(words, "İ", "i\u0307")
            # ASCII first: on a server with a Turkish locale, ICU makes "I" a "ı".
            words = tf.strings.lower(tf.strings.lower(words), encoding="utf-8")
        length = tf.strings.length(words, unit="UTF8_CHAR")
        return tf.where(length > MOST_CHARACTERS_OF_A_WORD, _UNKNOWN_WORD, words)

    def _arrange(self, splits, paired: bool):
        """Where each id of the rows is found.

        Args:
            splits: row splits of the pieces over the texts, then their pairs.
            paired: whether the second half are pairs of the first.

        Returns:
            Places in the pieces, to which the start and the end are appended; lengths
            of the rows; booleans of the rows where pieces were left out.
        """
        sides = 2 if paired else 1
        firsts = tf.reshape(splits[:-1], [sides, -1])
        counts = tf.reshape(splits[1:], [sides, -1]) - firsts
        room = self.max_pieces - 1 - sides
        kept = _shares(counts, room) if paired else tf.minimum(counts, room)
        one = tf.ones_like(counts[0])
        start, end = splits[-1] * one, (splits[-1] + 1) * one
        begins, sizes = [start], [one]
        for side in range(sides):
            begins += [firsts[side], end]
            sizes += [kept[side], one]
        begins, sizes = tf.stack(begins, axis=1), tf.stack(sizes, axis=1)
        places = tf.ragged.range(
            tf.reshape(begins, [-1]), tf.reshape(begins + sizes, [-1])
        ).values
        cut = tf.reduce_any(kept < counts, axis=0)
        return places, tf.reduce_sum(sizes, axis=1), cut


def _together(texts, pairs):
    texts = tf.convert_to_tensor(texts, tf.string)
    if pairs is None:
        return texts
    # Unlike a concatenation, a stack refuses more texts than pairs, or fewer.
    return tf.reshape(tf.stack([texts, tf.convert_to_tensor(pairs, tf.string)]), [-1])


def _valid(texts):
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def _places(words):
    """First bytes of words in their texts and bytes after the last, both flat."""
    lengths = tf.strings.length(words.values)
    ends = tf.cumsum(lengths)
    before = tf.gather(tf.pad(ends, [[1, 0]]), words.row_starts())
    ends -= tf.gather(before, words.value_rowids())
    return ends - lengths, ends


def _over_texts(words, pieces):
    """Row splits of the pieces of all words of each text."""
    return tf.gather(pieces.row_splits, words.row_splits)


def _shares(counts, room: int):
    """How many pieces stay of both texts, shape (2, batch): the longer is cut first.

    The result of taking one away from the longer until both fit; where they come to be
    equally long and the room is odd, the longer one keeps one more, or else the pair.
    """
    short = tf.minimum(tf.reduce_min(counts, axis=0), room // 2)
    first_is_longer = counts[0] > counts[1]
    longest = tf.stack(
        [
            tf.where(first_is_longer, room - short, short),
            tf.where(first_is_longer, short, room - short),
        ]
    )
    return tf.minimum(counts, longest)


def _ragged(values, lengths):
    return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)
