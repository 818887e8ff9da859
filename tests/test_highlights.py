"""Weights of pieces become weights of words, and every form shows them."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from zoo import highlights
from zoo.highlights import Highlight, split_words, word_weights

CHINESE = "装修很旧，房价也不便宜，根本达不到4星标准。"
ODD = "\x1b[31m <b>&\"' ]]> \x00 \ud800 $x$ 👨‍👩‍👧 مرحبا e\u0301 \u200b\ufeff"


def words_of(text):
    return [text[start:end] for start, end in split_words(text)]


def highlight(text, weights=None, title="positive 0.98", **more):
    spans = split_words(text)
    if weights is None:
        weights = np.arange(1, len(spans) + 1) / max(sum(range(len(spans) + 1)), 1)
    return Highlight(text, words_of(text), spans, weights, title, **more)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A film, well made.", ["A", "film", ",", "well", "made", "."]),
        ("don't it’s 'tis dogs' rock'n'roll", None),
        ("well-known", ["well", "-", "known"]),
        ("MP3 1000x ½ ２０", ["MP3", "1000x", "½", "２０"]),
        ("cafe\u0301s नमस्ते", ["cafe\u0301s", "नमस्ते"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("很好吃abc。", ["很", "好", "吃", "abc", "。"]),
        ("カメラを々ー", ["カ", "メ", "ラ", "を", "々", "ー"]),
        ("ｶﾒﾗ か\u3099", ["ｶ", "ﾒ", "ﾗ", "か\u3099"]),
        ("𠮷龘", ["𠮷", "龘"]),
        ("葛\U000e0100飾", ["葛\U000e0100", "飾"]),
        ("올해 수확은 ㅋㅋㅋ", ["올해", "수확은", "ㅋㅋㅋ"]),
        ("ดีมาก ครับ", ["ดีมาก", "ครับ"]),
        ("wow!!! :-)", ["wow", "!", "!", "!", ":", "-", ")"]),
        ("ok👍🏽👍", ["ok", "👍🏽", "👍"]),
        ("👨‍👩‍👧🙂", ["👨‍👩‍👧", "🙂"]),
        ("❤️☺", ["❤️", "☺"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("🏴\U000e0067\U000e0062\U000e007f", ["🏴\U000e0067\U000e0062\U000e007f"]),
        ("a\u00a0b\u3000c\u200bd\r\ne\x00f", ["a", "b", "c", "d", "e", "f"]),
        (" \n\t ", []),
        ("", []),
        ("\u0301a", ["\u0301", "a"]),
    ],
)
def test_words_are_what_a_reader_takes_for_one(text, words):
    if words is None:
        words = ["don't", "it’s", "'", "tis", "dogs", "'", "rock'n'roll"]
    assert words_of(text) == words


def test_words_cover_all_but_white_space_once_and_in_order():
    rng = np.random.default_rng(7)
    choices = list("ab'’ 中。!-\n\u200d\u0301\ufe0f👍🏽🇩3ก")
    for length in range(1, 60):
        text = "".join(rng.choice(choices, length))
        spans = split_words(text)
        assert all(start < end for start, end in spans)
        covered = [at for span in spans for at in range(*span)]
        expected = [at for at, each in enumerate(text) if not each.isspace()]
        assert covered == expected


def test_pieces_of_a_word_are_summed_and_special_pieces_are_left_over():
    # [CLS] go od ▁film [SEP]
    words, left_over = word_weights(
        "good film", [0, 0, 2, 4, 0], [0, 2, 4, 9, 0], [0.3, 0.1, 0.2, 0.3, 0.1]
    )
    assert words == [("good", pytest.approx(0.5)), ("film", pytest.approx(0.5))]
    assert left_over == pytest.approx(0.4)


def test_a_piece_across_words_is_spread_over_its_letters():
    words, left_over = word_weights("ab, c", [0, 4], [5, 5], [0.8, 0.2])
    # "ab, c" has four characters in words; the space before c takes nothing.
    assert words == [
        ("ab", pytest.approx(0.4)),
        (",", pytest.approx(0.2)),
        ("c", pytest.approx(0.4)),
    ]
    assert left_over == 0.0


def test_spans_are_bytes_and_may_be_parts_of_a_character():
    text = "é好!"  # two, three and one bytes
    starts, ends = [0, 2, 3, 4, 5], [2, 3, 4, 5, 6]
    words, _ = word_weights(text, starts, ends, [0.1, 0.2, 0.2, 0.2, 0.3])
    assert words == [
        ("é", pytest.approx(0.1)),
        ("好", pytest.approx(0.6)),
        ("!", pytest.approx(0.3)),
    ]


def test_pieces_may_share_one_span():
    words, _ = word_weights("fine film", [0, 0, 5], [4, 4, 9], [0.2, 0.3, 0.5])
    assert words == [("fine", pytest.approx(0.5)), ("film", pytest.approx(0.5))]


def test_white_space_alone_is_left_over():
    words, left_over = word_weights("a  b", [0, 1, 3], [1, 3, 4], [0.2, 0.5, 0.3])
    assert words == [("a", pytest.approx(0.4)), ("b", pytest.approx(0.6))]
    assert left_over == pytest.approx(0.5)


def test_weights_agree_with_a_count_byte_by_byte():
    rng = np.random.default_rng(13)
    for _ in range(50):
        text = "".join(rng.choice(list("abé 中。👍'"), 11))
        cuts = sorted(rng.integers(0, len(text) + 1, 4))
        sizes = [len(text[:cut].encode()) for cut in [0, *cuts, len(text)]]
        weights = rng.random(5)
        expected = [0.0] * len(split_words(text))
        for low, high, weight in zip(sizes[:-1], sizes[1:], weights, strict=True):
            inside = text.encode()[low:high].decode()
            before = len(text.encode()[:low].decode())
            places = range(before, before + len(inside))
            hits = [
                word
                for place in places
                for word, (start, end) in enumerate(split_words(text))
                if start <= place < end
            ]
            for word in hits:
                expected[word] += weight / len(hits)
        words, left_over = word_weights(text, sizes[:-1], sizes[1:], weights)
        found, total = [weight for _, weight in words], sum(expected)
        np.testing.assert_allclose(found, np.divide(expected, total or 1), atol=1e-12)
        assert left_over == pytest.approx(1 - total / weights.sum(), abs=1e-12)


def test_where_no_word_has_weight_all_are_zero():
    assert word_weights("a b", [0], [0], [1.0]) == ([("a", 0.0), ("b", 0.0)], 1.0)
    assert word_weights("a b", [0], [3], [0.0]) == ([("a", 0.0), ("b", 0.0)], 0.0)
    assert word_weights("", [], [], []) == ([], 0.0)


@pytest.mark.parametrize(
    ("starts", "ends", "weights", "message"),
    [
        ([0], [1, 2], [1.0], "one number a piece"),
        ([[0]], [[1]], [[1.0]], "without padding, and one head"),
        ([0], [1], [-0.5], "none below 0"),
        ([0], [1], [float("nan")], "after the softmax"),
        ([0], [9], [1.0], "expected spans from 0 to 4"),
        ([-1], [1], [1.0], "reach from -1"),
        ([2], [1], [1.0], "expected spans"),
    ],
)
def test_pieces_that_do_not_fit_the_text_are_refused(starts, ends, weights, message):
    with pytest.raises(ValueError, match=message):
        word_weights("好a", starts, ends, weights)


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


def styles_of(text):
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans}


def test_on_a_terminal_a_stronger_word_is_brighter():
    shown = highlight("a fine film .", [0.0, 0.6, 0.3, 0.1]).terminal()
    assert shown.plain.startswith("positive 0.98\na fine film .\nShade:")
    styles = styles_of(shown)
    assert "a" not in styles
    assert styles["fine"].startswith("bold ") and "bold" not in styles["."]

    def brightness(word):
        return sum(bytes.fromhex(styles[word].split("on #")[1]))

    assert brightness("fine") > brightness("film") > brightness(".")


def contrast(one, other):
    """WCAG's contrast of two colours such as #ffffff."""

    def luminance(colour):
        shares = np.array(list(bytes.fromhex(colour[1:]))) / 255
        linear = np.where(
            shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    low, high = sorted([luminance(one), luminance(other)])
    return high / low


def test_ink_is_readable_on_every_shade():
    weights = np.arange(1, 41) / np.arange(1, 41).sum()
    text = " ".join(f"w{number}" for number in range(40))
    made = highlight(text, weights)
    pairs = re.findall(r"(#\w+) on (#\w+)", str(made.terminal().spans))
    shades = re.findall(r"background:(#[0-9a-f]{6})", made.html())
    pairs += [(highlights.INK, shade) for shade in shades]
    assert len(pairs) >= 70
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def test_on_a_terminal_words_that_matter_are_underlined():
    made = highlight("a fine film", [0.2, 0.5, 0.3], without=[-0.9, 0.4, 0.1])
    styles = styles_of(made.terminal())
    underlined = [word for word, style in styles.items() if "underline" in style]
    assert underlined == ["fine"]
    assert "falls by 0.2 or more" in made.terminal().plain
    never = highlight("a fine film", [0.2, 0.5, 0.3], without=[-0.9, 0, -0.1])
    assert "underline" not in str(never.terminal().spans)
    assert "the score does not fall" in never.terminal().plain


def test_on_a_terminal_sentences_begin_lines_with_their_share():
    made = highlight("So so. Good end.", sentences=[(0, 6, 0.25), (7, 16, 0.75)])
    assert "\n0.25 ▌ So so.\n0.75 ▌ Good end.\n" in made.terminal().plain


@pytest.mark.parametrize("form", ["terminal", "plain", "html", "svg"])
def test_no_text_reaches_a_reader_as_a_command(form):
    made = highlight(ODD, title=ODD)
    shown = getattr(made, form)()
    shown = shown if isinstance(shown, str) else shown.plain
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", shown)
    if form in ("html", "svg"):
        assert "<b>" not in shown and "&lt;" in shown


def test_plain_lists_the_strongest_words_with_bars():
    made = highlight(
        "a fine film 好", [0.0, 0.4, 0.2, 0.4], without=[0.0, 0.31, -0.02, 0.0001]
    )
    assert made.plain().split("\n") == [
        "positive 0.98",
        "a fine film 好",
        "",
        f"0.400  fine  {'█' * 20}  without it the score falls by 0.310",
        f"0.400  好    {'█' * 20}  without it the score stays",
        f"0.200  film  {'█' * 10:20}  without it the score rises by 0.020",
    ]
    assert made.plain(most=1).count("█" * 10) == 2


def test_plain_lists_sentences():
    made = highlight("So so.\nGood\nend.", sentences=[(0, 6, 0.25), (7, 16, 0.75)])
    assert made.plain().endswith("0.250  sentence: So so.\n0.750  sentence: Good end.")


class Reader(HTMLParser):
    """Text, and what spans say, as a browser would read them."""

    def __init__(self, page):
        super().__init__()
        self.spans, self.text, self.tags = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "span":
            self.spans.append(dict(attributes))

    def handle_data(self, data):
        self.text += data


def test_html_holds_the_text_and_tells_every_number():
    text = "a <fine> film\n& more"
    made = highlight(
        text, [0, 0, 0.5, 0, 0.3, 0, 0.2], without=[0] * 4 + [0.1, -0.2, 0]
    )
    read = Reader(made.html())
    assert text in read.text and "positive 0.98" in read.text
    assert len(read.spans) == 7
    assert read.spans[2]["title"] == "attention 0.500; without it the score stays"
    assert read.spans[2]["style"] == f"background:{highlights.SHADE.lower()}"
    assert "falls by 0.100" in read.spans[4]["title"]
    assert f"solid {highlights.FALL}" in read.spans[4]["style"]
    assert f"dashed {highlights.RISE}" in read.spans[5]["style"]
    assert "background" not in read.spans[5]["style"]
    assert "style" not in read.spans[0]


def test_html_has_a_block_a_sentence():
    text = "Hm. So so. Good end."
    made = highlight(text, sentences=[(4, 10, 0.25), (11, 20, 0.75)])
    shown = made.html()
    assert shown.count("border-inline-start") == 2
    assert re.search(r"border-inline-start:10.0px.*0\.75</small>", shown)
    assert Reader(shown).tags.count("div") == 4


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
    assert fine.get("fill") == highlights.SHADE.lower()
    assert float(fine.get("x")) == words[1][0]
    assert float(fine.get("width")) == words[1][2]
    top = float(fine.get("y"))
    assert top < words[1][1] < top + float(fine.get("height"))
    assert {box.get("fill") for box in by_tip["attention 0.000"]} == {highlights.FALL}
    shade, *dashes = by_tip["attention 0.400"]
    assert shade.get("fill") != fine.get("fill")
    assert len(dashes) > 2 and {box.get("fill") for box in dashes} == {highlights.RISE}


def test_wider_characters_get_more_room():
    _, words, _ = svg_parts(highlight("好 i Ｗ e\u0301 e"))
    widths = [length for _, _, length, _ in words]
    assert widths[0] == widths[2] == highlights.FONT
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
    assert all(x + length <= highlights.WIDTH for x, _, length, _ in words)
    assert "".join("".join(line) for line in lines) == "see" + "x" * 333 + "end"


def test_line_breaks_of_the_text_are_kept():
    assert lines_of(highlight("a b\nc\r\n\r\nd")) == [["a", "b"], ["c"], ["d"]]


def test_right_to_left_text_begins_at_the_right():
    _, words, _ = svg_parts(highlight("هذا الفيلم جميل"))
    places = [x for x, *_ in words]
    assert places == sorted(places, reverse=True)
    right = words[0][0] + words[0][2]
    assert right == pytest.approx(highlights.WIDTH - highlights.MARGIN, abs=0.2)


def test_sentences_begin_lines_and_have_bars():
    text = "So so. Good end. " + "More words here. " * 12
    sentences = [(0, 6, 0.2), (7, 16, 0.5), (17, len(text) - 1, 0.3)]
    made = highlight(text, sentences=sentences)
    assert [line[0] for line in lines_of(made)][:3] == ["So", "Good", "More"]
    root, words, boxes = svg_parts(made)
    bars = [box for box in boxes if box.get("fill") == highlights.SENTENCE][:3]
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
    room = highlights.WIDTH - 2 * highlights.MARGIN
    assert 0.8 * room < len(title) * highlights.FONT <= room


def test_a_picture_without_end_is_cut_and_says_so():
    made = highlight("a\n" * 400)
    assert len(lines_of(made)) == highlights.LONGEST_PICTURE
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


def test_png_words_are_as_wide_as_their_shades(tmp_path, monkeypatch):
    """Ink of a strong word must not run beyond its shade."""
    from matplotlib.image import imread

    picture = imread(highlight("nevertheless", [1.0]).save(tmp_path / "a.png"))
    red, green, blue = np.moveaxis(np.round(picture[..., :3] * 255), -1, 0)
    shade = (red == 0xE6) & (green == 0x9F) & (blue == 0)
    rows = np.flatnonzero(shade.sum(axis=1) > 100)
    columns = np.flatnonzero(shade[rows].any(axis=0))
    around = picture[rows][:, columns[-1] + 2 :, :3]
    assert columns[-1] - columns[0] > 100
    assert (around == 1).all()


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
