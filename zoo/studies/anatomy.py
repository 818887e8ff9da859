"""Pictures of attention that need no training and no data, from the layers themselves.

Which keys a query may look at, how far two positions are from each other, and what
position schemes say about distance. Every matrix drawn is what a layer answers; the
functions that ask are public so that tests compare.
"""
# Sources: windows, Luong et al. (2015, https://arxiv.org/abs/1508.04025), section 3.2;
# path lengths, Vaswani et al. (2017, https://arxiv.org/abs/1706.03762), table 1;
# position schemes, see zoo/layers.
# Shape letters: B batch, Q query length, K key length, H heads, R relative distances,
# L length, C size.

import io
from pathlib import Path

import matplotlib.style
import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo.files import written_whole
from zoo.layers import (
    ALiBiPositions,
    AlignmentWindow,
    BucketedPositions,
    MultiHeadAttention,
    RotaryPositions,
    SinePositions,
    SinePositions2D,
)
from zoo.plots import STYLE, UNDATED
from zoo.studies.report import COLOURS

PICTURES = (
    "windows.png",
    "visibility.png",
    "heads.png",
    "positions.png",
    "positions_2d.png",
)

# Of windows.png: source length, real source words, D, and where the steps look for
# "local_p": a translation whose words stand in another order.
SOURCE, REAL, WIDTH = 16, 13, 2
CENTRES = (0.6, 9.3, 10.2, 11.4, 6.6, 7.5, 8.3, 1.7, 2.6, 3.7, 4.8, 11.8)
# Of visibility.png: length, real positions, window.
LENGTH, SEEN, REACH = 12, 9, 2
# Of heads.png: words.
FAR = 32
# Of positions.png.
HEADS, HEAD_SIZE, FARTHEST, SIZE, POSITIONS = 8, 64, 128, 64, 64
# Of positions_2d.png: an image inside a batch that is padded below and to the right.
HEIGHT, BREADTH, IMAGE, CELLS = 24, 32, (18, 26), ((3, 4), (9, 13), (16, 24))

PADDING = "0.82"
_STYLE = {**STYLE, "font.family": ["DejaVu Sans"], "font.size": 9.0}


def draw_anatomy(folder) -> list[Path]:
    """Draws windows, visibility, heads, position schemes and 2-D positions.

    Args:
        folder: made if there is none. Pictures of an earlier call are replaced.

    Returns:
        The pictures, in the order of `PICTURES`. The same versions of Keras and
        matplotlib give the same bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draws = {
        "windows.png": ((11.0, 3.6), _windows),
        "visibility.png": ((11.0, 6.0), _visibility),
        "heads.png": ((9.6, 5.0), _heads),
        "positions.png": ((9.6, 7.2), _positions),
        "positions_2d.png": ((11.0, 3.2), _positions_2d),
    }
    return [_save(folder / name, *draws[name]) for name in PICTURES]


# What the layers say.


def alignment_windows() -> dict:
    """What a decoder may look at through each window of Luong et al.

    Returns:
        By the name of the window, the factor on the weights: 0 where the mask hides a
        key, the Gaussian of "local_p", else 1; shape (target, source).
    """
    key_mask = np.arange(SOURCE)[None] < REAL
    # Queries of one number, such that the centres p_t = S sigmoid(4 tanh(query)).
    shares = np.array(CENTRES) / REAL
    logits = np.log(shares / (1 - shares))
    query = np.arctanh(logits / 4)[None, :, None].astype("float32")
    found = {}
    for name in ("global", "local_m", "local_p"):
        window = AlignmentWindow(name, WIDTH)
        window.build(query.shape)
        if name == "local_p":
            window.hidden_dense.set_weights([np.ones((1, 1))])
            window.centre_vector.assign(np.full(1, 4.0))
        mask, factor = window(query, num_keys=SOURCE, key_mask=key_mask)
        matrix = ops.cast(mask, "float32") * (1.0 if factor is None else factor)
        matrix = ops.convert_to_numpy(matrix)[0]
        found[name] = np.broadcast_to(matrix, (len(CENTRES), SOURCE))
    return found


def visible_weights() -> dict:
    """Where `MultiHeadAttention` has weight at all.

    Returns:
        By what is asked of it, booleans of shape (queries, keys).
    """
    masked = {"key_mask": np.arange(LENGTH)[None] < SEEN}
    asked = {
        "full": ({}, {}),
        "causal": ({"causal": True}, {}),
        "sliding window": ({"window_width": REACH}, {}),
        "padded keys": ({}, masked),
    }
    inputs = ops.ones((1, LENGTH, 8))
    found = {}
    for name, (options, masks) in asked.items():
        attention = MultiHeadAttention(num_heads=1, units=8, **options)
        _, weights = attention(inputs, return_weights=True, **masks)
        found[name] = ops.convert_to_numpy(weights)[0, 0] > 0
    return found


def steps_between(kind: str) -> np.ndarray:
    """Least number of layers or time steps that carry a word to another position.

    Args:
        kind: "recurrent" for one step a word, forwards and backwards, or a key of
            `visible_weights`, whose pattern is repeated layer upon layer.

    Returns:
        Integers, shape (positions, positions): 0 for a position and itself, -1 where
        nothing is carried.
    """
    if kind == "recurrent":
        return np.abs(np.arange(LENGTH)[:, None] - np.arange(LENGTH))
    one = visible_weights()[kind]
    steps = np.where(np.eye(LENGTH, dtype=bool), 0, -1)
    reached = np.eye(LENGTH, dtype=bool)
    for number in range(1, LENGTH):
        reached = reached @ one | reached
        steps[reached & (steps < 0)] = number
    return steps


def head_weights() -> np.ndarray:
    """Weights of eight causal heads over words that are all the same.

    Only where a word stands tells it from another, so what is seen is each head's own
    slope (ALiBi).

    Returns:
        Shape (heads, queries, keys).
    """
    attention = MultiHeadAttention(
        num_heads=HEADS, units=HEADS, causal=True, positions=ALiBiPositions()
    )
    attention.build((1, FAR, 1))
    # Equal words score the same whatever the weights are, but for the last bits.
    attention.set_weights([np.zeros(weight.shape) for weight in attention.weights])
    _, weights = attention(ops.ones((1, FAR, 1)), return_weights=True)
    return ops.convert_to_numpy(weights)[0]


def rotary_scores() -> tuple:
    """Scores of two equal vectors of ones, turned by their positions.

    Returns:
        Distances, and for each the score over its value at distance 0.
    """
    positions = RotaryPositions()
    positions.build((None, 1, None, HEAD_SIZE))
    ones = ops.ones((1, 1, FARTHEST + 1, HEAD_SIZE))
    turned_LC = ops.convert_to_numpy(positions.turn(ones))[0, 0]
    return np.arange(FARTHEST + 1), turned_LC @ turned_LC[0] / HEAD_SIZE


def alibi_biases() -> tuple:
    """Distances, and what ALiBi adds to each head's scores: shape (heads, R)."""
    positions = ALiBiPositions()
    positions.build((None, HEADS, None, HEAD_SIZE))
    distances_R = np.arange(-FARTHEST, 1)
    bias_HR = positions.relative_bias(ops.convert_to_tensor(distances_R, "int32"))
    return distances_R, ops.convert_to_numpy(bias_HR)


def t5_buckets(bidirectional: bool = True) -> tuple:
    """Distances, and the bucket of each, as the layer itself looks them up."""
    positions = BucketedPositions(bidirectional=bidirectional)
    positions.build((None, 1, None, HEAD_SIZE))
    # A table whose row number i holds i tells which row a distance takes.
    positions.set_weights([np.arange(positions.num_buckets, dtype="float32")[:, None]])
    distances_R = np.arange(-FARTHEST - 16, FARTHEST + 17)
    bias_HR = positions.relative_bias(ops.convert_to_tensor(distances_R, "int32"))
    return distances_R, ops.convert_to_numpy(bias_HR)[0].astype("int64")


def sine_similarity() -> np.ndarray:
    """Cosine of every pair of sine positions, shape (positions, positions)."""
    table_LC = SinePositions()(ops.zeros((1, POSITIONS, SIZE)))
    return _cosines(ops.convert_to_numpy(table_LC)[0])


def sine_similarity_2d() -> tuple:
    """Cosine of some cells' 2-D positions and those of all cells.

    Returns:
        Shape (cells, height, width), and the mask of the image in its padded batch.
    """
    mask_HW = np.zeros((HEIGHT, BREADTH), bool)
    mask_HW[: IMAGE[0], : IMAGE[1]] = True
    positions_HWC = ops.convert_to_numpy(SinePositions2D(256)(mask_HW[None]))[0]
    cosines = _cosines(positions_HWC.reshape(HEIGHT * BREADTH, 256))
    rows = [row * BREADTH + column for row, column in CELLS]
    return cosines[rows].reshape(len(CELLS), HEIGHT, BREADTH), mask_HW


def _cosines(table_LC):
    units_LC = table_LC / np.linalg.norm(table_LC, axis=-1, keepdims=True)
    return units_LC @ units_LC.T


# How it is drawn.


def _save(path, figure_size, fill) -> Path:
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=figure_size, layout="constrained")
        fill(figure)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=115, metadata=UNDATED[".png"])
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())
    return path


def _windows(figure):
    titles = {
        "global": "global: every source word",
        "local_m": f"local-m: p = t, D = {WIDTH}",
        "local_p": f"local-p: p told from the query, D = {WIDTH}",
    }
    found = alignment_windows()
    all_axes = figure.subplots(1, len(found), sharey=True)
    for axes, (name, matrix) in zip(all_axes, found.items(), strict=True):
        mesh = _cells(axes, matrix)
        _grey(axes, np.broadcast_to(np.arange(SOURCE) >= REAL, matrix.shape))
        steps = np.arange(len(CENTRES))
        centres = {"local_m": np.minimum(steps, REAL - 1), "local_p": CENTRES}
        if name in centres:
            dots = {"color": COLOURS[1], "s": 12, "label": "centre p of the window"}
            axes.scatter(centres[name], steps, **dots)
            axes.legend(**_BELOW)
        else:
            axes.scatter([], [], marker="s", color=PADDING, label="padding")
            axes.legend(**_BELOW)
        axes.set(title=titles[name], xlabel="source position s")
    all_axes[0].set_ylabel("target step t")
    figure.colorbar(mesh, ax=all_axes, label="factor on the weight", shrink=0.7)


def _visibility(figure):
    above, below = figure.subplots(2, 4)
    titles = {
        "full": "full",
        "causal": "causal",
        "sliding window": f"sliding window, {REACH} to each side",
        "padded keys": f"keys {SEEN} to {LENGTH - 1} are padding",
    }
    found = visible_weights()
    for axes, (name, visible) in zip(above, found.items(), strict=True):
        _cells(axes, 0.6 * visible)
        axes.set(title=titles[name], xlabel="key")
    _grey(above[3], np.broadcast_to(np.arange(LENGTH) >= SEEN, (LENGTH, LENGTH)))
    titles = {
        "full": "full: 1 layer",
        "causal": "causal: 1 layer",
        "sliding window": f"window of {REACH}: layers",
        "recurrent": "recurrent: time steps",
    }
    for axes, (name, title) in zip(below, titles.items(), strict=True):
        steps = steps_between(name)
        _cells(axes, np.maximum(steps, 0) / LENGTH * 0.75)
        _numbers(axes, steps)
        axes.set(title=title, xlabel="from position")
    above[0].set_ylabel("query\n(blue: sees the key)")
    below[0].set_ylabel("to position\n(number: steps between)")


def _heads(figure):
    all_axes = figure.subplots(2, HEADS // 2, sharex=True, sharey=True)
    weights_HQK = head_weights()
    looks = {"cmap": "Blues", "vmin": 0, "vmax": 0.5, "interpolation": "nearest"}
    for head, axes in enumerate(all_axes.flat):
        mesh = axes.imshow(weights_HQK[head], **looks)
        axes.set_title(f"head {head + 1}: slope 1/{2 ** (head + 1)}")
    for axes in all_axes[-1]:
        axes.set_xlabel("key")
    for axes in all_axes[:, 0]:
        axes.set_ylabel("query")
    label = "weight (0.5 and more: dark)"
    figure.colorbar(mesh, ax=all_axes, label=label, shrink=0.7, extend="max")


def _positions(figure):
    (rotary, alibi), (buckets, sine) = figure.subplots(2, 2)
    rotary.plot(*rotary_scores(), color=COLOURS[0])
    rotary.axhline(0, color="0.7", linewidth=0.8)
    rotary.set(
        title=f"RotaryPositions: equal vectors, head size {HEAD_SIZE}",
        xlabel="distance of query and key",
        ylabel="score, 1 at distance 0",
    )
    distances_R, bias_HR = alibi_biases()
    for head, bias_R in enumerate(bias_HR):
        shade = matplotlib.colormaps["viridis"](head / HEADS)
        alibi.plot(distances_R, bias_R, color=shade, label=f"1/{2 ** (head + 1)}")
    alibi.set(
        title=f"ALiBiPositions: {HEADS} heads",
        xlabel="position of the key - position of the query",
        ylabel="added to the score",
    )
    alibi.legend(title="slope", ncols=2, fontsize=8)
    for style, (both, label) in enumerate(((True, "both ways"), (False, "causal"))):
        looks = {"color": COLOURS[style], "where": "mid", "label": label}
        looks["linestyle"] = ("solid", (0, (4, 2)))[style]
        buckets.step(*t5_buckets(both), **looks)
    buckets.set(
        title="BucketedPositions (T5): 32 buckets",
        xlabel="position of the key - position of the query",
        ylabel="bucket",
    )
    buckets.legend()
    for axes in (rotary, alibi, buckets):
        axes.grid(color="0.9", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    mesh = sine.imshow(sine_similarity(), cmap="Blues", interpolation="nearest")
    sine.set(
        title=f"SinePositions: {SIZE} numbers",
        xlabel="position",
        ylabel="position",
    )
    figure.colorbar(mesh, ax=sine, label="cosine")


def _positions_2d(figure):
    cosines, mask_HW = sine_similarity_2d()
    all_axes = figure.subplots(1, len(CELLS), sharey=True)
    lowest = np.floor(10 * cosines[:, mask_HW].min()) / 10
    for axes, cosines_HW, (row, column) in zip(all_axes, cosines, CELLS, strict=True):
        looks = {"cmap": "Blues", "vmin": lowest, "vmax": 1, "interpolation": "nearest"}
        mesh = axes.imshow(cosines_HW, **looks)
        _grey(axes, ~mask_HW)
        axes.scatter([column], [row], marker="x", color=COLOURS[1], s=45)
        axes.text(13, 20.5, "padding", ha="center", va="center", color="0.35")
        axes.set(title=f"cell in row {row}, column {column}", xlabel="column")
    all_axes[0].set_ylabel("row")
    figure.colorbar(mesh, ax=all_axes, label="cosine with the cell at x", shrink=0.75)


_BELOW = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.16),
    "frameon": False,
    "handletextpad": 0.3,
}


def _cells(axes, matrix):
    """Numbers in [0, 1] as squares, positions counted from 0 at the upper left."""
    mesh = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    rows, columns = matrix.shape
    axes.set_xticks(np.arange(columns) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(7, integer=True))
    return mesh


def _grey(axes, where):
    layer = np.ma.masked_where(~where, np.ones(where.shape))
    axes.imshow(layer, cmap=ListedColormap([PADDING]), interpolation="nearest")


def _numbers(axes, steps):
    for (row, column), number in np.ndenumerate(steps):
        if number > 0:
            colour = "white" if number > 0.6 * LENGTH else "0.2"
            looks = {"ha": "center", "va": "center", "fontsize": 6.5, "color": colour}
            axes.text(column, row, str(number), **looks)
