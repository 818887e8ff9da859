"""Learns a WordPiece vocabulary from texts, with TF Text's own learner."""

from collections import Counter

import tensorflow as tf
from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib

from zoo.data.wordpiece_codec import WordPieceCodec
from zoo.data.wordpiece_vocabulary import (
    END,
    MASK,
    PADDING,
    START,
    UNKNOWN,
    WordPieceVocabulary,
)

_SPECIAL = [PADDING, UNKNOWN, START, END, MASK]
_TEXTS_AT_ONCE = 4096


def learn_wordpiece(
    texts: list[str], size: int, lower_case: bool = True
) -> WordPieceVocabulary:
    """A vocabulary of about `size` pieces.

    Args:
        texts: of the training set, and of no other.
        size: how many pieces to aim at, special ones included; small data gives fewer.
        lower_case: whether text is lower-cased and accents are taken off.

    Raises:
        ValueError: no word in the texts.
    """
    plain = WordPieceVocabulary(_SPECIAL, lower_case=lower_case)
    # What makes words ready is the codec's, whatever its pieces.
    codec = WordPieceCodec(plain)
    counts: Counter = Counter()
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        words = codec.words(tf.constant(texts[start : start + _TEXTS_AT_ONCE]))
        counts.update(word.decode() for word in words.numpy() if word)
    if not counts:
        raise ValueError(
            "A vocabulary is learnt from at least one word. Received none."
        )
    pieces = wordpiece_tokenizer_learner_lib.learn(
        sorted(counts.items()), size, _SPECIAL, lower_thresh=2
    )
    return WordPieceVocabulary(pieces, lower_case=lower_case)
