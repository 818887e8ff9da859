"""How the pieces of a vocabulary follow from those of another."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PieceChange:
    """Another vocabulary, and what its pieces were before.

    Attributes:
        vocabulary: the new one.
        parts: for each new id the former ids that it is made of: one that stays has
            itself, a new one the pieces that its text was cut into.
    """

    vocabulary: object
    parts: tuple[tuple[int, ...], ...]

    def carried(self, rows: np.ndarray, axis: int = 0) -> np.ndarray:
        """Numbers of each piece in the new order; a new one has the mean of its parts.

        So starts a word from what its pieces meant (Gee et al., 2022, "Fast vocabulary
        transfer", https://arxiv.org/abs/2402.09977), and not from chance, which would
        make it likelier than all others (Hewitt, 2021, "Initializing new word
        embeddings for pretrained language models").
        """
        first = np.array([parts[0] for parts in self.parts])
        found = np.take(rows, first, axis)
        for place, parts in enumerate(self.parts):
            if len(parts) > 1:
                at = (slice(None),) * axis + (place,)
                found[at] = np.take(rows, parts, axis).mean(axis)
        return found


def chosen(
    required: set[int],
    counts: np.ndarray,
    needed_by,
    most: int | None,
) -> list[int]:
    """Ids of the pieces to keep, in their order.

    Args:
        required: what stays in any case.
        counts: how often each piece was seen.
        needed_by: function of an id to all ids that it needs, itself included.
        most: pieces at most; those seen more often come first.

    Raises:
        ValueError: more are required than may be kept.
    """
    kept = set(required)
    if most is not None and len(kept) > most:
        raise ValueError(
            f"{len(kept)} pieces are needed so that no character becomes unknown. "
            f"Received: keep={most}; ask for at least that many."
        )
    for id_ in np.argsort(-counts, kind="stable"):
        if counts[id_] == 0:
            break
        more = kept | set(needed_by(int(id_)))
        if most is None or len(more) <= most:
            kept = more
    return sorted(kept)
