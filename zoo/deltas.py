"""Presets that differ little from another one: only the difference is on disk.

A fine-tuning by low-rank adaptation leaves most weights as they were and adds products
of two thin matrices to the others (`zoo.training.lora`). Such a difference is found
again in the weights themselves:

    weights that are equal     are left out
    `NAME:left`, `NAME:right`  a matrix is the base's and their product
    `NAME`                     any other
"""

from collections.abc import Mapping

import numpy as np

LEFT, RIGHT = ":left", ":right"
# A product of thin matrices is worth it up to this share of a matrix's numbers, and it
# is one if nothing larger than this, beside the largest singular value, is left over.
_WORTH, _REST = 0.5, 1e-4


def difference(
    arrays: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What must be kept of weights beside those of a base.

    Args:
        arrays: weights by address.
        base: those of the base; it may lack some.
    """
    kept = {}
    for name, array in arrays.items():
        old = base.get(name)
        if old is None or old.shape != array.shape:
            kept[name] = array
        elif not np.array_equal(array, old):
            kept |= _factors(name, array, old) or {name: array}
    return kept


def combined(
    kept: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The weights again, from what `difference` kept.

    Weights that only the base has come along; whoever loads them knows which are his.

    Raises:
        ValueError: one factor of a product is missing, or does not fit the base.
    """
    found = dict(base)
    for name, array in kept.items():
        plain = name.removesuffix(LEFT).removesuffix(RIGHT)
        if plain == name:
            found[name] = array
        elif name.endswith(LEFT):
            found[plain] = _sum(plain, array, kept, base)
        elif plain + LEFT not in kept:
            raise ValueError(f"{name} has no {plain}{LEFT} beside it.")
    return found


def _sum(name, left, kept, base):
    right, old = kept.get(name + RIGHT), base.get(name)
    if right is None or old is None or (*left.shape[:1], *right.shape[1:]) != old.shape:
        raise ValueError(
            f"{name}{LEFT} and {name}{RIGHT} must be two matrices whose product fits "
            f"{name} of the base. Received: {left.shape}, "
            f"{None if right is None else right.shape}, "
            f"{None if old is None else old.shape}."
        )
    product = left.astype("float32") @ right.astype("float32")
    return old.astype("float32") + product


def _factors(name, array, old) -> dict | None:
    """The difference of two matrices as a product, if it is one of thin matrices."""
    if array.ndim != 2:
        return None
    change = array.astype("float64") - old
    left, sizes, right = np.linalg.svd(change, full_matrices=False)
    rank = int(np.sum(sizes > _REST * sizes[0]))
    if rank * sum(array.shape) > _WORTH * array.size:
        return None
    roots = np.sqrt(sizes[:rank])
    return {
        name + LEFT: (left[:, :rank] * roots).astype("float32"),
        name + RIGHT: (roots[:, None] * right[:rank]).astype("float32"),
    }
