"""Vocabularies whose ids stand in a table, cut down to a corpus."""

import re
from collections.abc import Collection

import numpy as np

from zoo.data.table_vocabulary import LANGUAGE, TableVocabulary
from zoo.surgery.piece_change import PieceChange
from zoo.surgery.sentencepiece_pieces import kept_pieces, with_pieces

# Padding, start, end and unknown.
_SPECIAL = 4


def trimmed_tables(
    vocabularies: list[TableVocabulary],
    texts: list[list[str]],
    rows: list,
    suppressed: Collection[str] = (),
) -> list[PieceChange]:
    """Each with a smaller SentencePiece model and a smaller table.

    Language codes stay. Two vocabularies of one table have one again.

    Args:
        vocabularies: to be cut.
        texts: of the corpus, of each.
        rows: ids of these texts, of each.
        suppressed: pieces that decoding names, and so stay.
    """
    protos = [_trimmed(*given) for given in zip(vocabularies, texts, strict=True)]
    kept = [
        _kept(*given, suppressed)
        for given in zip(vocabularies, protos, rows, strict=True)
    ]
    if len({vocabulary.pieces for vocabulary in vocabularies}) == 1:
        kept = [sorted(set().union(*kept))] * len(kept)
    return [
        PieceChange(
            TableVocabulary(proto, [vocabulary.pieces[id_] for id_ in ids]),
            tuple((id_,) for id_ in ids),
        )
        for vocabulary, proto, ids in zip(vocabularies, protos, kept, strict=True)
    ]


def _trimmed(vocabulary: TableVocabulary, texts: list[str]) -> bytes:
    """The SentencePiece model with the pieces that cut the texts."""
    import sentencepiece

    cut = sentencepiece.SentencePieceProcessor(model_proto=vocabulary.proto)
    codes = [re.match(LANGUAGE, text) for text in texts]
    rests = [
        text[found.end() :] if found else text
        for found, text in zip(codes, texts, strict=True)
    ]
    flat = [id_ for row in cut.encode(rests, out_type=int) for id_ in row]
    counts = np.bincount(np.array(flat, "int64"), minlength=cut.get_piece_size())
    return with_pieces(vocabulary.proto, kept_pieces(vocabulary.proto, counts))


def _kept(vocabulary: TableVocabulary, proto: bytes, rows, suppressed) -> list[int]:
    """Ids that the texts have, that the model can still give, and special ones."""
    import sentencepiece

    cut = sentencepiece.SentencePieceProcessor(model_proto=proto)
    names = {cut.id_to_piece(id_) for id_ in range(cut.get_piece_size())}
    found = {id_ for row in rows for id_ in row} | set(range(_SPECIAL))
    found |= {
        id_
        for name, id_ in vocabulary.ids.items()
        if name in names or name in suppressed or re.fullmatch(LANGUAGE, name)
    }
    return sorted(found)
