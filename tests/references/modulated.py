"""Spatially modulated cross-attention in plain NumPy, from Gao et al. (2021).

https://arxiv.org/abs/2101.07448, section 3.2, with centres and widths in sides of
the query's box. One image, one head, one query and one cell at a time, in float64;
weights are dictionaries by address.
"""

import math

import numpy as np

from tests.references import transformer
from tests.references.transformer import dense


def attention(queries, cells, boxes, places, visible, weights, address, num_heads):
    """Content, and the logarithm of a Gaussian for each head.

    Args:
        queries, cells: lists of vectors: what they hold.
        boxes: of the queries: (centre x, centre y, width, height).
        places: of the cells: (x, y).
        visible: of each cell whether it may be attended to.

    Returns:
        One vector a query, and the weights (heads, queries, cells).
    """

    def of(vectors, name):
        return [dense(vector, weights, f"{address}{name}") for vector in vectors]

    asked, keys, values = of(queries, "query"), of(cells, "key"), of(cells, "value")
    shifts, widths = of(queries, "shift"), of(queries, "width")
    size = len(values[0]) // num_heads
    seen = [k for k in range(len(cells)) if visible[k]]
    shares = np.zeros((num_heads, len(queries), len(cells)))
    outputs = []
    for q, (x, y, width, height) in enumerate(boxes):
        width, height = max(width, 0.01), max(height, 0.01)
        heads = []
        for h in range(num_heads):
            own = slice(h * size, (h + 1) * size)
            centre_x = x + shifts[q][2 * h] * width
            centre_y = y + shifts[q][2 * h + 1] * height
            across, down = (
                0.35 * math.exp(min(max(widths[q][2 * h + axis], -3), 3))
                for axis in range(2)
            )
            scores = []
            for k in seen:
                # The logarithm of the Gaussian, which may be too small to be a number.
                logarithm = -(
                    (places[k][0] - centre_x) ** 2 / (2 * (across * width) ** 2)
                    + (places[k][1] - centre_y) ** 2 / (2 * (down * height) ** 2)
                )
                content = asked[q][own] @ keys[k][own] / math.sqrt(size)
                scores.append(content + logarithm)
            shares[h, q, seen] = transformer.softmax(scores)
            heads.append(sum(shares[h, q, k] * values[k][own] for k in seen))
        outputs.append(dense(np.concatenate(heads), weights, f"{address}output"))
    return np.array(outputs), shares
