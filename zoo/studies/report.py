"""Tables and pictures of studies. The same rows give the same bytes."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from zoo.files import written_whole
from zoo.plots import STYLE, UNDATED

# Okabe and Ito's palette: told apart by colour-blind readers too; then by marker.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
COLOURS += ("#882255",)  # Tol's wine, for an eighth.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLE = {
    **STYLE,
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: its name in the rows and in the CSV.
        title: its head in Markdown, with the unit.
        format: how Markdown shows a value: a format specification, or a function.
        detail: whether a narrow screen does without it.
    """

    key: str
    title: str
    format: str | Callable[[Any], str] = ""
    detail: bool = False

    def shown(self, row: dict) -> str:
        value = row.get(self.key)
        if value is None:
            return "–"
        if callable(self.format):
            return self.format(value)
        return str(value) if isinstance(value, str) else format(value, self.format)


@dataclass(frozen=True)
class Table:
    """Rows under a title, and what a reader should know of them.

    Attributes:
        title: one line.
        columns: what is shown, from left to right.
        rows: dictionaries; a value that is missing or `None` was not measured.
        notes: sentences below the table.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[dict]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        cells = [[column.title for column in self.columns]]
        cells += [[column.shown(row) for column in self.columns] for row in self.rows]
        lines = [f"| {' | '.join(map(_escaped, line))} |" for line in cells]
        ruler = "|".join(
            "---" if self._holds_text(column) else "---:" for column in self.columns
        )
        lines.insert(1, f"|{ruler}|")
        notes = "".join(f"\n{note}\n" for note in self.notes)
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n" + notes

    def csv(self) -> str:
        """Every value as it was measured, not rounded; not measured is empty."""
        content = io.StringIO()
        writer = csv.writer(content, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        for row in self.rows:
            writer.writerow([row.get(column.key) for column in self.columns])
        return content.getvalue()

    def _holds_text(self, column):
        return any(isinstance(row.get(column.key), str) for row in self.rows)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        label: its name in the legend.
        xs, ys: its points; a `None` among the ys is a gap.
        lows, highs: ends of the interval around each point, if there are intervals.
        style: which colour and marker, counted from 0; `None` is a grey dashed line
            without markers, for what was not measured.
        dashed: whether the line itself is dashed.
        note: text at the line's last point.
    """

    label: str | None
    xs: Sequence[float]
    ys: Sequence[float | None]
    lows: Sequence[float | None] | None = None
    highs: Sequence[float | None] | None = None
    style: int | None = None
    dashed: bool = False
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One chart of a picture.

    Attributes:
        title: above it.
        x_label, y_label: with units.
        lines: what is drawn.
        x_ticks: where the x axis is labelled, and with what; by itself if `None`.
        log_x, log_y: logarithmic axes.
        y_range: lowest and highest y; by itself if `None`.
        format_y: how y is labelled.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    x_ticks: dict[float, str] | None = None
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    format_y: Callable[[float], str] | None = None


def write_tables(path, tables: Sequence[Table]) -> list[Path]:
    """Writes one Markdown file of all tables, and a CSV file of each.

    Args:
        path: the Markdown file. The first table's CSV has its name, the others' add a
            number: results.md, results.csv, results-2.csv.
        tables: at least one.

    Returns:
        The files.
    """
    path = Path(path)
    contents = {path: "\n".join(table.markdown() for table in tables)}
    for number, table in enumerate(tables, 1):
        name = path.stem if number == 1 else f"{path.stem}-{number}"
        contents[path.with_name(f"{name}.csv")] = table.csv()
    for file, text in contents.items():
        with written_whole(file) as beside:
            beside.write_text(text, encoding="utf-8")
    return list(contents)


def draw(path, panels: Sequence[Panel], note: str = "") -> Path:
    """Draws panels side by side, with one legend for all of them.

    Args:
        path: file to write, ending in .png, .svg or .pdf.
        panels: at least one.
        note: small text below.

    Returns:
        The path.
    """
    path = Path(path)
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(6.4 * len(panels), 4.8), layout="constrained")
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(axes, panel)
        _legend(figure)
        if note:
            figure.supxlabel(note, fontsize=8, color="0.35")
        content = io.BytesIO()
        options = {"dpi": 150, "metadata": UNDATED[path.suffix]}
        figure.savefig(content, format=path.suffix[1:], **options)
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())
    return path


def _draw_panel(axes, panel):
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    if panel.log_x:
        axes.set_xscale("log", base=2)
    if panel.log_y:
        axes.set_yscale("log")
    for line in panel.lines:
        _draw_line(axes, line)
    if panel.y_range:
        axes.set_ylim(panel.y_range)
    if panel.x_ticks:
        axes.xaxis.set_major_locator(FixedLocator(list(panel.x_ticks)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(list(panel.x_ticks.values()))
    if panel.format_y:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: panel.format_y(y)))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: ""))


def _draw_line(axes, line):
    ys = [float("nan") if y is None else y for y in line.ys]
    if line.style is None:
        looks = {"color": "0.55", "linestyle": (0, (4, 3)), "linewidth": 1.0}
    else:
        looks = {
            "color": COLOURS[line.style % len(COLOURS)],
            "marker": MARKERS[line.style % len(MARKERS)],
            "linestyle": (0, (4, 2)) if line.dashed else "solid",
            "linewidth": 1.8,
            "markersize": 5.5,
        }
    axes.plot(line.xs, ys, label=line.label, **looks)
    if line.lows is not None:
        points = [
            point
            for point in zip(line.xs, line.lows, line.highs, strict=True)
            if point[1] is not None
        ]
        xs, lows, highs = zip(*points, strict=True) if points else ((), (), ())
        axes.vlines(xs, lows, highs, color=looks["color"], linewidth=1.2, alpha=0.7)
    if line.note:
        axes.annotate(
            line.note,
            (line.xs[-1], ys[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            color=looks["color"],
            fontsize=8.5,
            va="center",
        )


def _legend(figure):
    """One entry a name, above the panels."""
    entries = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside upper center",
            ncols=_columns(list(entries), figure.get_figwidth()),
        )


def _columns(labels, inches) -> int:
    """As many as fit: a character takes about a thirteenth of an inch."""
    each = 0.6 + max(map(len, labels)) / 13
    return max(1, min(len(labels), 4, int(inches / each)))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
