"""Highlights for a terminal, with colours or without."""

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from zoo.highlights.content import (
    effect_in_words,
    gap_before,
    groups_of,
    legend_of,
    printable,
    shortened,
    strengths_of,
)
from zoo.highlights.style import BRIGHTEST, DIMMEST, FAINTEST, blend

STRONGEST = 8  # words that `plain` lists


def terminal_text(highlight) -> Text:
    """The text, for rich to print: the brighter a background, the more attention.

    The strongest words are bold too, for terminals without colour.
    """
    strengths, shown = strengths_of(highlight), Text()
    shown.append(f"{printable(highlight.title)}", "bold")
    clear = _clear_fall(highlight)
    for share, members in groups_of(highlight):
        shown.append("\n" if share is None else f"\n{share:.2f} ▌ ")
        for index in members:
            falls = clear is not None and highlight.without[index] >= clear
            shown.append("" if index == members[0] else gap_before(highlight, index))
            style = _terminal_style(strengths[index], falls)
            shown.append(printable(highlight.words[index]), style)
    legend = legend_of(highlight)
    if "without" in legend:
        legend["without"] = _terminal_fall(clear)
    return shown.append("".join(f"\n{line}" for line in legend.values()), "dim")


def plain_text(highlight, most: int = STRONGEST) -> str:
    """The title, the text, and a bar for each of the strongest words."""
    lines = [printable(highlight.title), printable(highlight.text)]
    order = np.argsort(-highlight.weights, kind="stable")[:most]
    strongest = [index for index in order if highlight.weights[index] > 0]
    if strongest:
        lines.append("")
    widest = max((cell_len(highlight.words[index]) for index in strongest), default=0)
    for index in strongest:
        word, share = printable(highlight.words[index]), highlight.weights[index]
        bar = "█" * max(round(20 * share / highlight.weights.max()), 1)
        effect = ""
        if highlight.without is not None:
            effect = f"  {effect_in_words(highlight.without[index])}"
        padding = " " * (widest - cell_len(word))
        lines.append(f"{share:.3f}  {word}{padding}  {bar:20}{effect}".rstrip())
    for start, end, share in highlight.sentences or ():
        sentence = " ".join(printable(highlight.text[start:end]).split())
        lines.append(f"{share:.3f}  sentence: {shortened(sentence, 60)}")
    return "\n".join(lines)


def _clear_fall(highlight):
    """From where on the terminal underlines; `None` where no word makes it fall."""
    if highlight.without is None or highlight.without.max(initial=0) <= 0:
        return None
    return highlight.without.max() / 2


def _terminal_style(strength, falls):
    styles = ["underline"] if falls else []
    if strength >= 0.5:
        styles.append("bold")
    if strength >= FAINTEST:
        ink = "#000000" if strength > 0.48 else "#ffffff"
        styles.append(f"{ink} on {blend(DIMMEST, BRIGHTEST, strength)}")
    return " ".join(styles)


def _terminal_fall(clear):
    if clear is None:
        return "Without any one word the score does not fall."
    return f"Underlined: without it the score falls by {clear:.2g} or more."
