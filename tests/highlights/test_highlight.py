"""What a highlight holds, and the files that it is written to."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from tests.highlights.making import ODD, highlight
from zoo.highlights import Highlight, split_words

CHINESE = "装修很旧，房价也不便宜，根本达不到4星标准。"


def test_a_highlight_is_made_from_pieces():
    made = Highlight.from_pieces(
        "good film", [0, 0, 4], [0, 4, 9], [0.5, 0.4, 0.1], "positive", [0.2, -0.1]
    )
    assert made.words == ["good", "film"] and made.spans == [(0, 4), (5, 9)]
    np.testing.assert_allclose(made.weights, [0.8, 0.2])
    np.testing.assert_allclose(made.without, [0.2, -0.1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0]}, r"\[2, 2, 1\] entries"),
        ({"without": [1.0]}, r"\[2, 2, 2, 1\] entries"),
        ({"words": ["good", "fil"]}, "not what spans of the text hold"),
        ({"weights": [-0.1, 0.5]}, "lowest value of -0.1"),
        ({"weights": [0.9, 0.9]}, "sums to 1.8"),
        ({"weights": [float("nan"), 0.5]}, "expected shares"),
        ({"without": [float("inf"), 0.5]}, "not finite"),
        ({"sentences": [(0, 10, 1.0)]}, "sentences"),
        ({"sentences": [(0, 4, -1.0)]}, "sentences"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    parts = {"words": ["good", "film"], "spans": [(0, 4), (5, 9)], "title": ""}
    parts |= {"text": "good film", "weights": [0.5, 0.5]}
    Highlight(**parts)
    with pytest.raises(ValueError, match=message):
        Highlight(**parts | change)


@pytest.mark.parametrize("form", ["terminal", "plain", "html", "svg"])
def test_no_text_reaches_a_reader_as_a_command(form):
    made = highlight(ODD, title=ODD)
    shown = getattr(made, form)()
    shown = shown if isinstance(shown, str) else shown.plain
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", shown)
    if form in ("html", "svg"):
        assert "<b>" not in shown and "&lt;" in shown


@pytest.mark.parametrize("text", ["", " ", ODD, "😀", "a" * 5_000])
def test_no_text_fails_in_any_form(tmp_path, text):
    made = highlight(text, title=text)
    assert made.terminal() and isinstance(made.plain(), str) and made.html()
    ElementTree.fromstring(made.svg())
    made.save(tmp_path / "odd.png")


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".html", b"<!DOCTYPE"),
        (".svg", b"<svg"),
        (".PNG", b"\x89PNG"),
        (".pdf", b"%PDF"),
    ],
)
def test_the_suffix_chooses_the_format(tmp_path, suffix, start):
    made = highlight(CHINESE, without=np.zeros(len(split_words(CHINESE))))
    path = tmp_path / f"made{suffix}"
    assert made.save(str(path)) == path
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "black"}):
        made.save(tmp_path / "again.png").rename(tmp_path / f"again{suffix}")
        made.save(tmp_path / f"again{suffix}")
    assert path.read_bytes() == (tmp_path / f"again{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["made.jpg", "made", ".png"])
def test_another_suffix_is_refused_by_name(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.html, \.svg, \.png, \.pdf"):
        highlight("a").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_error_and_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder.*Make it first"):
        highlight("a").save(tmp_path / "none" / "a.html")
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "made.svg"
    path.write_text("old")

    def no_space_left(self, content):
        self.open("w").close()
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", no_space_left)
    with pytest.raises(OSError, match="no space left"):
        highlight("a").save(path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


def test_a_page_needs_no_matplotlib_and_no_framework(tmp_path):
    program = (
        "import sys; from zoo.highlights import Highlight;"
        "made = Highlight.from_pieces('a', [0], [1], [1.0], 'x');"
        "made.save(sys.argv[1]); made.svg(); made.terminal();"
        "print({'matplotlib', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "a.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
