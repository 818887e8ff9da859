"""Pieces taken out of WordPiece vocabularies, and put into them.

A word is cut from the left, the longest piece first (Wu et al., 2016): it is cut as
before if the pieces of its cut stay, and if it is unknown, those up to where it fails.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from zoo.data.wordpiece_vocabulary import WordPieceVocabulary
from zoo.surgery.piece_change import chosen

_INSIDE = "##"


def kept_pieces(
    vocabulary: WordPieceVocabulary,
    counts: np.ndarray,
    words: Iterable[str],
    most: int | None = None,
) -> list[int]:
    """Ids of the pieces that a corpus needs, and all of single characters.

    Args:
        vocabulary: to be cut.
        counts: how often the corpus has each piece, by id.
        words: of the corpus; of those that are unknown the beginnings stay.
        most: pieces at most; the rarest of the corpus go first.

    Raises:
        ValueError: more are needed than may stay.
    """
    ids = {piece: id_ for id_, piece in enumerate(vocabulary.pieces)}
    special = set(vocabulary.special_ids)
    required = special | {
        id_
        for piece, id_ in ids.items()
        if not _is_spelt(piece, ids) or len(piece.removeprefix(_INSIDE)) < 2
    }
    required -= {id_ for id_ in required if _is_spare(vocabulary.pieces[id_])}
    counts = counts.copy()
    for word in set(words):
        parts, is_whole = cut(word, ids)
        if not is_whole:
            counts[list(parts)] = np.maximum(counts[list(parts)], 1)
    return chosen(required, counts, lambda id_: {id_}, most)


def with_pieces(
    vocabulary: WordPieceVocabulary, kept: Sequence[int]
) -> WordPieceVocabulary:
    """The vocabulary with some of its pieces, in the order given."""
    return _like(vocabulary, [vocabulary.pieces[id_] for id_ in kept])


def with_more(
    vocabulary: WordPieceVocabulary, texts: Sequence[str]
) -> tuple[WordPieceVocabulary, list[tuple[int, ...]]]:
    """The vocabulary with more pieces behind its own.

    Args:
        vocabulary: to be extended.
        texts: pieces; one that goes on inside a word begins with "##".

    Returns:
        The vocabulary, and for each new piece the ids that its text was cut into.

    Raises:
        ValueError: a piece that is there already, or that has unknown characters.
    """
    ids = {piece: id_ for id_, piece in enumerate(vocabulary.pieces)}
    found = []
    for text in texts:
        if text in ids:
            raise ValueError(f"{text!r} is a piece already. Leave it out.")
        parts, is_whole = cut(text, ids)
        if not is_whole or any(map(str.isspace, text)):
            raise ValueError(
                f"{text!r} has characters that are unknown to the vocabulary, or "
                "spaces: a new piece is made of pieces that there are."
            )
        found.append(parts)
    return _like(vocabulary, [*vocabulary.pieces, *texts]), found


def cut(word: str, ids: dict[str, int]) -> tuple[tuple[int, ...], bool]:
    """Ids of a word's pieces, and whether they are the whole word.

    Args:
        word: as the vocabulary has words; "##" before it is of one that goes on.
        ids: of pieces.
    """
    prefix = _INSIDE if word.startswith(_INSIDE) and len(word) > 2 else ""
    rest, found = word.removeprefix(prefix), []
    while rest:
        ends = range(len(rest), 0, -1)
        end = next((end for end in ends if prefix + rest[:end] in ids), None)
        if end is None:
            return tuple(found), False
        found.append(ids[prefix + rest[:end]])
        rest, prefix = rest[end:], _INSIDE
    return tuple(found), bool(found)


def _is_spelt(piece: str, ids: dict[str, int]) -> bool:
    """Whether each character of a piece is a piece where it stands."""
    inside = piece.startswith(_INSIDE)
    text = piece.removeprefix(_INSIDE)
    return all(
        (_INSIDE if place or inside else "") + character in ids
        for place, character in enumerate(text)
    )


def _is_spare(piece: str) -> bool:
    """Whether it only holds a place for others, as BERT's [unused0]."""
    return piece.startswith("[unused") and piece.endswith("]")


def _like(vocabulary: WordPieceVocabulary, pieces) -> WordPieceVocabulary:
    return WordPieceVocabulary(
        pieces,
        lower_case=vocabulary.lower_case,
        strip_accents=vocabulary.strip_accents,
        split_chinese=vocabulary.split_chinese,
    )
