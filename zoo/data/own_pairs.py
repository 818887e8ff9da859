"""A user's own pairs, looked at before a trained model learns from them."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence

from zoo.data.holding_out import groups_of_equals, number_to_hold_out
from zoo.data.parallel_text import DataWarning, ParallelText
from zoo.data.scripts import dominant_script
from zoo.data.vocabulary import UNKNOWN_ID, Vocabulary

# Above this share of unknown pieces the user is warned.
MAX_UNKNOWN_SHARE = 0.05
# Sides that need so much fewer pieces the other way round look swapped.
SWAPPED_SHARE = 0.85
_SAMPLE = 2_000
_ADVICE = (
    "To swap the sides, name the columns of source and target: --columns 2,1 on the "
    "command line (1,3,2 behind a column of origins), in Python "
    "translator.task.read(path, columns=(2, 1))."
)


def hold_out(
    data: ParallelText, share: float = 0.1, most: int = 1_000
) -> tuple[ParallelText, ParallelText]:
    """Splits pairs into those to train on and those to validate on.

    Which are held out follows from a hash of the source sentence alone: pairs of one
    source stay together, and the choice is the same tomorrow.

    Args:
        data: all pairs.
        share: of pairs to hold out; at least one pair.
        most: pairs to hold out, at most.

    Returns:
        The rest and the held out, each in the order of the data.

    Raises:
        ValueError: a share that is none.
    """
    wanted = number_to_hold_out(len(data), share, most)
    groups = groups_of_equals(" ".join(source.split()) for source in data.sources)
    held: set[int] = set()
    for source in sorted(groups, key=_hash):
        if not held or len(held) + len(groups[source]) <= wanted:
            held.update(groups[source])
    rest = [index for index in range(len(data)) if index not in held]
    return _chosen(data, rest), _chosen(data, sorted(held))


def check_direction(
    data: ParallelText, source: Vocabulary, target: Vocabulary, name: str
) -> None:
    """Compares what the sides are written in with what the vocabularies know.

    Args:
        data: the user's pairs.
        source: the source vocabulary of the preset.
        target: its target vocabulary.
        name: what the data is called in messages.

    Raises:
        ValueError: the sides are swapped, by their scripts.
    """
    sample = _chosen(data, range(0, len(data), max(1, len(data) // _SAMPLE)))
    found = dominant_script(sample.sources), dominant_script(sample.targets)
    wanted = tuple(dominant_script(_pieces(side)) for side in (source, target))
    if wanted[0] != wanted[1] and found == wanted[::-1]:
        raise ValueError(
            f"The sides of the {name} are swapped: the source is mainly {found[0]} and "
            f"the target mainly {found[1]}, but the preset reads {wanted[0]} and "
            f"writes {wanted[1]}. {_ADVICE}"
        )
    other = [
        f"the {side} is mainly {script}, where the preset knows {known}"
        for side, script, known in zip(("source", "target"), found, wanted, strict=True)
        if script and known and script != known
    ]
    if other:
        _warn(f"In the {name} {', and '.join(other)}. {_ADVICE}")
    elif wanted[0] == wanted[1]:
        _check_pieces(sample, source, target, name)


def warn_of_overlap(train: ParallelText, valid: ParallelText) -> None:
    """Warns when pairs to validate on are also trained on."""
    known = {
        (source, text)
        for source, accepted in zip(train.sources, train.references, strict=True)
        for text in accepted
    }
    count = sum(
        any((source, text) in known for text in accepted)
        for source, accepted in zip(valid.sources, valid.references, strict=True)
    )
    if count:
        _warn(
            f"{count} of {len(valid)} validation pairs also stand in the training "
            "data: scores on them say what was learnt by heart. Take them out of one."
        )


def warn_of_unknown(texts: Sequence[str], vocabulary: Vocabulary, side: str) -> None:
    """Warns when a vocabulary knows too little of what texts are written in.

    Each unknown character counts as a piece.

    Args:
        texts: one side of the user's pairs.
        vocabulary: of that side.
        side: what the texts are called in the message.
    """
    known, unknown = 0, Counter()
    for text in texts:
        ids = vocabulary.processor.encode(text)
        if UNKNOWN_ID not in ids:
            known += len(ids)
            continue
        pieces = vocabulary.processor.encode(text, out_type=str)
        for number, piece in zip(ids, pieces, strict=True):
            if number == UNKNOWN_ID:
                unknown.update(piece)
            else:
                known += 1
    count = unknown.total()
    if count > MAX_UNKNOWN_SHARE * (known + count):
        shown = " ".join(character for character, _ in unknown.most_common(10))
        _warn(
            f"The preset's vocabulary does not know {count / (known + count):.0%} of "
            f"the pieces of the {side} side, most often: {shown}. It stays as it is, "
            "and they are read and written as unknown."
        )


def _check_pieces(sample, source, target, name):
    as_it_is = _count(source, sample.sources) + _count(target, sample.targets)
    swapped = _count(source, sample.targets) + _count(target, sample.sources)
    if swapped < SWAPPED_SHARE * as_it_is:
        _warn(
            f"The sides of the {name} look swapped: the preset's vocabularies need "
            f"{as_it_is} pieces for {len(sample)} pairs as they stand, and {swapped} "
            f"the other way round. {_ADVICE}"
        )


def _count(vocabulary, texts) -> int:
    return sum(len(ids) for ids in vocabulary.processor.encode(list(texts)))


def _pieces(vocabulary) -> list[str]:
    return [vocabulary.processor.id_to_piece(n) for n in range(4, vocabulary.size)]


def _chosen(data: ParallelText, indices) -> ParallelText:
    rows = [
        [column[index] for index in indices]
        for column in (data.sources, data.references, data.origins)
    ]
    return ParallelText(*rows)


def _hash(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=3)
