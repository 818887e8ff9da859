"""Conditional cross-attention and a decoder's block with it, in plain NumPy.

Meng et al. (2021, https://arxiv.org/abs/2108.06152), section 3.3, and Liu et al. (2022,
https://arxiv.org/abs/2201.12329), section 4. One image, one head, one query and one
cell at a time, in float64. Matrices multiply from the right, as in Keras; weights are
dictionaries by address.
"""

import math

import numpy as np

from tests.references import transformer
from tests.references.transformer import dense


def attention(
    queries, cells, query_places, cell_places, visible, weights, address, num_heads
):
    """Content and position apart: "q is the concatenation of c_q and p_q".

    Args:
        queries, cells: lists of vectors: what they hold.
        query_places, cell_places: lists of vectors: where they are.
        visible: of each cell whether it may be attended to.

    Returns:
        One vector a query, and the weights (heads, queries, cells).
    """

    def of(vectors, name):
        return [dense(vector, weights, f"{address}{name}") for vector in vectors]

    content = of(queries, "query"), of(cells, "key")
    places = of(query_places, "query_position"), of(cell_places, "key_position")
    values = of(cells, "value")
    size = len(values[0]) // num_heads
    seen = [k for k in range(len(cells)) if visible[k]]
    shares = np.zeros((num_heads, len(queries), len(cells)))
    outputs = []
    for q in range(len(queries)):
        heads = []
        for h in range(num_heads):
            own = slice(h * size, (h + 1) * size)
            scores = [
                # Equation 4: content by content, and position by position.
                (
                    content[0][q][own] @ content[1][k][own]
                    + places[0][q][own] @ places[1][k][own]
                )
                / math.sqrt(2 * size)
                for k in seen
            ]
            shares[h, q, seen] = transformer.softmax(scores)
            heads.append(sum(shares[h, q, k] * values[k][own] for k in seen))
        outputs.append(dense(np.concatenate(heads), weights, f"{address}output"))
    return np.array(outputs), shares


def scaled_attention(
    queries, cells, boxes, places, visible, weights, address, num_heads
):
    """Of sine positions of centres and cells, scaled by what a query holds.

    Args:
        boxes: of the queries: (centre x, centre y, width, height).
        places: of the cells: (x, y).
    """
    # The block's, beside the attention.
    own = address.removesuffix("cross_attention/")
    scaled = []
    for query, box in zip(queries, boxes, strict=True):
        # Equation 9: what a query holds scales its centre's position.
        hidden = np.maximum(dense(query, weights, f"{own}centre_scale_0"), 0)
        scale = dense(hidden, weights, f"{own}centre_scale_1")
        scaled.append(scale * sines(box[:2], len(scale)))
    cell_places = [sines(place, len(scaled[0])) for place in places]
    return attention(
        queries, cells, scaled, cell_places, visible, weights, address, num_heads
    )


def sines(place, size):
    """Liu et al. (2022), section 4.4, temperature 20; y before x, as in DETR."""
    found = []
    for number in (place[1], place[0]):
        for pair in range(size // 4):
            angle = 2 * math.pi * number / 20 ** (pair / (size // 4))
            found += [math.sin(angle), math.cos(angle)]
    return np.array(found)


def decoder_block(
    look,
    stream,
    cells,
    positions,
    boxes,
    places,
    visible,
    sees,
    weights,
    num_heads,
    epsilon,
):
    """One block: normalised after every sum.

    Args:
        look: the attention to cells, like `scaled_attention`.
        stream: what the queries hold, (queries, units).
        positions: added to queries and keys of self-attention.
        boxes: the anchors.
        places: of the cells, (x, y).
        sees: booleans (queries, queries).

    Returns:
        (queries, units), and the weights (heads, queries, cells).
    """

    def summed(inputs, updates, norm):
        rows = zip(inputs, updates, strict=True)
        return [
            transformer.layer_norm(row + update, weights, norm, epsilon)
            for row, update in rows
        ]

    moved = [x + place for x, place in zip(stream, positions, strict=True)]
    updates, _ = transformer.attention(
        moved,
        moved,
        stream,
        lambda q, k: sees[q, k],
        weights,
        "self_attention",
        num_heads,
    )
    stream = summed(stream, updates, "self_attention_norm")
    updates, shares = look(
        stream,
        cells,
        boxes,
        places,
        visible,
        weights,
        "cross_attention/",
        num_heads,
    )
    stream = summed(stream, updates, "cross_attention_norm")
    updates = [
        transformer.feed_forward(x, weights, "feed_forward", transformer.relu)
        for x in stream
    ]
    return np.array(summed(stream, updates, "feed_forward_norm")), shares
