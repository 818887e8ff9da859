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
