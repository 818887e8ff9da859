"""Pieces become words, weights follow them, and the picture is legible."""

import re
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager

from zoo import plots
from zoo.plots import merge_pieces, plot_alignment, word_alignment

ENGLISH = ["▁Know", "ledge", "▁is", "▁power", ".", "</s>"]
CHINESE = ["▁知识", "就是", "力量", "。", "</s>"]
WEIGHTS = [
    [0.62, 0.28, 0.05, 0.03, 0.01, 0.01],
    [0.10, 0.10, 0.55, 0.20, 0.03, 0.02],
    [0.05, 0.05, 0.10, 0.75, 0.03, 0.02],
    [0.02, 0.02, 0.02, 0.04, 0.80, 0.10],
    [0.01, 0.01, 0.02, 0.02, 0.14, 0.80],
]
SENTENCES = [
    "知识就是力量。",
    "今年农业丰收了，箱子底下有一张相片。",
    "“你好！”他说：《红楼梦》——第１２章（上）……",
    "外交部长星期三表示，气候变化的协议还不够；对吗？",
    "饕餮、貔貅、魑魅魍魉，鼾声如雷。",
]


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def words_of(pieces):
    return [word for word, _ in merge_pieces(pieces)]


def test_a_space_mark_begins_a_word_and_pieces_without_one_continue_it():
    pieces = ["▁inter", "national", "ization", "▁of", "▁text", "2", "3"]
    assert words_of(pieces) == ["internationalization", "of", "text23"]


def test_the_first_piece_needs_no_space_mark():
    assert words_of(["Know", "ledge", "▁is"]) == ["Knowledge", "is"]


def test_every_word_knows_the_pieces_it_came_from():
    assert merge_pieces(ENGLISH) == [
        ("Knowledge", slice(0, 2)),
        ("is", slice(2, 3)),
        ("power", slice(3, 4)),
        (".", slice(4, 5)),
        ("</s>", slice(5, 6)),
    ]


def test_chinese_stays_piece_by_piece():
    assert words_of(CHINESE) == ["知识", "就是", "力量", "。", "</s>"]


def test_japanese_kana_and_rare_han_stay_piece_by_piece():
    pieces = ["カメラ", "を", "a", "ｶﾒﾗ", "b", "𠮷", "c"]
    assert words_of(pieces) == pieces


def test_latin_letters_between_chinese_form_their_own_word():
    pieces = ["▁我", "用", "Py", "thon", "3", "写", "程序", "▁on", "line"]
    assert words_of(pieces) == ["我", "用", "Python3", "写", "程序", "online"]


def test_punctuation_is_a_label_of_its_own():
    pieces = ["▁(", "see", "▁be", "low", ")", ",", "▁“", "quoted", "”", "..."]
    assert words_of(pieces) == [
        "(",
        "see",
        "below",
        ")",
        ",",
        "“",
        "quoted",
        "”",
        "...",
    ]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["▁don", "'", "t", "▁go"], ["don't", "go"]),
        (["▁don", "’", "t"], ["don’t"]),
        (["▁it", "'s"], ["it's"]),
        (["▁well", "-", "know", "n"], ["well-known"]),
        (["▁the", "▁dogs", "'", "▁bones"], ["the", "dogs", "'", "bones"]),
        (["▁", "'", "quoted", "'", "."], ["'", "quoted", "'", "."]),
        (["▁中国", "-", "US"], ["中国", "-", "US"]),
    ],
)
def test_an_apostrophe_or_hyphen_stays_only_inside_a_word(pieces, words):
    assert words_of(pieces) == words


@pytest.mark.parametrize("special", ["</s>", "<unk>", ">>cmn_Hans<<", "[SEP]"])
def test_special_pieces_are_never_glued_to_their_neighbours(special):
    assert words_of(["▁a", special, "b", special]) == ["a", special, "b", special]


def test_an_accent_that_is_a_piece_of_its_own_stays_on_its_letter():
    assert words_of(["▁caf", "e", "\u0301", "s"]) == ["cafe\u0301s"]


def test_a_lone_space_mark_joins_the_piece_after_it():
    assert merge_pieces(["▁", "外交部", "长", "▁", "EU"]) == [
        ("外交部", slice(0, 2)),
        ("长", slice(2, 3)),
        ("EU", slice(3, 5)),
    ]


def test_a_lone_space_mark_at_the_end_joins_the_word_before_it():
    assert merge_pieces(["▁好", "。", "▁", "▁"]) == [
        ("好", slice(0, 1)),
        ("。", slice(1, 4)),
    ]


def test_slices_cover_every_piece_once_whatever_the_pieces():
    rng = np.random.default_rng(7)
    choices = ["▁", "", "▁a", "b", "中", "'", "-", ".", "</s>", "▁▁", "▁a▁b", "3"]
    for length in range(1, 41):
        pieces = list(rng.choice(choices, length))
        covered = [n for _, each in merge_pieces(pieces) for n in range(length)[each]]
        assert covered == list(range(length))
        assert all(words_of(["x", *pieces]))


def test_no_pieces_are_no_words():
    assert merge_pieces([]) == []


def test_source_columns_are_summed_and_target_rows_are_averaged():
    source, target, matrix = word_alignment(
        ["▁a", "b", "▁c"],
        ["▁x", "y", "▁z"],
        [[0.1, 0.3, 0.6], [0.5, 0.1, 0.4], [0.0, 1.0, 0.0]],
    )
    assert (source, target) == (["ab", "c"], ["xy", "z"])
    np.testing.assert_allclose(matrix, [[0.5, 0.5], [1.0, 0.0]])


def test_the_example_adds_up_by_hand():
    source, target, matrix = word_alignment(ENGLISH, CHINESE, WEIGHTS)
    assert source == ["Knowledge", "is", "power", ".", "</s>"]
    assert target == ["知识", "就是", "力量", "。", "</s>"]
    np.testing.assert_allclose(matrix[0], [0.90, 0.05, 0.03, 0.01, 0.01])
    np.testing.assert_allclose(matrix[:, 0], [0.90, 0.20, 0.10, 0.04, 0.02])


def test_every_row_of_words_is_still_a_distribution():
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.ones(6), 5).astype("float32")
    weights[4] = 0  # nothing to attend to
    _, _, matrix = word_alignment(ENGLISH, CHINESE, weights)
    np.testing.assert_allclose(matrix.sum(axis=1), [1, 1, 1, 1, 0], rtol=1e-6)


@pytest.mark.parametrize(
    "weights",
    [
        np.full((6, 5), 0.1),
        np.full((1, 5, 6), 0.1),
        np.full(6, 0.1),
        [[0.1] * 6] * 4 + [[0.1] * 5],
    ],
    ids=["transposed", "batched", "one row", "ragged"],
)
def test_another_shape_is_refused_with_what_to_do(weights):
    with pytest.raises(ValueError, match=r"expected \(5, 6\).*Pass one head"):
        word_alignment(ENGLISH, CHINESE, weights)


def test_an_empty_side_is_refused():
    with pytest.raises(ValueError, match="at least one of both"):
        word_alignment([], CHINESE, np.zeros((5, 0)))


@pytest.mark.parametrize(
    "row", [[-0.5, 0.5], [1.0, 1.0], [3.2, -1.0], [float("nan"), 0.0]]
)
def test_scores_that_are_no_distribution_are_refused(row):
    with pytest.raises(ValueError, match="after the softmax"):
        word_alignment(["▁a", "▁b"], ["▁c"], [row])


def test_weights_rounded_for_json_are_accepted():
    word_alignment(["▁a", "▁b", "▁c"], ["▁d"], [[0.334, 0.334, 0.334]])


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".png", b"\x89PNG"), (".PNG", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")],
)
def test_the_suffix_chooses_the_format(tmp_path, suffix, start):
    path = tmp_path / f"alignment{suffix}"
    assert plot_alignment(ENGLISH, CHINESE, WEIGHTS, str(path)) == path
    content = path.read_bytes()
    assert content.startswith(start) and len(content) > 8_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["alignment.jpg", "alignment", ".png"])
def test_another_suffix_is_refused_by_name(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        plot_alignment(ENGLISH, CHINESE, WEIGHTS, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_error_and_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder.*Make it first"):
        plot_alignment(ENGLISH, CHINESE, WEIGHTS, tmp_path / "none" / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "alignment.png"
    path.write_text("old")

    def no_space_left(self, content):
        self.open("w").close()
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", no_space_left)
    with pytest.raises(OSError, match="no space left"):
        plot_alignment(ENGLISH, CHINESE, WEIGHTS, path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "alignment.png"
    folder.mkdir()
    with pytest.raises(OSError):
        plot_alignment(ENGLISH, CHINESE, WEIGHTS, folder)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_input_gives_the_same_bytes_whatever_the_users_style(tmp_path, suffix):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    plot_alignment(ENGLISH, CHINESE, WEIGHTS, first, title="知识")
    style = {"font.size": 31, "axes.facecolor": "black", "savefig.transparent": True}
    with matplotlib.rc_context(style):
        plot_alignment(ENGLISH, CHINESE, np.array(WEIGHTS), second, title="知识")
        assert matplotlib.rcParams["font.size"] == 31
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_file_does_not_tell_when_it_was_written(tmp_path, suffix):
    path = plot_alignment(ENGLISH, CHINESE, WEIGHTS, tmp_path / f"alignment{suffix}")
    assert not re.search(rb"CreationDate|dc:date|tIME", path.read_bytes())


def test_svg_text_is_drawn_as_paths(tmp_path):
    path = plot_alignment(ENGLISH, CHINESE, WEIGHTS, tmp_path / "alignment.svg")
    svg = path.read_text(encoding="utf-8")
    assert "<text" not in svg and "font-family" not in svg


def test_svg_is_well_formed_whatever_the_labels(tmp_path):
    pieces = ["▁--", "▁-->", "▁<b>", "▁&", '▁"', "]]>", "\x01"]
    path = tmp_path / "odd.svg"
    plot_alignment(pieces, pieces, np.eye(7), path, title="--><script>")
    assert not [each for each in ElementTree.parse(path).iter() if "script" in each.tag]


def size_of(path):
    header = path.read_bytes()[16:24]
    return int.from_bytes(header[:4]), int.from_bytes(header[4:])


def test_long_sentences_grow_the_picture_up_to_a_cap(tmp_path):
    def width(length):
        path = tmp_path / f"{length}.png"
        weights = np.full((1, length), 1 / length)
        return size_of(plot_alignment(["▁a"] * length, ["▁b"], weights, path))[0]

    assert abs(width(23) - width(13) - 10 * plots.CELL_INCHES * 150) <= 2
    assert width(151) < (plots.LARGEST_INCHES + 2) * 150


def test_a_label_without_end_is_cut_short(tmp_path):
    path = plot_alignment(["▁a"], ["▁" + "b" * 3_000], [[1]], tmp_path / "long.png")
    assert size_of(path)[0] < 6 * 150


def test_pieces_are_drawn_as_they_are_when_words_are_not_wanted(tmp_path):
    merged = plot_alignment(ENGLISH, CHINESE, WEIGHTS, tmp_path / "words.png")
    pieces = plot_alignment(
        ENGLISH, CHINESE, WEIGHTS, tmp_path / "pieces.png", words=False
    )
    extra = size_of(pieces)[0] - size_of(merged)[0]
    assert extra > 0.9 * plots.CELL_INCHES * 150


def test_the_bundled_font_has_every_character_of_chinese_sentences():
    known = TTFont(plots.FONT_FILE).getBestCmap()
    assert not [each for each in "".join(SENTENCES) + "▁" if ord(each) not in known]


def test_the_bundled_font_has_all_of_gb2312_and_latin_1():
    known = TTFont(plots.FONT_FILE).getBestCmap()
    pairs = (bytes([a, b]) for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF))
    hanzi = "".join(pair.decode("gb2312", "ignore") for pair in pairs)
    latin = [chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x100))]
    assert len(hanzi) == 6763
    assert not [each for each in [*hanzi, *latin] if ord(each) not in known]


def test_what_the_bundled_font_lacks_comes_from_the_other():
    assert plots.drawable("łódź, tiếng Việt, Ж") == "łódź, tiếng Việt, Ж"


def test_an_accent_is_drawn_as_one_glyph_with_its_letter():
    assert plots.drawable("cafe\u0301") == "café"


def test_labels_use_the_bundled_font():
    plots._characters()
    found = font_manager.findfont("Noto Sans SC Subset", fallback_to_default=False)
    assert Path(found) == plots.FONT_FILE


def test_the_font_comes_with_its_licence():
    licence = (plots.FONT_FILE.parent / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_no_text_raises_or_warns(tmp_path, suffix):
    odd = [
        "▁$x$",
        "\x00\n",
        "\ud800",
        "🀄🤗",
        "𠮷龘",
        "مرحبا",
        "हिन्दी",
        "e\u0301\u200b",
    ]
    pieces = [*odd, "tiếng", r"$\frac$"]
    weights = np.eye(len(pieces))
    for words in (True, False):
        path = tmp_path / f"odd{suffix}"
        plot_alignment(pieces, pieces, weights, path, title="$\n\ud800", words=words)
        assert path.stat().st_size > 8_000


def test_only_characters_in_neither_font_become_boxes():
    assert plots.drawable("力量\n🤗") == "力量\ufffd\ufffd"


def test_drawing_needs_neither_pyplot_nor_a_framework(tmp_path):
    program = (
        "import sys; from zoo.plots import plot_alignment;"
        "plot_alignment(['a'], ['b'], [[1]], sys.argv[1]);"
        "print({'matplotlib.pyplot', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
