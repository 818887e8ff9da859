"""Where a detector looks, drawn over the image: of objects found and of points."""
# Shape letters: N maps, H and W rows and columns of feature cells.

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import Normal, Stroke
from PIL import Image

from zoo.pictures.canvas import (
    Sheet,
    checked_boxes,
    checked_path,
    checked_pixels,
    checked_scores,
    line_height,
    resized,
    save,
    show,
)
from zoo.pictures.palette import DARK, LIGHT
from zoo.plots import drawable

MOST = 8  # panels, the best objects first
PANEL = 480  # sheet pixels of a panel's longest side
COLUMNS = 4
LONGEST_LABEL = 24  # characters
NARROWEST = 260  # sheet pixels, so that a panel's line has room
_GAP = 18
_POINTS, _TITLE_POINTS = 8, 10
# From so far up in the shades: those below are darker than the darkened image.
_SHADES, _DIMMEST = "inferno", 0.3
_DARKENED, _STRONGEST = 0.5, 0.85
_POWER = 0.7  # below 1: weak attention is seen too
_SCALE = "bright: most attention of its panel"


def draw_query_attention(
    pixels,
    boxes,
    labels: Sequence[str],
    scores,
    attention,
    path: str | Path,
    cells: tuple[float, float] | None = None,
) -> Path:
    """Draws, for each of a few objects, where the query that found it looked.

    Each of the best objects, eight at most, has a panel: the image darkened, its
    attention glowing over it, and its box. Every panel has its own scale. The same
    arguments give the same bytes.

    Args:
        pixels: shape (height, width, 3), uint8, RGB of the image as looked at.
        boxes: shape (objects, 4), corners in pixels of this image.
        labels: a name for each box.
        scores: shape (objects,), in [0, 1].
        attention: shape (objects, rows, columns), not negative: of the feature cells.
            Leave out cells of padding.
        path: file to write, ending in .png, .svg or .pdf; its folder must exist. The
            file is written whole or not at all.
        cells: rows and columns that the image covers, such as (7.5, 10); by default
            all, to their ends.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, or arrays that do not fit.
        FileNotFoundError: the folder does not exist.
    """
    path, pixels = checked_path(path), checked_pixels(pixels)
    labels = [str(label) for label in labels]
    boxes = checked_boxes(boxes, len(labels), "boxes")
    scores = checked_scores(scores, len(labels))
    maps_NHW = _checked_attention(attention, len(labels))
    best = np.argsort(-scores, kind="stable")[:MOST]
    image = resized(pixels, PANEL, PANEL)
    scale = np.tile(image.shape[1::-1], 2) / np.tile(pixels.shape[1::-1], 2)

    def mark(axes, panel, shift):
        box = np.clip(boxes[best[panel]] * scale, 0, np.tile(image.shape[1::-1], 2))
        _draw_box(axes, box + np.tile(shift, 2))

    titles = [
        f"{drawable(labels[row], LONGEST_LABEL)} {scores[row]:.2f}" for row in best
    ]
    panels = [overlaid(image, maps_NHW[row], cells) for row in best]
    if not panels:
        return save(
            lambda: _figure([image], [""], "nothing found above the threshold"), path
        )
    title = "Where the query of each object looks"
    if len(labels) > MOST:
        title += f", the best {MOST} of {len(labels)}"
    return save(lambda: _figure(panels, titles, f"{title} ({_SCALE})", mark), path)


def draw_point_attention(
    pixels,
    points,
    attention,
    path: str | Path,
    cells: tuple[float, float] | None = None,
) -> Path:
    """Draws, for chosen points, what the encoder attends to from each.

    The first panel is the image with the points numbered, then each point has a panel:
    the image darkened, with the point and its attention over it. Every panel has its
    own scale. The same arguments give the same bytes.

    Args:
        pixels: shape (height, width, 3), uint8, RGB of the image as looked at.
        points: shape (points, 2), one to seven, (x, y) in pixels of this image.
        attention: shape (points, rows, columns), not negative: from the feature cell
            of each point to all cells. Leave out cells of padding.
        path: file to write, ending in .png, .svg or .pdf; its folder must exist. The
            file is written whole or not at all.
        cells: rows and columns that the image covers, such as (7.5, 10); by default
            all, to their ends.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, arrays that do not fit, or points outside the image.
        FileNotFoundError: the folder does not exist.
    """
    path, pixels = checked_path(path), checked_pixels(pixels)
    points = _checked_points(points, pixels.shape[1::-1])
    maps_NHW = _checked_attention(attention, len(points))
    image = resized(pixels, PANEL, PANEL)
    size = np.array(image.shape[1::-1])
    placed, centre = points * (size / pixels.shape[1::-1]), size / 2

    def mark(axes, panel, shift):
        numbers = range(len(points)) if panel == 0 else [panel - 1]
        for number in numbers:
            _draw_point(axes, placed[number] + shift, number + 1, centre + shift)

    panels = [image, *(overlaid(image, map_HW, cells) for map_HW in maps_NHW)]
    places = [
        f"{number}: from ({x:.0f}, {y:.0f})"
        for number, (x, y) in enumerate(points, start=1)
    ]
    title = f"What the encoder attends to from each point ({_SCALE})"
    return save(lambda: _figure(panels, ["the points", *places], title, mark), path)


def overlaid(image, map_HW, cells=None):
    """The image in dark grey, with attention glowing over it.

    Args:
        image: shape (height, width, 3), uint8.
        map_HW: not negative; its largest value glows most.
        cells: rows and columns that the image covers; by default all.

    Returns:
        Shape (height, width, 3), uint8.
    """
    size = image.shape[1::-1]
    smooth = Image.fromarray(np.asarray(map_HW, "float32") / (map_HW.max() or 1))
    rows, columns = cells or map_HW.shape
    covered = (0, 0, columns, rows)
    smooth = np.asarray(smooth.resize(size, Image.Resampling.BICUBIC, covered))
    strength = np.clip(smooth, 0, 1)
    shades = matplotlib.colormaps[_SHADES](_DIMMEST + (1 - _DIMMEST) * strength)
    glow, grey = shades[..., :3] * 255, image.mean(axis=2, keepdims=True) * _DARKENED
    share = _STRONGEST * strength[..., None] ** _POWER
    return np.round(grey * (1 - share) + glow * share).astype("uint8")


def _figure(panels, titles, title, mark=None):
    """Panels in rows; each has its line above it, and one stands above all."""
    height, width = panels[0].shape[:2]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    line, above = line_height(_POINTS), line_height(_TITLE_POINTS) * 1.2
    cell = max(width, NARROWEST)
    sheet = Sheet(
        columns * (cell + _GAP) - _GAP, int(above + rows * (line + height + _GAP))
    )
    sheet.write(title, above / 2, _TITLE_POINTS)
    for number, (panel, words) in enumerate(zip(panels, titles, strict=True)):
        row, column = divmod(number, columns)
        axes = sheet.axes(
            column * (cell + _GAP),
            above + row * (line + height + _GAP),
            cell,
            line + height,
        )
        axes.text(0, line / 2, words, fontsize=_POINTS, color=DARK, va="center")
        show(axes, panel, 0, line)
        if mark:
            mark(axes, number, np.array([0, line]))
    return sheet.figure


def _halo(width):
    return [Stroke(linewidth=width + 1.4, foreground=DARK), Normal()]


def _draw_box(axes, box):
    axes.add_patch(
        Rectangle(
            box[:2],
            *(box[2:] - box[:2]),
            fill=False,
            edgecolor=LIGHT,
            linewidth=1.6,
            joinstyle="miter",
            path_effects=_halo(1.6),
        )
    )


def _draw_point(axes, point, number, centre):
    """A ring at the point, and its number beside it on the side of the centre."""
    beside = point + np.where(point < centre, 20, -20)
    for place, radius, layer in ((point, 5, 3), (beside, 12, 4)):
        look = {"facecolor": LIGHT, "edgecolor": DARK, "linewidth": 1.2}
        axes.add_patch(Circle(place, radius, zorder=layer, clip_on=False, **look))
    axes.text(
        *beside,
        str(number),
        fontsize=_POINTS,
        color=DARK,
        ha="center",
        va="center_baseline",
        zorder=5,
    )


def _checked_points(points, size):
    points = np.asarray(points, "float64")
    most = MOST - 1
    if points.ndim != 2 or points.shape[1] != 2 or not 1 <= len(points) <= most:
        raise ValueError(
            f"points has shape {points.shape}; expected (points, 2), (x, y) in pixels, "
            f"of 1 to {most} points. Draw more in several pictures."
        )
    if not ((points >= 0) & (points <= size)).all():  # NaN fails too
        raise ValueError(
            f"points are {points.tolist()}; expected x in [0, {size[0]}] and y in "
            f"[0, {size[1]}], pixels of the image."
        )
    return points


def _checked_attention(attention, count):
    maps_NHW = np.asarray(attention, "float64")
    if not count and not maps_NHW.size:
        return maps_NHW.reshape(0, 1, 1)
    if maps_NHW.ndim != 3 or len(maps_NHW) != count or not maps_NHW.size:
        raise ValueError(
            f"attention has shape {maps_NHW.shape}; expected ({count}, rows, columns), "
            "a map of the feature cells for each. Take the mean over the heads, or one "
            "of them, and give cells their rows and columns."
        )
    if not (maps_NHW >= 0).all() or not np.isfinite(maps_NHW).all():
        raise ValueError(
            f"attention has values from {maps_NHW.min():.3g} to {maps_NHW.max():.3g}; "
            "expected finite ones from 0 on. Pass the weights after the softmax."
        )
    return maps_NHW
