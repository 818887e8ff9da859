"""Words as readers see them, and weights of pieces as weights of words."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

# Characters of these scripts are shown one by one: they have no spaces between words.
# Thai, Lao, Myanmar and Khmer have none either, but a letter alone is no unit there.
_ONE_BY_ONE = re.compile(
    "[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3098"
    "\u309b-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_APOSTROPHES = ("'", "’", "＇")
_JOINER = "\u200d"
# Joiners, soft hyphen, skin tones, tags of flags: they change what is before them.
_EXTENDING = re.compile(
    "[\u200c\u200d\u00ad\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]")


def split_words(text: str) -> list[tuple[int, int]]:
    """Spans of characters that a reader takes for one.

    A run of letters, digits and combining marks is a word, with the apostrophes inside
    it. Chinese and Japanese characters, punctuation and symbols stand alone; an emoji
    keeps its joiners, skin tone and variation selectors. White space is in no span.

    Returns:
        List of `(start, end)` in characters, in order, none empty.
    """
    spans: list[tuple[int, int]] = []
    before = "space"  # the kind of the span that ends here
    for index, character in enumerate(text):
        kind = _kind(character)
        if kind == "apostrophe":
            inside = before == "letter" and _kind(text[index + 1 : index + 2]) == before
            kind = "letter" if inside else "sign"
        if kind == "space":
            before = kind
        elif before != "space" and _continues(text, spans[-1], before, index, kind):
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
            before = "sign" if kind == "extending" else kind
    return spans


def word_weights(
    text: str, starts: Sequence[int], ends: Sequence[int], weights: Sequence[float]
) -> tuple[list[tuple[str, float]], float]:
    """Turns the weights of pieces into weights of words.

    A piece's weight is spread evenly over those of its characters that are in a word.
    The words are those of `split_words`, whatever the pieces are: parts of words, whole
    words, or single bytes of a character.

    Args:
        text: what the pieces were cut from.
        starts, ends: span of each piece, in bytes of the text as UTF-8. Special pieces
            have (0, 0).
        weights: of each piece, not negative.

    Returns:
        `(words, left_over)`: a pair of word and weight for each word, in order, the
        weights summing to 1 (all 0 where no word has any), and the share of all weight
        that was left out, as it lay on special pieces or on white space alone.

    Raises:
        ValueError: lists of different lengths, a negative weight, or a span outside of
            the text.
    """
    starts, ends, weights = _checked_pieces(text, starts, ends, weights)
    spans = split_words(text)
    word_of = np.full(len(text), -1)
    for index, (start, end) in enumerate(spans):
        word_of[start:end] = index
    lengths = [len(each.encode("utf-8", "surrogatepass")) for each in text]
    character_ends = np.cumsum(lengths, dtype=int)
    # A piece that is only some bytes of a character touches that character.
    firsts = np.searchsorted(character_ends, starts, side="right")
    lasts = np.searchsorted(character_ends - lengths, ends, side="left")
    sums = np.zeros(len(spans))
    for first, last, weight in zip(firsts, lasts, weights, strict=True):
        touched = word_of[first:last]
        touched = touched[touched >= 0]
        np.add.at(sums, touched, weight / max(len(touched), 1))
    total, kept = float(weights.sum()), float(sums.sum())
    if kept:
        sums /= kept
    words = [text[start:end] for start, end in spans]
    left_over = max(total - kept, 0.0) / total if total else 0.0
    return list(zip(words, sums.tolist(), strict=True)), left_over


def stands_alone(word: str) -> bool:
    """Whether a word is of a script without spaces, shown character by character."""
    return bool(_ONE_BY_ONE.match(word))


def _kind(character):
    category = unicodedata.category(character) if character else "Zs"
    if _EXTENDING.match(character) or category[0] == "M":
        return "extending"
    if category[0] == "Z" or category in ("Cc", "Cf"):
        return "space"
    if _ONE_BY_ONE.match(character):
        return "single"
    if character in _APOSTROPHES:
        return "apostrophe"
    return "letter" if category[0] in "LN" else "sign"


def _continues(text, span, before, index, kind):
    if kind == "extending":
        return True
    if kind == "letter":
        return before == "letter"
    if before != "sign" or kind != "sign":
        return False
    flag = _REGIONAL.match(text[index]) and _REGIONAL.fullmatch(text[slice(*span)])
    return bool(flag) or text[index - 1] == _JOINER


def _checked_pieces(text, starts, ends, weights):
    starts, ends = np.asarray(starts, "int64"), np.asarray(ends, "int64")
    weights = np.asarray(weights, "float64")
    if not starts.shape == ends.shape == weights.shape == (len(weights),):
        raise ValueError(
            f"starts, ends and weights have shapes {starts.shape}, {ends.shape} and "
            f"{weights.shape}; expected one number a piece in each. Pass one text, "
            "without padding, and one head."
        )
    if not np.isfinite(weights).all() or weights.min(initial=0) < 0:
        raise ValueError(
            f"weights has values from {weights.min():.3g} to {weights.max():.3g}; "
            "expected attention after the softmax, none below 0."
        )
    size = len(text.encode("utf-8", "surrogatepass"))
    if (starts > ends).any() or starts.min(initial=0) < 0 or ends.max(initial=0) > size:
        raise ValueError(
            f"starts and ends reach from {starts.min(initial=0)} to "
            f"{ends.max(initial=0)}; expected spans from 0 to {size}, the bytes of the "
            "text as UTF-8. Pass the text that the pieces were cut from."
        )
    return starts, ends, weights
