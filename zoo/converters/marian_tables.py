"""The vocabularies of a Marian checkpoint in the hub's layout."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from zoo.data.table_vocabulary import TableVocabulary
from zoo.files import read_json


class Table(NamedTuple):
    """A vocabulary in this project's order.

    Attributes:
        vocabulary: with padding, start, end and unknown first, then all other pieces in
            the order they had.
        former: what each of its ids was before.
        count: how many ids there were.
    """

    vocabulary: TableVocabulary
    former: np.ndarray
    count: int


def read_tables(folder, config: dict) -> tuple[Table, Table]:
    """Source and target.

    Args:
        folder: with source.spm, target.spm, and vocab.json for both or, where
            tokenizer_config.json says `separate_vocabs`, for the source, and
            target_vocab.json.
        config: that of the model, which numbers padding, start and end.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or they do not go together.
    """
    folder = Path(folder)
    path = folder / "tokenizer_config.json"
    tokens = read_json(path) if path.is_file() else {}
    name = "target_vocab.json" if tokens.get("separate_vocabs") else "vocab.json"
    target = _read(folder / "target.spm", folder / name, tokens, config)
    # A source of its own is never written, and nothing is known of its special ids.
    own = config if name == "vocab.json" else None
    return _read(folder / "source.spm", folder / "vocab.json", tokens, own), target


def _read(spm: Path, path: Path, tokens: dict, config: dict | None) -> Table:
    for file in (spm, path):
        if not file.is_file():
            raise FileNotFoundError(f"{file.parent} has no {file.name}.")
    ids = read_json(path)
    if not isinstance(ids, dict) or sorted(map(str, ids.values())) != sorted(
        map(str, range(len(ids)))
    ):
        raise ValueError(
            f"{path} must number pieces from 0 on, each number once. Received: "
            f"{len(ids)} pieces."
        )
    special = {
        name: _id(ids, tokens, f"{name}_token", usual, path)
        for name, usual in (("pad", "<pad>"), ("eos", "</s>"), ("unk", "<unk>"))
    }
    start = special["pad"]
    if config is not None:
        start = config.get("decoder_start_token_id", config["pad_token_id"])
        for name in ("pad", "eos"):
            if config[f"{name}_token_id"] != special[name]:
                raise ValueError(
                    f"{path} numbers {name} {special[name]}, and config.json says "
                    f"{config[f'{name}_token_id']!r}: they are of different models."
                )
    first = [special["pad"], start, special["eos"], special["unk"]]
    pieces = {number: piece for piece, number in ids.items()}
    rest = [number for number in range(len(ids)) if number not in special.values()]
    named = ["<pad>", "<s>", "</s>", "<unk>", *(pieces[number] for number in rest)]
    try:
        vocabulary = TableVocabulary(spm.read_bytes(), named)
    except ValueError as error:
        raise ValueError(f"{spm} with {path.name}: {error}") from error
    return Table(vocabulary, np.array(first + rest), len(ids))


def _id(ids: dict, tokens: dict, name: str, usual: str, path: Path) -> int:
    """The number of a special token."""
    piece = tokens.get(name, usual)
    if isinstance(piece, dict):
        piece = piece.get("content")
    if piece not in ids:
        raise ValueError(f"{path} has no piece {piece!r}, which is its {name}.")
    return ids[piece]
