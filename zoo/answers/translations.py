"""Translations, and what they looked at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Translation:
    """One translated text.

    Attributes:
        text: the translation.
        score: as the decoding ranks it: log probability over length penalty, at most 0.
        truncated: the source was longer than the model reads.
        alternatives: the next best translations, if `num_hypotheses` asked for them.
    """

    text: str
    score: float
    truncated: bool
    alternatives: tuple["Translation", ...] = ()

    @property
    def plain(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Alignment:
    """A translation and what it looked at.

    Attributes:
        translation: the translation.
        source_pieces: subword pieces of the source, the end token last.
        target_pieces: subword pieces of the translation, the end token last.
        weights: (target pieces, source pieces); each row sums to 1.
    """

    translation: Translation
    source_pieces: list[str]
    target_pieces: list[str]
    weights: np.ndarray

    def plot(self, path, **options) -> Path:
        """Draws the heatmap; see `zoo.plots.plot_alignment`."""
        # Those who only translate must not wait for matplotlib.
        from zoo.plots import plot_alignment

        return plot_alignment(
            self.source_pieces, self.target_pieces, self.weights, path, **options
        )


def translations_of(answer: dict, row: int) -> list[Translation]:
    """What `n_best` found for a text, the best first.

    If the export's options left no translation at all, an empty one stands for it.
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
    """What `with_alignment` found for the first text.

    Args:
        answer: outputs by name, as arrays or nested lists.
    """
    sources = int(answer["source_lengths"][0])
    targets = int(answer["target_lengths"][0])
    return Alignment(
        Translation(
            answer["translations"][0],
            float(answer["scores"][0]),
            bool(answer["truncated"][0]),
        ),
        list(answer["source_pieces"][0][:sources]),
        list(answer["target_pieces"][0][:targets]),
        np.asarray(answer["alignment"][0], "float32")[:targets, :sources],
    )
