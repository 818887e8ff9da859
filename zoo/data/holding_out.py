"""What every way to hold out validation data has in common."""

from collections.abc import Hashable, Iterable


def number_to_hold_out(count: int, share: float, most: int) -> int:
    """How many examples to hold out: a share, at least one, and not more than `most`.

    Raises:
        ValueError: a share that is none, or `most` below 1.
    """
    if not 0 < share < 1 or most < 1:
        raise ValueError(
            "share lies between 0 and 1, and most is at least 1. "
            f"Received: share={share}, most={most}."
        )
    return min(most, max(1, round(share * count)))


def groups_of_equals(keys: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    """Under each key the indices of those that have it, in order."""
    groups: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups
