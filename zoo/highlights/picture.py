"""Highlights as PNG and PDF."""

import matplotlib.style
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from zoo import plots
from zoo.highlights.drawing import FONT, WIDTH, Box, Label, drawing


def picture_bytes(highlight, suffix: str) -> bytes:
    """The bytes of a PNG or PDF; the same highlight gives the same bytes."""
    # Hinted letters are wider than measured ones, and would run into each other.
    style = {**plots.STYLE, "text.hinting": "no_hinting"}
    with matplotlib.style.context(["default", style]):
        height, marks = drawing(highlight, _width_of)
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        boxes = [mark for mark in marks if isinstance(mark, Box)]
        shapes = [Rectangle(box[:2], box.width, box.height) for box in boxes]
        colours = [box.colour for box in boxes]
        axes.add_collection(
            PatchCollection(shapes, facecolors=colours, edgecolors="none")
        )
        for mark in marks:
            if isinstance(mark, Label):
                # The project's font has one weight: a title is larger instead.
                size = mark.size + (1.5 if mark.bold else 0)
                place = (mark.x, mark.baseline, plots.drawable(mark.text, None))
                axes.text(*place, fontsize=size, color=mark.colour)
        return plots.rendered(figure, suffix)


def _width_of(text):
    text, font = plots.drawable(text, None), FontProperties(size=FONT)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return width
