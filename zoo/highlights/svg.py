"""Highlights as SVG."""

import html
import unicodedata

from zoo.highlights.content import escaped
from zoo.highlights.drawing import FONT, WIDTH, Box, drawing
from zoo.highlights.style import FONTS


def svg_file(highlight) -> str:
    """A whole SVG file whose text is text: it can be searched and copied."""
    height, marks = drawing(highlight, _estimated_width)
    drawn = "\n".join(map(_svg_mark, marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}pt" '
        f'height="{height:.0f}pt" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'role="img" font-family="{FONTS}">\n'
        f"<title>{escaped(highlight.title)}</title>\n"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{drawn}\n</svg>\n'
    )


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
    if isinstance(mark, Box):
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
