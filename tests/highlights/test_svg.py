"""Where words, shades and bars stand in a picture, as its SVG tells."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.highlights.making import highlight
from zoo.highlights.drawing import FONT, LONGEST_PICTURE, MARGIN, WIDTH
from zoo.highlights.style import FALL, RISE, SENTENCE, SHADE

NAMESPACE = "{http://www.w3.org/2000/svg}"


def svg_parts(made):
    """The labels of words, as (x, baseline, width, word), and the boxes."""
    root = ElementTree.fromstring(made.svg())
    words = [
        (*(float(each.get(name)) for name in ("x", "y", "textLength")), each.text)
        for each in root.iter(f"{NAMESPACE}text")
        if each.get("textLength")
    ]
    return root, words, list(root.iter(f"{NAMESPACE}rect"))


def lines_of(made):
    lines = {}
    for _, baseline, _, word in svg_parts(made)[1]:
        lines.setdefault(baseline, []).append(word)
    return list(lines.values())


def test_svg_holds_every_word_once_inside_the_picture():
    rng = np.random.default_rng(1)
    vocabulary = ["a", "film", "wonderful", "—", "nevertheless", "I", "MMM", "好"]
    text = " ".join(rng.choice(vocabulary, 307))
    made = highlight(text)
    root, words, _ = svg_parts(made)
    assert [word for *_, word in words] == made.words
    width, height = map(float, root.get("viewBox").split()[2:])
    assert all(x >= 0 and x + length <= width for x, _, length, _ in words)
    assert all(0 < baseline < height for _, baseline, _, _ in words)
    for (x, y, length, _), (next_x, next_y, *_) in pairwise(words):
        assert next_y > y or next_x >= x + length - 0.2  # no word upon another
    assert len(lines_of(made)) > 10


def test_svg_shades_stand_under_their_words():
    made = highlight("a fine film", [0.0, 0.6, 0.4], without=[0.5, 0, -0.3])
    _, words, boxes = svg_parts(made)
    by_tip = {}
    for box in boxes:
        if (tip := box.find(f"{NAMESPACE}title")) is not None:
            by_tip.setdefault(tip.text.split(";")[0], []).append(box)
    (fine,) = by_tip["attention 0.600"]
    assert fine.get("fill") == SHADE.lower()
    assert float(fine.get("x")) == words[1][0]
    assert float(fine.get("width")) == words[1][2]
    top = float(fine.get("y"))
    assert top < words[1][1] < top + float(fine.get("height"))
    assert {box.get("fill") for box in by_tip["attention 0.000"]} == {FALL}
    shade, *dashes = by_tip["attention 0.400"]
    assert shade.get("fill") != fine.get("fill")
    assert len(dashes) > 2 and {box.get("fill") for box in dashes} == {RISE}


def test_wider_characters_get_more_room():
    _, words, _ = svg_parts(highlight("好 i Ｗ e\u0301 e"))
    widths = [length for _, _, length, _ in words]
    assert widths[0] == widths[2] == FONT
    assert widths[1] < widths[4] == widths[3] < widths[0]


def test_lines_break_between_chinese_characters_but_not_before_punctuation():
    for length in range(36, 46):  # some of which fill the line to its last place
        lines = lines_of(highlight("字" * length + "，" + "字" * 9))
        assert len(lines) == 2 and lines[1][0] == "字"
        lines = lines_of(highlight("字" * length + "（" + "字" * 9))
        assert len(lines) == 2 and lines[0][-1] == "字"


def test_a_word_stays_with_the_punctuation_that_touches_it():
    lines = lines_of(highlight("(well-known)! " * 30))
    assert len(lines) > 2
    assert {tuple(line[:5]) for line in lines} == {("(", "well", "-", "known", ")")}


def test_a_word_longer_than_a_line_is_cut_in_parts():
    made = highlight("see " + "x" * 333 + " end")
    lines, (_, words, _) = lines_of(made), svg_parts(made)
    assert all(x + length <= WIDTH for x, _, length, _ in words)
    assert "".join("".join(line) for line in lines) == "see" + "x" * 333 + "end"


def test_line_breaks_of_the_text_are_kept():
    assert lines_of(highlight("a b\nc\r\n\r\nd")) == [["a", "b"], ["c"], ["d"]]


def test_right_to_left_text_begins_at_the_right():
    _, words, _ = svg_parts(highlight("هذا الفيلم جميل"))
    places = [x for x, *_ in words]
    assert places == sorted(places, reverse=True)
    right = words[0][0] + words[0][2]
    assert right == pytest.approx(WIDTH - MARGIN, abs=0.2)


def test_sentences_begin_lines_and_have_bars():
    text = "So so. Good end. " + "More words here. " * 12
    sentences = [(0, 6, 0.2), (7, 16, 0.5), (17, len(text) - 1, 0.3)]
    made = highlight(text, sentences=sentences)
    assert [line[0] for line in lines_of(made)][:3] == ["So", "Good", "More"]
    root, words, boxes = svg_parts(made)
    bars = [box for box in boxes if box.get("fill") == SENTENCE][:3]
    widths = [float(bar.get("width")) for bar in bars]
    assert widths[1] > widths[2] > widths[0]
    heights = [float(bar.get("height")) for bar in bars]
    assert heights[2] > 2 * heights[1] == 2 * heights[0]
    shares = [each.text for each in root.iter(f"{NAMESPACE}text")]
    assert {"0.20", "0.50", "0.30"} <= set(shares)
    assert min(x for x, *_ in words) > max(float(bar.get("x")) for bar in bars) + 14


def test_a_title_is_cut_to_the_picture():
    made = highlight("a b", title="知识" * 100)
    title = next(svg_parts(made)[0].iter(f"{NAMESPACE}text")).text
    assert title.endswith("知…") or title.endswith("识…")
    room = WIDTH - 2 * MARGIN
    assert 0.8 * room < len(title) * FONT <= room


def test_a_picture_without_end_is_cut_and_says_so():
    made = highlight("a\n" * 400)
    assert len(lines_of(made)) == LONGEST_PICTURE
    assert "… the first 300 lines" in made.svg()
    assert "… the first" not in highlight("a\n" * 299).svg()


def test_the_legend_explains_only_what_is_shown():
    bare = highlight("a b").svg()
    assert "Shade:" in bare and "Line:" not in bare and "Bar and number" not in bare
    full = highlight("a b", without=[0.25, 0.1], sentences=[(0, 3, 1.0)]).svg()
    assert "the score falls without the word, up to 0.25.<" in full
    assert "Bar and number: the sentence's share" in full.replace("&#x27;", "'")
    rising = highlight("a b", without=[0.25, -0.1]).svg()
    assert "up to 0.25; dashed where it rises, up to 0.1." in rising
