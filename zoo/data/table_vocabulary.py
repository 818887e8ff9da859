"""Vocabularies of which SentencePiece cuts the text and a table numbers the pieces."""
# As checkpoints of Marian's have them in Hugging Face's layout: each language has a
# SentencePiece model, and one table, or one each, says which number a piece has. What a
# model cuts need not stand in the table, and the other way round.

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path

from zoo.data.vocabulary import UNKNOWN_ID, Vocabulary
from zoo.files import read_json, write_json

# What each text may begin with, such as ">>fra<<": a piece that SentencePiece does not
# see, which says what to translate into.
LANGUAGE = r"(?s)>>.*?<<"
_SPECIAL = 4


class TableVocabulary:
    """A SentencePiece model, and the numbers of pieces.

    It stands wherever a `Vocabulary` does. Pieces of the text that the table does not
    have are unknown. A language code at the start of a text is a piece of its own.

    Args:
        proto: the serialised SentencePiece model; its own ids do not count.
        pieces: by id; ids 0 to 3 are padding, start, end and unknown, which no text
            has, whatever they are called here.

    Raises:
        ValueError: no SentencePiece model, one that writes otherwise than by joining
            pieces, or a piece that stands twice.
    """

    def __init__(self, proto: bytes, pieces):
        self.proto = proto
        self.pieces = tuple(pieces)
        self.ids = {piece: n for n, piece in enumerate(self.pieces) if n >= _SPECIAL}
        if len(self.ids) != len(self.pieces) - _SPECIAL:
            raise ValueError(
                "A vocabulary has padding, start, end, unknown, and each other piece "
                f"once. Received: {len(self.pieces)} pieces, {len(self.ids)} of them "
                "different and not special."
            )
        _check(proto)

    @classmethod
    def load(cls, path) -> "TableVocabulary":
        """Reads what `save` wrote."""
        path = Path(path)
        pieces = read_json(_table(path))
        if not isinstance(pieces, list) or not all(isinstance(p, str) for p in pieces):
            raise ValueError(f"{_table(path)} is damaged: it is no list of pieces.")
        try:
            return cls(path.read_bytes(), pieces)
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error

    def save(self, path) -> None:
        """Writes the model, and the table beside it under the same name."""
        Path(path).write_bytes(self.proto)
        write_json(_table(path), list(self.pieces))

    @cached_property
    def processor(self) -> "_TableProcessor":
        """What the sentencepiece package has for a model, with the table's ids."""
        return _TableProcessor(self)

    def sample(
        self, texts: list[str], seed: int, sharpness: float = 0.3
    ) -> list[list[int]]:
        """One segmentation of each text, drawn at random; see `Vocabulary.sample`."""
        import sentencepiece

        sentencepiece.set_random_generator_seed(seed)
        return self.processor.encode(
            list(texts),
            enable_sampling=True,
            alpha=sharpness,
            nbest_size=-1,
            num_threads=1,
        )

    @property
    def size(self) -> int:
        return len(self.pieces)

    @property
    def sha256(self) -> str:
        table = json.dumps(self.pieces).encode()
        return hashlib.sha256(self.proto + table).hexdigest()


class _TableProcessor:
    """As much of a `SentencePieceProcessor` as is asked of one here."""

    def __init__(self, vocabulary: TableVocabulary):
        import sentencepiece

        self._vocabulary = vocabulary
        self._cut = sentencepiece.SentencePieceProcessor(model_proto=vocabulary.proto)

    def encode(self, texts, out_type=int, **sampling) -> list:
        if isinstance(texts, str):
            return self.encode([texts], out_type, **sampling)[0]
        codes = [found[0] if (found := re.match(LANGUAGE, t)) else "" for t in texts]
        rests = [text[len(c) :] for text, c in zip(texts, codes, strict=True)]
        rows = self._cut.encode(rests, out_type=str, **sampling)
        rows = [[c, *row] if c else row for c, row in zip(codes, rows, strict=True)]
        if out_type is str:
            return rows
        return [[self.piece_to_id(piece) for piece in row] for row in rows]

    def decode(self, ids) -> str:
        text = "".join(self.written(number) for number in ids)
        return text.replace("▁", " ").strip()

    def written(self, number: int) -> str:
        """What a piece is in a text: nothing, if it is special or a control piece."""
        piece = self.id_to_piece(number)
        is_control = self._cut.is_control(self._cut.piece_to_id(piece))
        return "" if number < _SPECIAL or is_control else piece

    def piece_to_id(self, piece: str) -> int:
        return self._vocabulary.ids.get(piece, UNKNOWN_ID)

    def id_to_piece(self, number: int) -> str:
        return self._vocabulary.pieces[number]

    def get_piece_size(self) -> int:
        return self._vocabulary.size


def load_vocabulary(path) -> Vocabulary | TableVocabulary:
    """The vocabulary of a file: with a table, if there is one beside it."""
    kind = TableVocabulary if _table(path).is_file() else Vocabulary
    return kind.load(path)


def _table(path) -> Path:
    return Path(path).with_suffix(".json")


def _check(proto: bytes) -> None:
    """Refuses models of which pieces are more than what stands in the text."""
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(proto)
    except DecodeError as error:
        raise ValueError(f"Not a SentencePiece model: {error}.") from error
    if not model.pieces:
        raise ValueError("Not a SentencePiece model: it has no pieces.")
    if model.trainer_spec.byte_fallback or model.denormalizer_spec.precompiled_charsmap:
        raise ValueError(
            "A table numbers pieces that join to the text. Received: a SentencePiece "
            "model with pieces of bytes, or with rules for what is written."
        )
