"""What every form of a highlight shows, and how it says it."""

import html
import re

import numpy as np

# A terminal would obey some of these, and XML forbids them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def groups_of(highlight) -> list[tuple[float | None, list[int]]]:
    """Sentences as `(share, indices of words)`; without any, one of share `None`."""
    indices = list(range(len(highlight.words)))
    if not highlight.sentences:
        return [(None, indices)] if indices else []
    groups = [(None, [])]
    opening = {}
    for start, end, share in highlight.sentences:
        inside = (i for i in indices if start <= highlight.spans[i][0] < end)
        opening.setdefault(next(inside, None), share)
    for index in indices:
        if index in opening:
            groups.append((opening[index], []))
        groups[-1][1].append(index)
    return [group for group in groups if group[1]]


def gap_before(highlight, index: int) -> str:
    """The white space before a word that is not the first."""
    start, end = highlight.spans[index - 1][1], highlight.spans[index][0]
    return printable(highlight.text[start:end])


def strengths_of(highlight) -> np.ndarray:
    """In [0, 1], the strongest word at 1."""
    return highlight.weights / (highlight.weights.max(initial=0) or 1)


def effects_of(highlight) -> np.ndarray:
    """In [-1, 1], the largest fall or rise at an end; 0 where not measured."""
    if highlight.without is None:
        return np.zeros(len(highlight.words))
    return highlight.without / (np.abs(highlight.without).max(initial=0) or 1)


def effect_in_words(fall: float) -> str:
    """Says what leaving a word out does."""
    if abs(fall) < 0.0005:
        return "without it the score stays"
    direction = "falls" if fall >= 0 else "rises"
    return f"without it the score {direction} by {abs(fall):.3f}"


def tip_of(highlight, index: int) -> str:
    """The numbers of a word, shown when it is pointed at."""
    tip = f"attention {highlight.weights[index]:.3f}"
    if highlight.without is None:
        return tip
    return f"{tip}; {effect_in_words(highlight.without[index])}"


def legend_of(highlight) -> dict[str, str]:
    """A sentence for each thing that is shown, by its name."""
    strongest = highlight.weights.max(initial=0)
    lines = {"shade": f"Shade: share of the attention, up to {strongest:.2g}."}
    if highlight.without is not None:
        fall = max(highlight.without.max(initial=0), 0)
        rise = max(-highlight.without.min(initial=0), 0)
        text = f"Line: how far the score falls without the word, up to {fall:.2g}"
        rises = f"; dashed where it rises, up to {rise:.2g}" if rise else ""
        lines["without"] = f"{text}{rises}."
    if highlight.sentences:
        lines["sentences"] = "Bar and number: the sentence's share of the attention."
    return lines


def printable(text: str) -> str:
    """The text, with � for what is no character to show."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def escaped(text: str) -> str:
    """The text as HTML and XML write it."""
    return html.escape(printable(text))


def shortened(text: str, longest: int) -> str:
    """The text, of at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
