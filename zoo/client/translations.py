"""Translations that a server answered."""

import numpy as np

from zoo.answers import Alignment, Translation


def translations_of(answer: dict, row: int) -> list[Translation]:
    """What `n_best` found for a text, the best first.

    If the server's options left no translation at all, an empty one stands for it.
    """
    count = max(1, np.count_nonzero(answer["target_lengths"][row]))
    truncated = bool(answer["truncated"][row])
    return [
        Translation(text, float(score), truncated)
        for text, score in zip(
            answer["translations"][row][:count],
            answer["scores"][row][:count],
            strict=True,
        )
    ]


def alignment_of(answer: dict) -> Alignment:
    """What `with_alignment` found for the first text."""
    sources = int(answer["source_lengths"][0])
    targets = int(answer["target_lengths"][0])
    return Alignment(
        Translation(
            answer["translations"][0],
            float(answer["scores"][0]),
            bool(answer["truncated"][0]),
        ),
        list(answer["source_pieces"][0, :sources]),
        list(answer["target_pieces"][0, :targets]),
        np.asarray(answer["alignment"][0, :targets, :sources], "float32"),
    )
