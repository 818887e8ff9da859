"""Pieces taken out of SentencePiece models, and put into them.

A text is cut as before if the pieces of its cut stay:
- unigram (Kudo, 2018): the best way through a text stays the best of fewer ways. What
  an unknown character costs goes by the lowest score of all pieces, which stays too;
- BPE (Sennrich et al., 2016): every pair that was merged on the way to the pieces of a
  text stays, so each step chooses the same pair out of fewer.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from zoo.surgery.piece_change import chosen

_NORMAL, _UNIGRAM, _BPE = 1, 1, 2


def read_model(proto: bytes):
    """The model as a message.

    Raises:
        ValueError: it cuts by words or characters, and has no pieces to take or put.
    """
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(proto)
    if model.trainer_spec.model_type not in (_UNIGRAM, _BPE):
        raise ValueError(
            "Only SentencePiece models of the types unigram and bpe are changed here. "
            f"Received: model_type={model.trainer_spec.model_type}."
        )
    return model


def kept_pieces(proto: bytes, counts: np.ndarray, most: int | None = None) -> list[int]:
    """Ids of a model's pieces that a corpus needs, and those without which a character
    would become unknown.

    Args:
        proto: the serialised model.
        counts: how often the corpus has each piece, by id.
        most: pieces at most; the rarest of the corpus go first.

    Raises:
        ValueError: see `read_model`, or more are needed than may stay.
    """
    model = read_model(proto)
    names = [piece.piece for piece in model.pieces]
    normal = {id_ for id_, one in enumerate(model.pieces) if one.type == _NORMAL}
    alone = {names[id_] for id_ in normal if len(names[id_]) == 1}
    required = set(range(len(names))) - normal
    required |= {
        id_ for id_ in normal if set(names[id_]) - alone or len(names[id_]) < 2
    }
    needed_by = _itself
    if model.trainer_spec.model_type == _BPE:
        merges = Merges(model)
        needed_by = merges.needed_by
        required = required.union(*map(needed_by, required))
    elif normal:
        # What is unknown costs as before, and so do pieces that users defined.
        by_score = sorted(normal, key=lambda id_: model.pieces[id_].score)
        required |= {by_score[0], by_score[-1]}
    return chosen(required, counts, needed_by, most)


def with_pieces(proto: bytes, kept: Sequence[int]) -> bytes:
    """The model with some of its pieces, in the order given."""
    model = read_model(proto)
    octets = [model.pieces[id_].SerializeToString() for id_ in kept]
    kind = type(model.pieces[0])
    del model.pieces[:]
    model.pieces.extend(kind.FromString(one) for one in octets)
    model.trainer_spec.vocab_size = len(kept)
    return model.SerializeToString()


def with_more(
    proto: bytes, texts: Sequence[str]
) -> tuple[bytes, list[tuple[int, ...]]]:
    """The model with more pieces behind its own.

    In a unigram model a new piece has the mean score of the pieces that its text was
    cut into, and so is likelier than these together. In a BPE model it is merged last,
    from left to right, and what is merged on the way are pieces as well.

    Args:
        proto: the serialised model.
        texts: pieces; one that begins a word begins with "▁".

    Returns:
        The model, and for each new piece the ids that its text was cut into.

    Raises:
        ValueError: a piece that is there already, or that has unknown characters.
    """
    model = read_model(proto)
    is_bpe = model.trainer_spec.model_type == _BPE
    cut = Cutter(model)
    pieces = list(model.pieces)
    there = {piece.piece for piece in pieces}
    known = set(there)
    lowest = min(piece.score for piece in pieces if piece.type == _NORMAL)
    found: list[tuple[int, ...]] = []
    for text in texts:
        if text in there:
            raise ValueError(f"{text!r} is a piece already. Leave it out.")
        parts = cut(text)
        if is_bpe and any(pieces[id_].type != _NORMAL for id_ in parts):
            raise ValueError(
                f"{text!r} has a byte or a user's piece in it, which BPE never merges."
            )
        # Whatever else is merged first, what has become of the beginning is a piece.
        for end in range(2 if is_bpe else len(parts), len(parts) + 1):
            own = parts[:end]
            name = "".join(pieces[id_].piece for id_ in own) if is_bpe else text
            if name in known:
                continue
            lowest -= is_bpe
            score = lowest if is_bpe else _mean_score(pieces, parts, lowest)
            known.add(name)
            model.pieces.add(piece=name, score=score, type=_NORMAL)
            found.append(own)
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString(), found


def plain_pieces(proto: bytes) -> list[str]:
    """Pieces by id; "" for those that are no text, bytes, and those of users."""
    pieces = read_model(proto).pieces
    return [piece.piece if piece.type == _NORMAL else "" for piece in pieces]


def _mean_score(pieces, parts, lowest: float) -> float:
    """Of parts that are no plain pieces, such as bytes, the lowest counts."""
    scores = [
        pieces[id_].score if pieces[id_].type == _NORMAL else lowest for id_ in parts
    ]
    return float(np.mean(scores))


class Cutter:
    """Cuts a piece's text as the model would in the middle of a sentence.

    Args:
        model: as a message.
    """

    def __init__(self, model):
        import sentencepiece

        plain = type(model).FromString(model.SerializeToString())
        # A piece is written as it is: nothing is put before it, nothing normalised.
        plain.normalizer_spec.add_dummy_prefix = False
        plain.normalizer_spec.remove_extra_whitespaces = False
        plain.normalizer_spec.escape_whitespaces = False
        plain.normalizer_spec.precompiled_charsmap = b""
        self._cut = sentencepiece.SentencePieceProcessor(
            model_proto=plain.SerializeToString()
        )

    def __call__(self, text: str) -> tuple[int, ...]:
        """Ids of a text's pieces.

        Raises:
            ValueError: it is empty, or a character in it is unknown.
        """
        found = tuple(self._cut.encode(text, out_type=int)) if text else ()
        if not found or self._cut.unk_id() in found or " " in text:
            raise ValueError(
                f"{text!r} has characters that are unknown to the vocabulary, or is "
                "none: a new piece is made of pieces that there are; where a word "
                "begins it has a ▁ and no space."
            )
        return found


class Merges:
    """Which pieces a BPE model merges on the way to another.

    Args:
        model: as a message.
    """

    def __init__(self, model):
        self._scores = {
            piece.piece: piece.score for piece in model.pieces if piece.type == _NORMAL
        }
        self._names = [piece.piece for piece in model.pieces]
        self._ids = {name: id_ for id_, name in enumerate(self._names)}

    def needed_by(self, id_: int) -> set[int]:
        """The piece itself, and what it is merged from, down to characters."""
        name = self._names[id_]
        symbols, found = list(name), {id_}
        if name not in self._scores:
            return found
        found |= {self._ids[symbol] for symbol in symbols if symbol in self._ids}
        while len(symbols) > 1:
            pairs = [a + b for a, b in pairwise(symbols)]
            known = [at for at, pair in enumerate(pairs) if pair in self._scores]
            if not known:
                break
            # The first of the highest, as SentencePiece does.
            at = max(known, key=lambda at: (self._scores[pairs[at]], -at))
            symbols[at : at + 2] = [pairs[at]]
            found.add(self._ids[pairs[at]])
        return found


def _itself(id_: int) -> set[int]:
    return {id_}
