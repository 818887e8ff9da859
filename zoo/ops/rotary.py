"""Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864)."""

from keras import ops

# Shape letters: B batch, H heads, L length, D head size, F = D / 2 frequencies.


def rotate(heads_BHLD, start=0, base: float = 10000.0, interleaved: bool = True):
    """Turns pair i of the vector at position m by the angle m base^(-2 i / D).

    Equation 34. The product of a query and a key so turned depends on their distance
    only. Computed in float32, returned in the type of the heads.

    Args:
        heads_BHLD: queries or keys, shape (batch, heads, length, head_size).
        start: position of the first.
        base: the slowest pair turns once in about 2 pi base positions.
        interleaved: pairs are neighbours (0, 1), (2, 3), … as in the paper; otherwise
            number i goes with number i + D / 2.
    """
    length, size = ops.shape(heads_BHLD)[2], heads_BHLD.shape[-1]
    positions_L = ops.cast(ops.arange(length, dtype="int32") + start, "float32")
    frequencies_F = base ** (ops.arange(0, size, 2, dtype="float32") / -size)
    angles_LF = positions_L[:, None] * frequencies_F
    cos_LF, sin_LF = ops.cos(angles_LF), ops.sin(angles_LF)
    heads = ops.cast(heads_BHLD, "float32")
    if interleaved:
        shape = ops.shape(heads)
        pairs = ops.reshape(heads, (*shape[:-1], size // 2, 2))
        turned = _turn(pairs[..., 0], pairs[..., 1], cos_LF, sin_LF)
        turned = ops.reshape(ops.stack(turned, axis=-1), shape)
    else:
        first, second = heads[..., : size // 2], heads[..., size // 2 :]
        turned = ops.concatenate(_turn(first, second, cos_LF, sin_LF), axis=-1)
    return ops.cast(turned, heads_BHLD.dtype)


def _turn(x, y, cos, sin):
    return [x * cos - y * sin, x * sin + y * cos]
