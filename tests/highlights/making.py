"""Highlights that tests look at."""

import numpy as np

from zoo.highlights import Highlight, split_words

# Commands of a terminal, signs of HTML, half a surrogate pair, marks, right to left.
ODD = "\x1b[31m <b>&\"' ]]> \x00 \ud800 $x$ 👨‍👩‍👧 مرحبا e\u0301 \u200b\ufeff"


def words_of(text):
    return [text[start:end] for start, end in split_words(text)]


def highlight(text, weights=None, title="positive 0.98", **more):
    spans = split_words(text)
    if weights is None:
        weights = np.arange(1, len(spans) + 1) / max(sum(range(len(spans) + 1)), 1)
    return Highlight(text, words_of(text), spans, weights, title, **more)
