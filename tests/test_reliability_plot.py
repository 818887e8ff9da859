"""Reliability diagrams are drawn from rows, whole, and the same every time."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from zoo.reliability_plot import plot_reliability


def row(lower, upper, examples, confidence, accuracy):
    return {
        "lower": lower,
        "upper": upper,
        "examples": examples,
        "confidence": confidence,
        "accuracy": accuracy,
    }


ROWS = [row(0.4, 0.6, 30, 0.55, 0.35), row(0.8, 1.0, 70, 0.95, 0.75)]
AFTER = [row(0.2, 0.4, 60, 0.35, 0.35), row(0.6, 0.8, 40, 0.75, 0.75)]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures, savefig = [], Figure.savefig

    def remember(self, *args, **kwargs):
        figures.append(self)
        savefig(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def bars(axes):
    return [
        (each.get_x(), each.get_x() + each.get_width(), each.get_height())
        for each in axes.patches
    ]


def test_bars_show_accuracy_and_examples_and_lines_confidence(tmp_path, drawn):
    plot_reliability(ROWS, tmp_path / "rows.png")
    above, below = drawn[0].axes
    assert bars(above) == [
        pytest.approx((0.4, 0.6, 0.35)),
        pytest.approx((0.8, 1.0, 0.75)),
    ]
    assert bars(below) == [pytest.approx((0.4, 0.6, 30)), pytest.approx((0.8, 1.0, 70))]
    heights = [segment[0][1] for segment in above.collections[0].get_segments()]
    assert heights == [0.55, 0.95]
    (diagonal,) = above.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert above.get_title() == "calibration error 0.200"
    assert below.get_xlabel() == "confidence (100 examples)"


def test_before_and_after_stand_side_by_side_on_one_scale(tmp_path, drawn):
    plot_reliability(ROWS, tmp_path / "both.png", AFTER)
    before, after, counts_before, counts_after = drawn[0].axes
    assert before.get_title() == "before temperature: calibration error 0.200"
    assert after.get_title() == "after: calibration error 0.000"
    assert before.get_xlim() == after.get_xlim() == (0, 1)
    assert before.get_ylim() == after.get_ylim() == (0, 1)
    assert counts_before.get_ylim() == counts_after.get_ylim()


def test_a_bar_stands_above_its_count(tmp_path, drawn):
    plot_reliability(ROWS, tmp_path / "rows.png")
    above, below = (axes.get_position() for axes in drawn[0].axes)
    assert (above.x0, above.x1) == pytest.approx((below.x0, below.x1))


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_the_suffix_chooses_the_format(tmp_path, suffix, start):
    path = tmp_path / f"rows{suffix}"
    assert plot_reliability(ROWS, str(path)) == path
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_the_path_is_checked_before_anything_else(tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        plot_reliability(None, tmp_path / "rows.jpg")
    with pytest.raises(FileNotFoundError, match="Make it first"):
        plot_reliability(None, tmp_path / "none" / "rows.png")


@pytest.mark.parametrize("sides", [([], None), (ROWS, [])])
def test_no_rows_are_refused(tmp_path, sides):
    with pytest.raises(ValueError, match="rows is empty"):
        plot_reliability(sides[0], tmp_path / "rows.png", sides[1])
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "rows.png"
    path.write_text("old")

    def no_space_left(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(Figure, "savefig", no_space_left)
    with pytest.raises(OSError, match="no space left"):
        plot_reliability(ROWS, path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_rows_give_the_same_bytes_whatever_the_users_style(tmp_path, suffix):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    plot_reliability(ROWS, first)
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black"}):
        plot_reliability(ROWS, second)
    assert first.read_bytes() == second.read_bytes()
    assert not re.search(rb"CreationDate|dc:date|tIME", first.read_bytes())


def test_drawing_needs_neither_pyplot_nor_a_framework(tmp_path):
    program = (
        "import sys; from zoo.reliability_plot import plot_reliability;"
        "row = dict(lower=0, upper=1, examples=1, confidence=1, accuracy=1);"
        "plot_reliability([row], sys.argv[1]);"
        "print({'matplotlib.pyplot', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    path = str(Path(tmp_path) / "rows.png")
    command = [sys.executable, "-W", "error", "-c", program, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
