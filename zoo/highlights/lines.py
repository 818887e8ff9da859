"""Words set in lines of a given width."""

import functools
import unicodedata
from collections.abc import Callable

from zoo.highlights.content import gap_before, groups_of, printable
from zoo.highlights.words import stands_alone


def laid_out(highlight, room: float, width_of: Callable[[str], float]):
    """Lines of `(x, width, part of a word, index)`; and where sentences open.

    A word that no line could hold is cut in parts. Right-to-left text runs from the
    right margin.
    """
    width_of = functools.cache(width_of)
    space, lines, opened = width_of(" "), [], []
    for share, members in groups_of(highlight):
        opened.append((len(lines), share))
        lines.append([])
        x = 0.0
        for gap, chunk in _chunks(highlight, members):
            words = [printable(highlight.words[index]) for index in chunk]
            needed = sum(map(width_of, words))
            x += space if gap and x else 0
            if "\n" in gap or (x and x + needed > room):
                lines, x = [*lines, []], 0.0
            for word, index in zip(words, chunk, strict=True):
                for part in parts_of(word, room / max(width_of(word), 1e-9)):
                    width = width_of(part)
                    if x and x + width > room:
                        lines, x = [*lines, []], 0.0
                    lines[-1].append((x, width, part, index))
                    x += width
    if _is_right_to_left(highlight.text):
        lines = [
            [(room - x - width, width, *rest) for x, width, *rest in line]
            for line in lines
        ]
    return lines, opened


def parts_of(word: str, fit: float) -> list[str]:
    """The word, or, where only a share `fit` of it has room, parts of it."""
    length = len(word) if fit >= 1 else max(int(0.9 * fit * len(word)), 1)
    return [word[at : at + length] for at in range(0, len(word), length)]


def _chunks(highlight, members):
    """Words that no line break may part, each with the white space before it."""
    chunks = []
    for index in members:
        gap = gap_before(highlight, index) if chunks else ""
        if chunks and not gap and not _may_break(highlight.words, index):
            chunks[-1][1].append(index)
        else:
            chunks.append((gap, [index]))
    return chunks


def _may_break(words, index):
    """Whether a line may end between two words that touch, by their characters."""
    before, after = words[index - 1], words[index]
    if unicodedata.category(after[0]) in ("Po", "Pe", "Pf"):
        return False
    if unicodedata.category(before[0]) in ("Ps", "Pi"):
        return False
    return any(
        stands_alone(word) or unicodedata.category(word[0]) == "So"
        for word in (before, after)
    )


def _is_right_to_left(text):
    kinds = map(unicodedata.bidirectional, text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"
