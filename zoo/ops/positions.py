"""Sine positions: where something stands, as numbers to add to what it is."""
# Sources, where they differ:
# - "interleaved" is Vaswani et al. (2017, https://arxiv.org/abs/1706.03762, section
#   3.5): sine and cosine side by side, wavelengths from 2 pi to almost base x 2 pi.
# - "halves" has the same numbers with all sines before all cosines; Hugging Face runs
#   Marian's checkpoints with it.
# - "tensor2tensor" is what the paper's own code does, and Marian after it: halves, and
#   the exponents i / (n - 1) rather than i / n, so that the last one reaches the base.
# - `sine_positions_2d` is DETR's (Carion et al., 2020,
#   https://arxiv.org/abs/2005.12872, appendix A.4, and its code: epsilon, scale).

import numpy as np
from keras import ops

# Shape letters: B batch, H height, W width, L length, C size, F frequencies.

LAYOUTS = ("interleaved", "halves", "tensor2tensor")


def sine_positions(positions, size: int, base: float = 10000.0, layout="interleaved"):
    """Sines and cosines of positions at a geometric row of frequencies.

    Args:
        positions: numbers of any shape, such as 0, 1, 2, … along a sentence.
        size: how many numbers describe a position: even.
        base: the ratio of the longest wavelength to the shortest.
        layout: "interleaved", "halves" or "tensor2tensor", see the top of this file.

    Returns:
        Floats in [-1, 1], shape (*positions.shape, size), in float32.

    Raises:
        ValueError: `size` is odd or not positive, or no such layout.
    """
    if size < 2 or size % 2:
        raise ValueError(
            "size must be even and positive: each frequency has a sine and a cosine. "
            f"Received: size={size}."
        )
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {LAYOUTS}. Received: layout={layout}.")
    pairs = size // 2
    last = max(pairs - 1, 1) if layout == "tensor2tensor" else pairs
    # In float64: these factors are multiplied by positions in the hundreds.
    frequencies_F = np.power(float(base), -np.arange(pairs) / last)
    frequencies_F = ops.convert_to_tensor(frequencies_F, dtype="float32")
    positions = ops.expand_dims(ops.cast(positions, "float32"), -1)
    angles_F = positions * frequencies_F
    parts = [ops.sin(angles_F), ops.cos(angles_F)]
    if layout != "interleaved":
        return ops.concatenate(parts, axis=-1)
    stacked_F2 = ops.stack(parts, axis=-1)
    return ops.reshape(stacked_F2, (*ops.shape(angles_F)[:-1], size))


def sine_positions_2d(
    mask_BHW,
    size: int,
    temperature: float = 10000.0,
    scale: float = 2 * np.pi,
    epsilon: float = 1e-6,
):
    """Sine positions of the real cells of padded images.

    A cell's row and column are counted over real cells only and divided by how many
    there are in its own column and row, so they run up to `scale` whatever an image's
    size and however much its batch pads it.

    Args:
        mask_BHW: booleans, shape (batch, height, width), True = inside the image.
        size: how many numbers describe a cell, a multiple of 4: half of them say the
            row, then half the column, each half interleaved.
        temperature: `base` of `sine_positions`.
        scale: the number of the last row and column.
        epsilon: added to the counts: a row of padding counts nothing.

    Returns:
        Floats in [-1, 1], shape (batch, height, width, size), in float32.

    Raises:
        ValueError: `size` is not a positive multiple of 4.
    """
    if size < 4 or size % 4:
        raise ValueError(
            "size must be a positive multiple of 4: a sine and a cosine for each of "
            f"row and column. Received: size={size}."
        )
    real_BHW = ops.cast(mask_BHW, "float32")
    rows_BHW = ops.cumsum(real_BHW, axis=1)
    columns_BHW = ops.cumsum(real_BHW, axis=2)
    rows_BHW = rows_BHW / (rows_BHW[:, -1:, :] + epsilon) * scale
    columns_BHW = columns_BHW / (columns_BHW[:, :, -1:] + epsilon) * scale
    return ops.concatenate(
        [
            sine_positions(rows_BHW, size // 2, temperature),
            sine_positions(columns_BHW, size // 2, temperature),
        ],
        axis=-1,
    )


def place_sines(places, size: int, temperature: float = 20.0):
    """Sine positions of places in an image (Liu et al., 2022).

    https://arxiv.org/abs/2201.12329, section 4.5: of places in an image, which differ
    less than those in a sentence, the temperature is low.

    Args:
        places: pairs (x, y) in [0, 1], shape (..., 2).
        size: how many numbers describe a place, a multiple of 4: half of them say y,
            then half x, each half interleaved.
        temperature: `base` of `sine_positions`.

    Returns:
        Floats in [-1, 1], shape (..., size), in float32.
    """
    angles = places[..., ::-1] * (2 * np.pi)
    sines = sine_positions(angles, size // 2, temperature)
    return ops.reshape(sines, (*ops.shape(places)[:-1], size))


def cell_centres(mask_BHW, cells_BHW, stride: int):
    """Where the cells of a feature map stand in their image, and how large they are.

    Args:
        mask_BHW: booleans, shape (batch, height, width), True = inside the image.
        cells_BHW: the same of the map's cells, of which each is `stride` wide.
        stride: in pixels.

    Returns:
        Centres (x, y) and sizes (width, height) relative to the image without padding,
        each of shape (batch, map height, map width, 2), in float32; at most 1, and
        zeros outside the image.
    """
    cells_BHW1 = ops.cast(cells_BHW, "float32")[..., None]
    # The first row of an image tells its width, the first column its height.
    sides_B2 = ops.stack(
        [
            ops.sum(ops.cast(mask_BHW[:, 0], "float32"), axis=-1),
            ops.sum(ops.cast(mask_BHW[:, :, 0], "float32"), axis=-1),
        ],
        axis=-1,
    )
    sizes_B112 = stride / ops.maximum(sides_B2, 1.0)[:, None, None]
    _, height, width = ops.shape(cells_BHW)
    columns_HW, rows_HW = ops.meshgrid(ops.arange(width), ops.arange(height))
    places_HW2 = ops.cast(ops.stack([columns_HW, rows_HW], axis=-1), "float32") + 0.5
    centres_BHW2 = ops.minimum(places_HW2 * sizes_B112, 1.0)
    return centres_BHW2 * cells_BHW1, ops.minimum(sizes_B112, 1.0) * cells_BHW1
