"""Sine positions in plain Python, number by number, in float64."""

import math

import numpy as np


def interleaved(position, size, base=10000.0):
    """PE(pos, 2i) = sin(pos / base^(2i/d)), PE(pos, 2i+1) = cos(same).

    Vaswani et al. (2017), section 3.5.
    """
    row = []
    for i in range(size // 2):
        angle = position / base ** (2 * i / size)
        row.append(math.sin(angle))
        row.append(math.cos(angle))
    return row


def halves(position, size, base=10000.0):
    """Channel by channel, as Hugging Face fills Marian's table."""
    row = [0.0] * size
    for channel in range(size):
        angle = position / base ** (2 * (channel // 2) / size)
        if channel % 2 == 0:
            row[channel // 2] = math.sin(angle)
        else:
            row[size // 2 + channel // 2] = math.cos(angle)
    return row


def tensor2tensor(position, size, base=10000.0):
    """Marian's `sinusoidalPositionEmbeddings`, after tensor2tensor's timing signal."""
    timescales = size / 2
    increment = math.log(base) / (timescales - 1) if timescales > 1 else 0.0
    row = [0.0] * size
    for i in range(size // 2):
        angle = position * math.exp(-i * increment)
        row[i] = math.sin(angle)
        row[i + size // 2] = math.cos(angle)
    return row


def two_dimensional(inside, size, temperature=10000.0, scale=2 * math.pi, epsilon=1e-6):
    """DETR's positions of one image, cell by cell.

    Args:
        inside: booleans (height, width), True = not padding.

    Returns:
        (height, width, size).
    """
    height, width = len(inside), len(inside[0])
    table = np.zeros((height, width, size))
    for h in range(height):
        for w in range(width):
            above = sum(bool(inside[r][w]) for r in range(h + 1))
            column = sum(bool(inside[r][w]) for r in range(height))
            left = sum(bool(inside[h][c]) for c in range(w + 1))
            row = sum(bool(inside[h][c]) for c in range(width))
            y = above / (column + epsilon) * scale
            x = left / (row + epsilon) * scale
            table[h, w] = interleaved(y, size // 2, temperature) + interleaved(
                x, size // 2, temperature
            )
    return table
