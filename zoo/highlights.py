"""Texts with their words shaded by attention: for a terminal, a page or a picture.

Nothing here needs a display, TensorFlow or Keras: the weights of pieces come from a
task, from a file or from the JSON answer of a server.
"""
# Lengths in pictures are in points.

import functools
import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from zoo.files import written_whole

SUFFIXES = (".html", ".svg", ".png", ".pdf")
FONTS = "'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
# Okabe and Ito's palette, which colour-blind readers tell apart; lines that fall and
# rise differ by dashes too. Ink stays readable on the strongest shade.
INK, FAINT_INK = "#1a1a1a", "#595959"
SHADE, FALL, RISE, SENTENCE = "#E69F00", "#0072B2", "#CC79A7", "#009E73"
DIMMEST, BRIGHTEST = "#3d2c00", "#ffb000"  # of a terminal
WIDTH, MARGIN, SENTENCE_MARGIN = 620.0, 18.0, 58.0
FONT, SMALL_FONT, LINE = 14.0, 11.0, 29.0
LONGEST_PICTURE = 300  # lines
STRONGEST = 8  # words that `plain` lists
FAINTEST = 0.04  # of the strongest word; a weaker one is left white

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
# A terminal would obey some of these, and XML forbids them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


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
        strengths, shown = _strengths(self), Text()
        shown.append(f"{_printable(self.title)}", "bold")
        clear = _clear_fall(self)
        for share, members in _groups(self):
            shown.append("\n" if share is None else f"\n{share:.2f} ▌ ")
            for index in members:
                falls = clear is not None and self.without[index] >= clear
                shown.append("" if index == members[0] else _gap(self, index))
                style = _terminal_style(strengths[index], falls)
                shown.append(_printable(self.words[index]), style)
        legend = _legend(self)
        if "without" in legend:
            legend["without"] = _terminal_fall(clear)
        return shown.append("".join(f"\n{line}" for line in legend.values()), "dim")

    def plain(self, most: int = STRONGEST) -> str:
        """The title, the text, and a bar for each of the strongest words."""
        lines = [_printable(self.title), _printable(self.text)]
        order = np.argsort(-self.weights, kind="stable")[:most]
        strongest = [index for index in order if self.weights[index] > 0]
        if strongest:
            lines.append("")
        widest = max((cell_len(self.words[index]) for index in strongest), default=0)
        for index in strongest:
            word = _printable(self.words[index])
            bar = "█" * max(round(20 * self.weights[index] / self.weights.max()), 1)
            effect = "" if self.without is None else f"  {_effect(self.without[index])}"
            padding = " " * (widest - cell_len(word))
            share = f"{self.weights[index]:.3f}"
            lines.append(f"{share}  {word}{padding}  {bar:20}{effect}".rstrip())
        for start, end, share in self.sentences or ():
            sentence = " ".join(_printable(self.text[start:end]).split())
            lines.append(f"{share:.3f}  sentence: {_cut(sentence, 60)}")
        return "\n".join(lines)

    def html(self) -> str:
        """A fragment of HTML; each word tells its numbers when it is pointed at."""
        strengths, effects = _strengths(self), _effects(self)
        blocks = []
        for share, members in _groups(self):
            words = [
                ("" if index == members[0] else _gap(self, index))
                + f'<span title="{_tip(self, index)}"'
                + f"{_css(strengths[index], effects[index])}>"
                + f"{_escaped(self.words[index])}</span>"
                for index in members
            ]
            blocks.append(_html_block(share, "".join(words), self.sentences))
        legend = "<br>".join(_legend(self).values())
        return (
            f'<div style="background:#fff;color:{INK};padding:1em;max-width:45em;'
            f'font-family:{FONTS}">\n'
            f'<p style="margin:0 0 .5em"><strong>{_escaped(self.title)}</strong></p>\n'
            + "\n".join(blocks)
            + f'\n<p style="margin:.8em 0 0;font-size:.8em;color:{FAINT_INK}">'
            f"{legend}</p>\n</div>\n"
        )

    def svg(self) -> str:
        """A whole SVG file whose text is text: it can be searched and copied."""
        height, marks = _drawing(self, _estimated_width)
        drawn = "\n".join(map(_svg_mark, marks))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}pt" '
            f'height="{height:.0f}pt" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
            f'role="img" font-family="{FONTS}">\n'
            f"<title>{_escaped(self.title)}</title>\n"
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{drawn}\n</svg>\n'
        )

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
            content = _page(self).encode("utf-8")
        elif suffix == ".svg":
            content = self.svg().encode("utf-8")
        else:
            content = _picture(self, suffix)
        with written_whole(path) as beside:
            beside.write_bytes(content)
        return path


class _Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    colour: str
    tip: str = ""


class _Label(NamedTuple):
    x: float
    baseline: float
    text: str
    size: float = FONT
    width: float = 0.0  # what the text is made to fill; 0: whatever it takes
    colour: str = INK
    bold: bool = False
    tip: str = ""


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


def _groups(highlight):
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


def _gap(highlight, index):
    """The white space before a word that is not the first."""
    start, end = highlight.spans[index - 1][1], highlight.spans[index][0]
    return _printable(highlight.text[start:end])


def _strengths(highlight):
    """In [0, 1], the strongest word at 1."""
    return highlight.weights / (highlight.weights.max(initial=0) or 1)


def _effects(highlight):
    """In [-1, 1], the largest fall or rise at an end; 0 where not measured."""
    if highlight.without is None:
        return np.zeros(len(highlight.words))
    return highlight.without / (np.abs(highlight.without).max(initial=0) or 1)


def _clear_fall(highlight):
    """From where on the terminal underlines; `None` where no word makes it fall."""
    if highlight.without is None or highlight.without.max(initial=0) <= 0:
        return None
    return highlight.without.max() / 2


def _effect(fall):
    if abs(fall) < 0.0005:
        return "without it the score stays"
    direction = "falls" if fall >= 0 else "rises"
    return f"without it the score {direction} by {abs(fall):.3f}"


def _tip(highlight, index):
    tip = f"attention {highlight.weights[index]:.3f}"
    if highlight.without is None:
        return tip
    return f"{tip}; {_effect(highlight.without[index])}"


def _legend(highlight):
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


def _printable(text):
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def _escaped(text):
    return html.escape(_printable(text))


def _cut(text, longest):
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _blend(low, high, share):
    pairs = zip(_channels(low), _channels(high), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _channels(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _shade(strength):
    return _blend("#ffffff", SHADE, strength) if strength >= FAINTEST else None


def _terminal_style(strength, falls):
    styles = ["underline"] if falls else []
    if strength >= 0.5:
        styles.append("bold")
    if strength >= FAINTEST:
        ink = "#000000" if strength > 0.48 else "#ffffff"
        styles.append(f"{ink} on {_blend(DIMMEST, BRIGHTEST, strength)}")
    return " ".join(styles)


def _terminal_fall(clear):
    if clear is None:
        return "Without any one word the score does not fall."
    return f"Underlined: without it the score falls by {clear:.2g} or more."


def _css(strength, effect):
    rules = [f"background:{_shade(strength)}"] if _shade(strength) else []
    if abs(effect) >= FAINTEST:
        kind = f"solid {FALL}" if effect > 0 else f"dashed {RISE}"
        rules.append(f"border-bottom:{1 + 3 * abs(effect):.1f}px {kind}")
    return f' style="{";".join(rules)}"' if rules else ""


def _html_block(share, content, sentences):
    rules = "white-space:pre-wrap;line-height:1.9;margin:0 0 .3em"
    if share is None:
        return f'<div dir="auto" style="{rules}">{content}</div>'
    strongest = max(weight for _, _, weight in sentences) or 1
    bar = f"border-inline-start:{1 + 9 * share / strongest:.1f}px solid {SENTENCE}"
    number = f'<small style="color:{FAINT_INK}">{share:.2f}</small> '
    return (
        f'<div dir="auto" title="sentence {share:.3f}" style="{rules};{bar};'
        f'padding-inline-start:.6em">{number}{content}</div>'
    )


def _page(highlight):
    return (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_escaped(highlight.title)}</title></head>\n"
        f"<body>\n{highlight.html()}</body>\n</html>\n"
    )


def _drawing(highlight, width_of):
    """The height of a picture, and the boxes and labels in it, bottom ones first.

    Args:
        width_of: gives the width of a text in the letters of the medium at size FONT.
    """
    left = MARGIN + (SENTENCE_MARGIN if highlight.sentences else 0)
    lines, opened = _laid_out(highlight, WIDTH - left - MARGIN, width_of)
    cut, lines = len(lines) > LONGEST_PICTURE, lines[:LONGEST_PICTURE]
    title, room = _printable(highlight.title) or " ", WIDTH - 2 * MARGIN
    title = _cut(title, len(_parts(title, room / width_of(title))[0]))
    marks = [_Label(MARGIN, MARGIN + FONT, title, bold=True)]
    top = MARGIN + 2.9 * FONT
    marks += _sentence_marks(opened, len(lines), top)
    strengths, effects = _strengths(highlight), _effects(highlight)
    for row, line in enumerate(lines):
        for x, width, part, index in line:
            place = (left + x, top + LINE * row, width)
            tip = _tip(highlight, index)
            marks += _word_marks(*place, strengths[index], effects[index], tip)
            marks.append(_Label(*place[:2], part, FONT, width, tip=tip))
    bottom = top + LINE * len(lines)
    if cut:
        note = f"… the first {LONGEST_PICTURE} lines"
        marks.append(_Label(left, bottom, note, SMALL_FONT, colour=FAINT_INK))
        bottom += LINE
    marks += _legend_marks(highlight, bottom)
    return bottom + 1.5 * SMALL_FONT * (len(_legend(highlight)) - 1) + MARGIN, marks


def _laid_out(highlight, room, width_of):
    """Lines of `(x, width, part of a word, index)`; and where sentences open.

    A word that no line could hold is cut in parts. Right-to-left text runs from the
    right margin.
    """
    width_of = functools.cache(width_of)
    space, lines, opened = width_of(" "), [], []
    for share, members in _groups(highlight):
        opened.append((len(lines), share))
        lines.append([])
        x = 0.0
        for gap, chunk in _chunks(highlight, members):
            words = [_printable(highlight.words[index]) for index in chunk]
            needed = sum(map(width_of, words))
            x += space if gap and x else 0
            if "\n" in gap or (x and x + needed > room):
                lines, x = [*lines, []], 0.0
            for word, index in zip(words, chunk, strict=True):
                for part in _parts(word, room / max(width_of(word), 1e-9)):
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


def _chunks(highlight, members):
    """Words that no line break may part, each with the white space before it."""
    chunks = []
    for index in members:
        gap = _gap(highlight, index) if chunks else ""
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
        _ONE_BY_ONE.match(word) or unicodedata.category(word[0]) == "So"
        for word in (before, after)
    )


def _parts(word, fit):
    """The word, or, where only a share `fit` of it has room, parts of it."""
    length = len(word) if fit >= 1 else max(int(0.9 * fit * len(word)), 1)
    return [word[at : at + length] for at in range(0, len(word), length)]


def _is_right_to_left(text):
    kinds = map(unicodedata.bidirectional, text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


def _word_marks(x, baseline, width, strength, effect, tip):
    marks = []
    if colour := _shade(strength):
        marks.append(_Box(x, baseline - 0.95 * FONT, width, 1.3 * FONT, colour, tip))
    if abs(effect) < FAINTEST:
        return marks
    top, height = baseline + 0.42 * FONT, 1 + 3.5 * abs(effect)
    if effect > 0:
        return [*marks, _Box(x, top, width, height, FALL, tip)]
    for dash in np.arange(0, width, 5.0):
        length = min(3.0, width - dash)
        marks.append(_Box(x + float(dash), top, length, height, RISE, tip))
    return marks


def _sentence_marks(opened, num_lines, top):
    marks = []
    strongest = max((share for _, share in opened if share is not None), default=0) or 1
    rows = [row for row, _ in opened] + [num_lines]
    for (row, share), end in zip(opened, rows[1:], strict=True):
        if share is None or row >= num_lines:
            continue
        tip = f"sentence {share:.3f}"
        baseline, height = top + LINE * row, LINE * (min(end, num_lines) - row) - 7
        marks.append(
            _Label(MARGIN, baseline, f"{share:.2f}", SMALL_FONT, colour=FAINT_INK)
        )
        marks.append(
            _Box(
                MARGIN + 32,
                baseline - 0.95 * FONT,
                1 + 13 * share / strongest,
                height,
                SENTENCE,
                tip,
            )
        )
    return marks


def _legend_marks(highlight, top):
    marks = []
    for row, (name, text) in enumerate(_legend(highlight).items()):
        baseline = top + 1.5 * SMALL_FONT * row
        marks.append(_Label(MARGIN + 58, baseline, text, SMALL_FONT, colour=FAINT_INK))
        if name == "shade":
            for step in range(5):
                box = (MARGIN + 10 * step, baseline - 9, 10, 11)
                marks.append(_Box(*box, _blend("#ffffff", SHADE, (step + 1) / 5)))
        elif name == "without":
            marks += _word_marks(MARGIN, baseline - 9, 23, 0, 0.7, "")
            marks += _word_marks(MARGIN + 27, baseline - 9, 23, 0, -0.7, "")
        else:
            marks.append(_Box(MARGIN, baseline - 9, 10, 11, SENTENCE))
    return marks


def _estimated_width(text):
    """Width at size FONT, roughly and rather too wide: the reader's font is not known.

    Viewers that know `textLength` stretch the text to it; in others wide letters have
    room.
    """
    return FONT * sum(map(_ems, text))


def _ems(character):
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in "ijlI.,:;'’!| ":
        return 0.32
    if character in "ftr()[]/-":
        return 0.42
    if character in "mwMW@%—…":
        return 0.95
    return 0.7 if character.isupper() else 0.61


def _svg_mark(mark):
    tip = f"<title>{mark.tip}</title>" if mark.tip else ""
    if isinstance(mark, _Box):
        return (
            f'<rect x="{mark.x:.1f}" y="{mark.y:.1f}" width="{mark.width:.1f}" '
            f'height="{mark.height:.1f}" fill="{mark.colour}">{tip}</rect>'
        )
    fill = f' textLength="{mark.width:.1f}"' if mark.width else ""
    fill += ' lengthAdjust="spacingAndGlyphs"' if mark.width else ""
    bold = ' font-weight="bold"' if mark.bold else ""
    return (
        f'<text x="{mark.x:.1f}" y="{mark.baseline:.1f}" font-size="{mark.size:g}" '
        f'fill="{mark.colour}"{bold}{fill}>{html.escape(mark.text)}{tip}</text>'
    )


def _picture(highlight, suffix):
    """The bytes of a PNG or PDF; the same highlight gives the same bytes."""
    import matplotlib.style
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Rectangle
    from matplotlib.textpath import text_to_path

    from zoo import plots

    def drawable(text):
        return plots._drawable(text, longest=None)

    def width_of(text):
        font = FontProperties(size=FONT)
        return text_to_path.get_text_width_height_descent(drawable(text), font, False)[
            0
        ]

    # Hinted letters are wider than measured ones, and would run into each other.
    style = {**plots.STYLE, "text.hinting": "no_hinting"}
    with matplotlib.style.context(["default", style]):
        height, marks = _drawing(highlight, width_of)
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        boxes = [mark for mark in marks if isinstance(mark, _Box)]
        shapes = [Rectangle(box[:2], box.width, box.height) for box in boxes]
        colours = [box.colour for box in boxes]
        axes.add_collection(
            PatchCollection(shapes, facecolors=colours, edgecolors="none")
        )
        for mark in marks:
            if isinstance(mark, _Label):
                # The project's font has one weight: a title is larger instead.
                size = mark.size + (1.5 if mark.bold else 0)
                place = (mark.x, mark.baseline, drawable(mark.text))
                axes.text(*place, fontsize=size, color=mark.colour)
        return plots._rendered(figure, suffix)


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
