"""Presets with other vocabularies: what the weights know of a piece goes with it."""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import registry
from zoo.data.table_vocabulary import TableVocabulary
from zoo.data.vocabulary import Vocabulary
from zoo.data.wordpiece_vocabulary import WordPieceVocabulary
from zoo.presets import Preset
from zoo.surgery import sentencepiece_pieces, wordpiece_pieces
from zoo.surgery.corpora import counted, encoded, frequent_joins
from zoo.surgery.piece_change import PieceChange
from zoo.surgery.table_pieces import trimmed_tables
from zoo.weights import assign_arrays, model_arrays

# Weights that have a row, or a column, for each piece.
_AXES = {
    "source_embedding/embeddings": 0,
    "target_embedding/embeddings": 0,
    "embedding/embeddings": 0,
    "word_embedding/embeddings": 0,
    "output_bias": 0,
    # Outputs that are not tied to an embedding.
    "embedding/reverse_embeddings": 1,
    "target_embedding/reverse_embeddings": 1,
}
# What a card says of the old weights alone.
_OF_THE_OLD = ("commands", "scores")
_WORD_START = "▁"
_NO_TABLE = (
    "A vocabulary whose ids stand in a table cannot be extended here: only cut down to "
    "a corpus."
)


@dataclass(frozen=True)
class Operation:
    """What became of a preset.

    Attributes:
        preset: with other vocabularies.
        pieces: before and after, for each vocabulary.
        weights: numbers in the weights, before and after.
        texts: of the corpus, in all languages; 0 without one.
        changed: of these, how many are cut in other pieces than before.
    """

    preset: Preset
    pieces: list[tuple[int, int]]
    weights: tuple[int, int]
    texts: int = 0
    changed: int = 0


def trim_vocabulary(
    preset: Preset, texts: Sequence[list[str]], keep: int | None = None
) -> Operation:
    """A preset with the pieces that a corpus needs.

    Characters, bytes and special pieces stay, so that nothing becomes unknown that was
    known. Texts of the corpus are cut as before, and an encoder answers to them as
    before. A translator can write fewer pieces, and so differs where it would have
    written one that is gone.

    Args:
        preset: of translation or text classification.
        texts: of each vocabulary, as `zoo.surgery.corpora.texts_of` gives them.
        keep: pieces at most, of each vocabulary; the rarest of the corpus go first, and
            some of its texts are cut into smaller pieces then.

    Raises:
        ValueError: a preset without a vocabulary, no text, or more pieces needed than
            may be kept.
    """
    vocabularies, codecs = _of(preset.task)
    if not all(texts) or not texts:
        raise ValueError("A vocabulary is cut down to at least one text.")
    if len(vocabularies) == 1:
        texts = [[text for side in texts for text in side]]
    rows = [encoded(codec, own) for codec, own in zip(codecs, texts, strict=True)]
    if any(isinstance(one, TableVocabulary) for one in vocabularies):
        if keep is not None:
            raise ValueError("keep is not for vocabularies whose ids stand in a table.")
        suppressed = preset.task.decoding.get("suppress", ())
        changes = trimmed_tables(vocabularies, texts, rows, suppressed)
    else:
        changes = [
            _trimmed(*given, keep)
            for given in zip(vocabularies, codecs, texts, rows, strict=True)
        ]
    found = _changed(preset, changes, "trimmed")
    _, codecs = _of(found.preset.task)
    changed = 0
    for codec, own, before, change in zip(codecs, texts, rows, changes, strict=True):
        for row, former in zip(encoded(codec, own), before, strict=True):
            changed += tuple(p for id_ in row for p in change.parts[id_]) != former
    return dataclasses.replace(found, texts=sum(map(len, texts)), changed=changed)


def extend_vocabulary(preset: Preset, pieces: Sequence[Sequence[str]]) -> Operation:
    """A preset with more pieces, whose rows are the means of those they were cut into.

    The new pieces are to be learnt by fine-tuning: until then the answers differ.

    Args:
        preset: of translation or text classification.
        pieces: new ones for each vocabulary, written as the vocabulary writes them:
            "▁word" begins a word for SentencePiece, "##word" goes on for WordPiece.

    Raises:
        ValueError: a preset without a vocabulary, pieces that there are already, or
            with unknown characters.
    """
    vocabularies, _ = _of(preset.task)
    if len(pieces) != len(vocabularies):
        raise ValueError(
            f"The preset has {len(vocabularies)} vocabularies. Received: pieces for "
            f"{len(pieces)}."
        )
    if not any(pieces):
        raise ValueError(
            "There is no new piece: whatever was given, or could be learnt from the "
            "data, is in the vocabulary already."
        )
    changes = [_extended(*given) for given in zip(vocabularies, pieces, strict=True)]
    return _changed(preset, changes, "extended")


def new_pieces(
    preset: Preset, texts: Sequence[list[str]], most: int
) -> list[list[str]]:
    """Pieces that a corpus would be shorter with, for each vocabulary.

    Args:
        preset: of translation or text classification.
        texts: of each vocabulary, as `zoo.surgery.corpora.texts_of` gives them.
        most: new pieces, of each vocabulary.
    """
    vocabularies, codecs = _of(preset.task)
    if len(vocabularies) == 1:
        texts = [[text for side in texts for text in side]]
    found = []
    for vocabulary, codec, own in zip(vocabularies, codecs, texts, strict=True):
        names = _joinable(vocabulary)
        rows = [[names[id_] for id_ in row] for row in encoded(codec, own)]
        is_wordpiece = isinstance(vocabulary, WordPieceVocabulary)
        joins = _joined_inside if is_wordpiece else _joined
        learnt = frequent_joins(rows, joins, most)
        found.append([piece for piece in learnt if piece not in set(names)])
    return found


def _of(task) -> tuple[list, list]:
    """A task's vocabularies, without doubles, and their codecs."""
    if task.name == "translation":
        both = [task.source_vocabulary, task.target_vocabulary]
        if both[0] is both[1]:
            return both[:1], list(task.codecs[:1])
        return both, list(task.codecs)
    if task.name == "text_classification":
        return [task.vocabulary], [task.codec]
    raise ValueError(f"A preset of {task.name} has no vocabulary.")


def _trimmed(vocabulary, codec, texts, rows, keep) -> PieceChange:
    counts = counted(rows, vocabulary.size)
    if isinstance(vocabulary, WordPieceVocabulary):
        words = _words(codec, texts)
        kept = wordpiece_pieces.kept_pieces(vocabulary, counts, words, keep)
        made = wordpiece_pieces.with_pieces(vocabulary, kept)
    else:
        kept = sentencepiece_pieces.kept_pieces(vocabulary.proto, counts, keep)
        made = Vocabulary(sentencepiece_pieces.with_pieces(vocabulary.proto, kept))
    return PieceChange(made, tuple((id_,) for id_ in kept))


def _words(codec, texts: list[str]) -> set[str]:
    import tensorflow as tf

    return {word.decode() for word in codec.words(tf.constant(texts)).numpy()} - {""}


def _extended(vocabulary, pieces: Sequence[str]) -> PieceChange:
    pieces = list(dict.fromkeys(pieces))
    if isinstance(vocabulary, TableVocabulary):
        raise ValueError(_NO_TABLE)
    own = tuple((id_,) for id_ in range(vocabulary.size))
    if isinstance(vocabulary, WordPieceVocabulary):
        made, parts = wordpiece_pieces.with_more(vocabulary, pieces)
    else:
        proto, parts = sentencepiece_pieces.with_more(vocabulary.proto, pieces)
        made = Vocabulary(proto)
    return PieceChange(made, (*own, *parts))


def _changed(preset: Preset, changes: list[PieceChange], what: str) -> Operation:
    """A preset with other vocabularies, and its weights carried over."""
    task = _with_vocabularies(preset.task, [change.vocabulary for change in changes])
    options = dict(preset.recipe.options)
    if options.get("vocabulary_size") is not None:
        options["vocabulary_size"] = max(one.vocabulary.size for one in changes)
    plan = dataclasses.asdict(preset.recipe.training)
    recipe = registry.get(preset.recipe.name, **options, **plan)
    model = recipe.build_model(task.model_options())
    before = model_arrays(preset.model)
    arrays = {
        address: _carried(address, array, changes) for address, array in before.items()
    }
    assign_arrays(model, arrays, preset.name)
    sizes = [
        (former.size, change.vocabulary.size)
        for former, change in zip(_of(preset.task)[0], changes, strict=True)
    ]
    card = {key: preset.card[key] for key in preset.card if key not in _OF_THE_OLD}
    entry = {"parent": preset.name, "done": what, "pieces": [list(s) for s in sizes]}
    card["vocabulary"] = [*card.get("vocabulary", []), entry]
    if "options" in card:
        card["options"] = dict(recipe.options)
    numbers = tuple(
        sum(array.size for array in named.values()) for named in (before, arrays)
    )
    made = Preset(recipe, task, model, card, preset.name)
    return Operation(made, sizes, numbers)


def _carried(address: str, array: np.ndarray, changes: list[PieceChange]) -> np.ndarray:
    if address not in _AXES:
        return array
    change = changes[0 if address.startswith("source_") else -1]
    return change.carried(array, _AXES[address])


def _with_vocabularies(task, vocabularies: list):
    other = copy.copy(task)
    for cached in ("codec", "codecs"):
        other.__dict__.pop(cached, None)
    if task.name == "translation":
        other.source_vocabulary, other.target_vocabulary = (
            vocabularies[0],
            vocabularies[-1],
        )
    else:
        other.vocabulary = vocabularies[0]
    return other


def _joinable(vocabulary) -> list[str]:
    """Pieces by id; "" for those that no new piece can have in it."""
    if isinstance(vocabulary, TableVocabulary):
        raise ValueError(_NO_TABLE)
    if isinstance(vocabulary, Vocabulary):
        return sentencepiece_pieces.plain_pieces(vocabulary.proto)
    special = set(vocabulary.special_ids)
    return ["" if n in special else p for n, p in enumerate(vocabulary.pieces)]


def _joined(first: str, second: str) -> str | None:
    """Two pieces of SentencePiece as one, within a word."""
    if not first or not second or _WORD_START in second:
        return None
    return first + second


def _joined_inside(first: str, second: str) -> str | None:
    """Two pieces of WordPiece as one, within a word."""
    if not first or not second.startswith("##") or len(second) < 3:
        return None
    return first + second[2:]
