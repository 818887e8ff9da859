"""Checks that several studies make of their options."""

import math
from collections.abc import Sequence

from zoo.values import unknown


def check_lengths(lengths: Sequence[int], least: int) -> None:
    """Checks that lengths rise.

    Raises:
        ValueError: no lengths, one below `least`, or one out of order.
    """
    if not lengths or lengths[0] < least or list(lengths) != sorted(set(lengths)):
        raise ValueError(
            f"lengths must rise, from {least} at least. Received: "
            f"{', '.join(map(str, lengths)) or 'none'}."
        )


def check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Checks that all names are known, and none is given twice.

    Raises:
        ValueError: an unknown name (with the nearest match), a repeated one, or none.
    """
    for name in names:
        if name not in known:
            raise ValueError(unknown(kind, name, list(known)))
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"Each {kind} is named once, and at least one. Received: "
            f"{', '.join(names) or 'none'}."
        )


def check_at_least(options, **least: float) -> None:
    """Checks that fields have no value below these, and none without end.

    Raises:
        ValueError: a value out of range.
    """
    for name, lowest in least.items():
        value = getattr(options, name)
        if not lowest <= value < math.inf:
            raise ValueError(
                f"{name} must be at least {lowest}. Received: {name}={value}."
            )
