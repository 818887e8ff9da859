"""Reliability diagrams: whether what a classifier is sure of is right that often."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from zoo.files import written_whole
from zoo.plots import STYLE, UNDATED, check_path

# Of Okabe and Ito's palette: told apart by colour-blind readers too.
BARS, DIAGONAL = "#56B4E9", "0.35"
_STYLE = {
    **STYLE,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plot_reliability(
    rows: Sequence[dict], path: str | Path, other_rows: Sequence[dict] | None = None
) -> Path:
    """Draws accuracy against confidence, as in Guo et al. (2017), figure 1.

    A bar that ends below its mark on the diagonal is of answers that were surer than
    right. Narrow bars beneath show how many examples each bin holds. The same rows give
    the same bytes.

    Args:
        rows: as of `zoo.metrics.calibration.reliability`.
        path: file to write, ending in .png, .svg or .pdf; its folder must exist. The
            file is written whole or not at all.
        other_rows: the same examples with a temperature, or `None`. They are drawn
            beside `rows`.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, or no rows.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    check_path(path)
    sides = [rows] if other_rows is None else [rows, other_rows]
    if not all(len(side) for side in sides):
        raise ValueError(
            "rows is empty; expected a row for each bin with examples. Make them by "
            "`reliability`."
        )
    titles = [None] if other_rows is None else ["before temperature", "after"]
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(3.7 * len(sides), 4.6), layout="constrained")
        grid = figure.subplots(
            2,
            len(sides),
            squeeze=False,
            sharex=True,
            sharey="row",
            gridspec_kw={"height_ratios": [4, 1]},
        )
        for axes, side, title in zip(grid.T, sides, titles, strict=True):
            _draw_accuracy(axes[0], side, title)
            _draw_counts(axes[1], side)
        grid[0, 0].set_ylabel("accuracy")
        grid[1, 0].set_ylabel("examples")
        options = {"dpi": 150, "metadata": UNDATED[path.suffix.lower()]}
        with written_whole(path) as beside, beside.open("wb") as file:
            figure.savefig(file, format=path.suffix.lower()[1:], **options)
    return path


def _draw_accuracy(axes, rows, title):
    lowers, widths = _places(rows)
    accuracies = [row["accuracy"] for row in rows]
    confidences = [row["confidence"] for row in rows]
    edges = {"align": "edge", "edgecolor": "white", "linewidth": 0.8}
    axes.bar(lowers, accuracies, widths, color=BARS, label="accuracy", **edges)
    axes.plot([0, 1], [0, 1], "--", color=DIAGONAL, linewidth=1, label="calibrated")
    # Where each bar would have to end: a mean confidence is seldom mid-bin.
    axes.hlines(
        confidences,
        lowers,
        lowers + widths,
        color="#D55E00",
        linewidth=1.8,
        label="confidence",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    error = f"calibration error {_error(rows):.3f}"
    axes.set_title(f"{title}: {error}" if title else error, fontsize=9)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def _draw_counts(axes, rows):
    lowers, widths = _places(rows)
    counts = [row["examples"] for row in rows]
    edges = {"align": "edge", "edgecolor": "white", "linewidth": 0.8}
    axes.bar(lowers, counts, widths, color="0.6", **edges)
    axes.set_xlabel(f"confidence ({sum(counts):,} examples)")
    axes.yaxis.get_major_locator().set_params(nbins=3, integer=True)


def _places(rows):
    lowers = np.array([row["lower"] for row in rows])
    return lowers, np.array([row["upper"] for row in rows]) - lowers


def _error(rows):
    """Equation 3 of Guo et al. (2017), from the bins."""
    gaps = [row["examples"] * abs(row["accuracy"] - row["confidence"]) for row in rows]
    return sum(gaps) / sum(row["examples"] for row in rows)
