"""A converted translation model beside the library that it comes from."""

import numpy as np

from zoo.converters.checkpoint_folder import read_config
from zoo.converters.marian_tables import read_tables
from zoo.converters.parity import ask_transformers, need_transformers
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID

# Of sources and targets, made up of random pieces.
_LENGTHS = ((23, 17), (1, 29), (11, 2), (5, 8))


def compare_marian(preset, folder) -> list[tuple[str, float]]:
    """A converted preset beside `transformers`; see `compare_translator`.

    Raises:
        ImportError: transformers or torch is not installed.
        RuntimeError: transformers does not run the checkpoint; the message is its own.
    """
    need_transformers()
    return compare_translator(
        preset, lambda kind, calls: ask_transformers(kind, folder, calls), folder
    )


def compare_translator(preset, ask, folder) -> list[tuple[str, float]]:
    """The largest absolute difference of logits on a padded batch.

    Args:
        preset: what `convert` made of the checkpoint.
        ask: function of a kind and arrays to the checkpoint's answers.
        folder: the checkpoint, whose vocabularies say which piece has which id there.

    Returns:
        A row for each sentence of the batch.
    """
    source, target = read_tables(folder, read_config(folder))
    random = np.random.default_rng(0)
    sources = _made_up(random, source.vocabulary.size, [one for one, _ in _LENGTHS])
    targets = _made_up(random, target.vocabulary.size, [one for _, one in _LENGTHS])
    targets = np.roll(targets, 1, axis=1)
    targets[:, 0] = START_ID
    given = {
        "input_ids": source.former[sources],
        "attention_mask": (sources != PADDING_ID).astype("int64"),
        "decoder_input_ids": target.former[targets],
    }
    (answer,) = ask("translator", [given])
    own = preset.model({"source_ids": sources, "target_ids": targets})
    # Padding and start are never written, whatever their logits.
    difference = np.abs(np.asarray(own) - answer["logits"][..., target.former])
    return [
        (f"logits, sentence {row + 1}", float(difference[row, :length, END_ID:].max()))
        for row, (_, length) in enumerate(_LENGTHS)
    ]


def _made_up(random, size: int, lengths) -> np.ndarray:
    """Rows of ids of all but the special pieces, each ended, then padding."""
    ids = random.integers(UNKNOWN_ID, size, (len(lengths), max(lengths) + 1))
    for row, length in enumerate(lengths):
        ids[row, length:] = PADDING_ID
        ids[row, length] = END_ID
    return ids
