"""Tables hold what was measured, and pictures draw anything that it can be."""

import csv
import warnings

import pytest

from zoo.studies.report import Column, Line, Panel, Table, draw, write_tables

COLUMNS = [
    Column("layer", "layer", str.title),
    Column("seconds", "time, s", ".2f"),
    Column("skipped", "skipped"),
]
ROWS = [
    {"layer": "full", "seconds": 0.123456},
    {"layer": "a|b", "seconds": None, "skipped": "about 34 GB, over 14"},
]
TABLE = Table("Cost", COLUMNS, ROWS, ["A note."])


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_markdown_rounds_and_marks_what_was_not_measured():
    assert TABLE.markdown() == (
        "## Cost\n\n"
        "| layer | time, s | skipped |\n"
        "|---|---:|---|\n"
        "| Full | 0.12 | – |\n"
        "| A\\|B | – | about 34 GB, over 14 |\n"
        "\nA note.\n"
    )


def test_csv_keeps_every_digit():
    rows = list(csv.reader(TABLE.csv().splitlines()))
    assert rows == [
        ["layer", "seconds", "skipped"],
        ["full", "0.123456", ""],
        ["a|b", "", "about 34 GB, over 14"],
    ]


def test_tables_are_one_markdown_file_and_a_csv_each(tmp_path):
    files = write_tables(tmp_path / "cost.md", [TABLE, TABLE])
    assert sorted(path.name for path in files) == ["cost-2.csv", "cost.csv", "cost.md"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert (tmp_path / "cost.md").read_text(encoding="utf-8").count("## Cost") == 2


PANEL = Panel(
    "Time",
    "length (positions)",
    "seconds",
    [
        Line(None, [2, 4, 8], [1, 2, 4], note="∝ n"),
        Line("full", [2, 4, 8], [1.0, None, 3.0], [0.9, None, 2.8], [1, None, 3], 0),
        Line("none at all", [2, 4, 8], [None] * 3, [None] * 3, [None] * 3, 1),
        Line("dashed", [2, 4], [1, 2], style=9, dashed=True),
    ],
    x_ticks={2: "2", 4: "4", 8: "8\n$x"},
    log_x=True,
    log_y=True,
    format_y=lambda y: f"{y:g} s",
)
PLAIN = Panel("Share", "length", "%", [Line("a", [1], [0.5])], y_range=(0.0, 1.0))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_panels_give_the_same_bytes(tmp_path, suffix):
    first = draw(tmp_path / f"first{suffix}", [PANEL, PLAIN], "a note")
    second = draw(tmp_path / f"second{suffix}", [PANEL, PLAIN], "a note")
    assert len(first.read_bytes()) > 5_000
    assert first.read_bytes() == second.read_bytes()
