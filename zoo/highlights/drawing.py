"""Where the boxes and the words of a picture are, whatever it is drawn with."""
# Lengths are in points.

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from zoo.highlights.content import (
    effects_of,
    legend_of,
    printable,
    shortened,
    strengths_of,
    tip_of,
)
from zoo.highlights.lines import laid_out, parts_of
from zoo.highlights.style import (
    FAINT_INK,
    FAINTEST,
    FALL,
    INK,
    RISE,
    SENTENCE,
    SHADE,
    blend,
    shade_of,
)

WIDTH, MARGIN, SENTENCE_MARGIN = 620.0, 18.0, 58.0
FONT, SMALL_FONT, LINE = 14.0, 11.0, 29.0
LONGEST_PICTURE = 300  # lines


class Box(NamedTuple):
    """A filled rectangle; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    tip: str = ""


class Label(NamedTuple):
    """A text on one line; (x, baseline) is where it begins."""

    x: float
    baseline: float
    text: str
    size: float = FONT
    width: float = 0.0  # what the text is made to fill; 0: whatever it takes
    colour: str = INK
    bold: bool = False
    tip: str = ""


def drawing(highlight, width_of: Callable[[str], float]):
    """The height of a picture, and the boxes and labels in it, bottom ones first.

    Args:
        width_of: gives the width of a text in the letters of the medium at size FONT.
    """
    left = MARGIN + (SENTENCE_MARGIN if highlight.sentences else 0)
    lines, opened = laid_out(highlight, WIDTH - left - MARGIN, width_of)
    cut, lines = len(lines) > LONGEST_PICTURE, lines[:LONGEST_PICTURE]
    title, room = printable(highlight.title) or " ", WIDTH - 2 * MARGIN
    title = shortened(title, len(parts_of(title, room / width_of(title))[0]))
    marks = [Label(MARGIN, MARGIN + FONT, title, bold=True)]
    top = MARGIN + 2.9 * FONT
    marks += _sentence_marks(opened, len(lines), top)
    strengths, effects = strengths_of(highlight), effects_of(highlight)
    for row, line in enumerate(lines):
        for x, width, part, index in line:
            place = (left + x, top + LINE * row, width)
            tip = tip_of(highlight, index)
            marks += _word_marks(*place, strengths[index], effects[index], tip)
            marks.append(Label(*place[:2], part, FONT, width, tip=tip))
    bottom = top + LINE * len(lines)
    if cut:
        note = f"… the first {LONGEST_PICTURE} lines"
        marks.append(Label(left, bottom, note, SMALL_FONT, colour=FAINT_INK))
        bottom += LINE
    marks += _legend_marks(highlight, bottom)
    return bottom + 1.5 * SMALL_FONT * (len(legend_of(highlight)) - 1) + MARGIN, marks


def _word_marks(x, baseline, width, strength, effect, tip):
    marks = []
    if colour := shade_of(strength):
        marks.append(Box(x, baseline - 0.95 * FONT, width, 1.3 * FONT, colour, tip))
    if abs(effect) < FAINTEST:
        return marks
    top, height = baseline + 0.42 * FONT, 1 + 3.5 * abs(effect)
    if effect > 0:
        return [*marks, Box(x, top, width, height, FALL, tip)]
    for dash in np.arange(0, width, 5.0):
        length = min(3.0, width - dash)
        marks.append(Box(x + float(dash), top, length, height, RISE, tip))
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
            Label(MARGIN, baseline, f"{share:.2f}", SMALL_FONT, colour=FAINT_INK)
        )
        marks.append(
            Box(
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
    for row, (name, text) in enumerate(legend_of(highlight).items()):
        baseline = top + 1.5 * SMALL_FONT * row
        marks.append(Label(MARGIN + 58, baseline, text, SMALL_FONT, colour=FAINT_INK))
        if name == "shade":
            for step in range(5):
                box = (MARGIN + 10 * step, baseline - 9, 10, 11)
                marks.append(Box(*box, blend("#ffffff", SHADE, (step + 1) / 5)))
        elif name == "without":
            marks += _word_marks(MARGIN, baseline - 9, 23, 0, 0.7, "")
            marks += _word_marks(MARGIN + 27, baseline - 9, 23, 0, -0.7, "")
        else:
            marks.append(Box(MARGIN, baseline - 9, 10, 11, SENTENCE))
    return marks
