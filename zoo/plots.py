"""Alignment heatmaps: which source words each word of a translation attended to.

Nothing here needs a display, TensorFlow or Keras: pieces and weights come from a task,
from a file or from the JSON answer of a server.
"""
# Shape letters: T target pieces, S source pieces.

import functools
import io
import re
import unicodedata
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font

from zoo.files import written_whole

FONT_FILE = Path(__file__).parent / "fonts" / "NotoSansSC-Subset.ttf"
FONT_FAMILIES = ["Noto Sans SC Subset", "DejaVu Sans"]  # matplotlib brings the second
STYLE = {
    "font.family": FONT_FAMILIES,
    "svg.fonttype": "path",
    "svg.hashsalt": "zoo",
    "text.parse_math": False,  # a "$" in a sentence is money, not mathematics
}
# By suffix, what the format would otherwise stamp with the time of writing.
UNDATED = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
CELL_INCHES, FONT_POINTS = 0.34, 10.0
LARGEST_INCHES = 40.0  # longer heatmaps shrink their cells and their text instead
LONGEST_LABEL = 40  # characters

_SPECIAL = re.compile(r"<[^<>\s]+>|>>[^<>\s]+<<|\[[A-Z]+\]")  # </s>, >>fra<<, [SEP]
_UNSPACED = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]")
_JOINERS = set("'’-‐‑")


def merge_pieces(pieces):
    """Group SentencePiece pieces into the words a reader sees.

    A piece that starts with the space mark ▁ begins a word; a piece of letters or
    digits without one continues the letters or digits before it. Labels of their own
    are special pieces (`</s>`), pieces with Chinese or Japanese characters, as those
    scripts put no spaces between words, and pieces of punctuation alone. An apostrophe
    or hyphen with letters or digits touching it on both sides stays inside its word:
    don't, well-known. A piece that is only space joins the piece after it, or, at the
    end, the word before it.

    Returns a list of `(word, slice)`: the text without ▁, and the pieces it came from.
    The slices cover every piece once and in order. A word is empty only where all
    pieces are spaces.
    """
    kinds = _kinds(pieces)
    words, start = [], 0
    for end in range(1, len(pieces) + 1):
        if end < len(pieces) and _continues(pieces, kinds, end):
            continue
        text = _text("".join(pieces[start:end]))
        if not text and words:
            text, before = words.pop()
            start = before.start
        words.append((text, slice(start, end)))
        start = end
    return words


def word_alignment(source_pieces, target_pieces, weights):
    """Turn the attention between pieces into the attention between words.

    The columns of a source word's pieces are summed: attending to a word is attending
    to any part of it. The rows of a target word's pieces are averaged, so that each row
    of the result is still a distribution over the source.

    Args:
        source_pieces: list of S str.
        target_pieces: list of T str.
        weights: shape (T, S), array or nested lists, in [0, 1]; each row sums to 1, to
            0 where there was nothing to attend to, or to less than 1 where source
            pieces such as `</s>` were left out.

    Returns:
        `(source_words, target_words, matrix)`: two lists of str, and a float64 array of
        shape (target words, source words).

    Raises:
        ValueError: for weights of another shape or range.
    """
    weights_TS = _checked(source_pieces, target_pieces, weights)
    source_words, columns = zip(*merge_pieces(source_pieces), strict=True)
    target_words, rows = zip(*merge_pieces(target_pieces), strict=True)
    summed = np.add.reduceat(weights_TS, [each.start for each in columns], axis=1)
    matrix = np.stack([summed[each].mean(axis=0) for each in rows])
    return list(source_words), list(target_words), matrix


def plot_alignment(
    source_pieces, target_pieces, weights, path, *, title=None, words=True
):
    """Draw the attention of a translation as a heatmap and save it.

    Target words are rows from top to bottom, source words are columns. Cells keep their
    size, so a long sentence makes a larger picture. The same arguments give the same
    bytes.

    Args:
        source_pieces, target_pieces, weights: as in `word_alignment`.
        path: file to write, ending in .png, .svg or .pdf; its folder must exist. The
            file is written whole or not at all.
        title: str or None, above the picture.
        words: whether to merge pieces into words; False draws the pieces as they are.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: for another suffix, or weights of another shape or range.
        FileNotFoundError: where the folder does not exist.
    """
    path = Path(path)
    check_path(path)
    if words:
        columns, rows, matrix = word_alignment(source_pieces, target_pieces, weights)
    else:
        columns, rows = source_pieces, target_pieces
        matrix = _checked(source_pieces, target_pieces, weights)
    with matplotlib.style.context(["default", STYLE]):
        figure = _heatmap(
            [drawable(word) for word in columns],
            [drawable(word) for word in rows],
            matrix,
        )
        if title is not None:
            figure.axes[0].set_title(drawable(title, longest=None), pad=10)
        content = rendered(figure, path.suffix.lower())
    with written_whole(path) as beside:
        beside.write_bytes(content)
    return path


def _text(piece):
    return piece.replace("▁", " ").strip()


def _kinds(pieces):
    kinds = [_kind(_text(piece)) for piece in pieces]
    inside = [
        index
        for index in range(1, len(pieces) - 1)
        if pieces[index] in _JOINERS
        and kinds[index - 1] == kinds[index + 1] == "letters"
        and not pieces[index + 1].startswith("▁")
    ]
    for index in inside:
        kinds[index] = "letters"
    return kinds


def _kind(text):
    if not text:
        return "space"
    if _SPECIAL.fullmatch(text):
        return "special"
    if _UNSPACED.search(text):
        return "unspaced"
    # Unicode's letters, marks (accents, vowel signs) and numbers.
    letters = any(unicodedata.category(character)[0] in "LMN" for character in text)
    return "letters" if letters else "punctuation"


def _continues(pieces, kinds, index):
    if kinds[index - 1] == "space":
        return True
    same_word = kinds[index - 1] == kinds[index] == "letters"
    return same_word and not pieces[index].startswith("▁")


def _checked(source_pieces, target_pieces, weights):
    expected = (len(target_pieces), len(source_pieces))
    try:
        weights_TS = np.asarray(weights, dtype="float64")
        passed = weights_TS.shape
    except ValueError:
        passed = "rows of different lengths"
    if passed != expected or 0 in expected:
        raise ValueError(
            f"weights has shape {passed}; expected {expected}: a row for each target "
            "piece and a column for each source piece, at least one of both. Pass one "
            "head of one sentence, without padding, and with the very pieces it is for."
        )
    # Weights rounded for JSON or kept in half precision do not sum to 1 exactly.
    lowest, highest = weights_TS.min(), weights_TS.sum(axis=1).max()
    if not (lowest >= -1e-3 and highest <= 1.05):  # NaN fails too
        raise ValueError(
            f"weights has a lowest value of {lowest:.3g} and a row that sums to "
            f"{highest:.3g}; expected values in [0, 1] and rows that sum to 1. Pass "
            "the weights after the softmax over the source, targets on rows."
        )
    return weights_TS


def check_path(path):
    """Checks that a picture can be written to a path.

    Raises:
        ValueError: the suffix is of no known format.
        FileNotFoundError: the folder does not exist.
    """
    if path.suffix.lower() not in UNDATED:
        raise ValueError(
            f"path is {str(path)!r}; expected a name ending in {', '.join(UNDATED)}, "
            "which chooses the format. Add one of them."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path is {str(path)!r}, but there is no folder {str(path.parent)!r}. Make "
            "it first, or choose a folder that exists."
        )


@functools.cache
def _characters():
    """Make the bundled font known to matplotlib; return what can be drawn."""
    fontManager.addfont(FONT_FILE)
    fonts = [get_font(findfont(family)) for family in FONT_FAMILIES]
    return frozenset(chr(code) for font in fonts for code in font.get_charmap())


def drawable(label, longest=LONGEST_LABEL):
    """The label, cut to so many characters, with � for what no font here has."""
    label = unicodedata.normalize("NFC", label)  # é in one glyph, from one font
    if longest and len(label) > longest:
        label = label[: longest - 1] + "…"
    known = _characters()
    return "".join(each if each in known else "\ufffd" for each in label)


def _heatmap(columns, rows, matrix):
    """The figure is exactly the cells; labels and colour bar hang outside of it."""
    cell = min(CELL_INCHES, LARGEST_INCHES / max(matrix.shape))
    points = FONT_POINTS * cell / CELL_INCHES
    figure = Figure(figsize=(cell * len(columns), cell * len(rows)))
    axes = figure.add_axes((0, 0, 1, 1))
    lines = {"edgecolors": "0.88", "linewidth": 0.5}
    mesh = axes.pcolormesh(matrix, cmap="Blues", vmin=0, vmax=1, **lines)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=points)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    fits = max(map(_ems, columns)) * points / 72 <= cell
    slant = {} if fits else {"rotation": 45, "ha": "left", "rotation_mode": "anchor"}
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, **slant)
    axes.spines[:].set(color="0.6", linewidth=0.5)
    _colour_bar(figure, mesh)
    return figure


def _colour_bar(figure, mesh):
    width, height = figure.get_size_inches()
    length = np.clip(height, 1.3, 2.5) / height
    bar = figure.add_axes((1 + 0.2 / width, 1 - length, 0.12 / width, length))
    figure.colorbar(mesh, cax=bar, label="attention weight", ticks=[0, 0.5, 1])
    bar.tick_params(length=2)
    bar.spines[:].set(color="0.6", linewidth=0.5)


def _ems(label):
    """A label's width, roughly, in units of the font size."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in label)
    return 0.55 * len(label) + 0.45 * wide


def rendered(figure, suffix):
    """The bytes of a figure as a file of that suffix, without the time of writing."""
    content, metadata = io.BytesIO(), UNDATED[suffix]
    options = {"dpi": 150, "bbox_inches": "tight", "metadata": metadata}
    figure.savefig(content, format=suffix[1:], **options)
    return content.getvalue()
