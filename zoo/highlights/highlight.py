"""A text whose words are shaded by attention, and the files it is written to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text

from zoo.files import written_whole
from zoo.highlights.page import html_fragment, html_page
from zoo.highlights.svg import svg_file
from zoo.highlights.terminal import STRONGEST, plain_text, terminal_text
from zoo.highlights.words import split_words, word_weights

SUFFIXES = (".html", ".svg", ".png", ".pdf")


@dataclass(frozen=True, eq=False)
class Highlight:
    """A text whose words have weights, ready to be shown.

    Attributes:
        text: the whole text.
        words: its words, as of `split_words`.
        spans: where each word is in the text, in characters.
        weights: shape (words,), the share of the attention on each word; sums to 1, or
            to 0 where there is no word or none has any.
        title: one line above the text, such as "positive 0.98".
        without: shape (words,), how much the score (the probability of the label, or
            the number that a regression gives) falls when the word is left out,
            negative where it rises; or `None`.
        sentences: `(start, end, weight)` of each sentence, in characters, for a model
            that attends to sentences too; or `None`.

    Raises:
        ValueError: counts that differ, words that are not where spans say, or weights
            that are no shares.

    Example:
        `Highlight.from_pieces(text, starts, ends, weights, "positive 0.98")
        .save("positive.png")`
    """

    text: str
    words: list[str]
    spans: list[tuple[int, int]]
    weights: np.ndarray
    title: str
    without: np.ndarray | None = None
    sentences: list[tuple[int, int, float]] | None = None

    def __post_init__(self):
        for name in ("weights", "without"):
            if getattr(self, name) is not None:
                values = np.asarray(getattr(self, name), "float64")
                object.__setattr__(self, name, values)
        _check(self)

    @classmethod
    def from_pieces(
        cls, text, starts, ends, weights, title, without=None, sentences=None
    ):
        """A highlight of the weights of pieces; the arguments as of `word_weights`."""
        words, _ = word_weights(text, starts, ends, weights)
        shares = np.array([weight for _, weight in words])
        names, spans = [word for word, _ in words], split_words(text)
        return cls(text, names, spans, shares, title, without, sentences)

    def terminal(self) -> Text:
        """The text, for rich to print: the brighter a background, the more attention.

        The strongest words are bold too, for terminals without colour.
        """
        return terminal_text(self)

    def plain(self, most: int = STRONGEST) -> str:
        """The title, the text, and a bar for each of the strongest words."""
        return plain_text(self, most)

    def html(self) -> str:
        """A fragment of HTML; each word tells its numbers when it is pointed at."""
        return html_fragment(self)

    def svg(self) -> str:
        """A whole SVG file whose text is text: it can be searched and copied."""
        return svg_file(self)

    def save(self, path: str | Path) -> Path:
        """Writes the highlight to a file, whole or not at all.

        Args:
            path: ends in .html (a page), .svg, .png or .pdf; its folder must exist.
                Pictures hold the first 300 lines; .png and .pdf show characters that
                matplotlib's and this project's fonts lack, such as emoji, as �.

        Returns:
            The path.

        Raises:
            ValueError: another suffix.
            FileNotFoundError: the folder does not exist.
        """
        path = Path(path)
        check_path(path)
        suffix = path.suffix.lower()
        if suffix == ".html":
            content = html_page(self).encode("utf-8")
        elif suffix == ".svg":
            content = self.svg().encode("utf-8")
        else:
            # A page must not wait for matplotlib.
            from zoo.highlights.picture import picture_bytes

            content = picture_bytes(self, suffix)
        with written_whole(path) as beside:
            beside.write_bytes(content)
        return path


def check_path(path: Path) -> None:
    """Checks that a highlight can be written to a path.

    Raises:
        ValueError: the suffix is of no known format.
        FileNotFoundError: the folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"path is {str(path)!r}; expected a name ending in {', '.join(SUFFIXES)}, "
            "which chooses the format. Add one of them."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path is {str(path)!r}, but there is no folder {str(path.parent)!r}. Make "
            "it first, or choose a folder that exists."
        )


def _check(highlight):
    counts = [len(highlight.words), len(highlight.spans), len(highlight.weights)]
    if highlight.without is not None:
        counts.append(len(highlight.without))
    if len(set(counts)) > 1:
        raise ValueError(
            f"words, spans, weights and without have {counts} entries; expected one "
            "for each word. Make them by `split_words` and `word_weights`."
        )
    if [highlight.text[start:end] for start, end in highlight.spans] != highlight.words:
        raise ValueError(
            "words are not what spans of the text hold; expected spans in characters. "
            "Make both by `split_words`, from this very text."
        )
    weights, total = highlight.weights, highlight.weights.sum()
    if not (weights.min(initial=0) >= 0 and total <= 1.05):  # NaN fails too
        raise ValueError(
            f"weights has a lowest value of {weights.min():.3g} and sums to "
            f"{total:.3g}; expected shares that sum to 1. Pass them through "
            "`word_weights`."
        )
    if highlight.without is not None and not np.isfinite(highlight.without).all():
        raise ValueError("without has values that are not finite; expected numbers.")
    size = len(highlight.text)
    for start, end, share in highlight.sentences or ():
        if not (0 <= start <= end <= size and 0 <= share <= 1.05):
            raise ValueError(
                f"sentences has {(start, end, share)}; expected a span in characters, "
                f"from 0 to {size}, and a share of the attention in [0, 1]."
            )
