"""Weights that let rare classes count as much as frequent ones."""

import numpy as np


def class_weights(targets, count: int) -> np.ndarray:
    """Weights that give every label the same sum: N / (K n_k).

    N examples, n_k of label k, K labels. A label without examples gets 0 and does not
    count in K, so that the mean weight of an example is 1.

    Args:
        targets: integers (examples,), the row of each label.
        count: number of labels.

    Returns:
        float32 (count,).

    Raises:
        ValueError: targets that are not rows of labels.
    """
    targets = np.asarray(targets)
    integers = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
    if not integers or not targets.size or targets.min() < 0 or targets.max() >= count:
        raise ValueError(
            f"Class weights need integers (examples,) from 0 to {count - 1}, one label "
            f"an example. Received: shape {targets.shape}, {targets.dtype}"
            + (f", {targets.min()} to {targets.max()}." if targets.size else ".")
        )
    examples = np.bincount(targets, minlength=count)
    present = np.count_nonzero(examples)
    weights = targets.size / (present * np.maximum(examples, 1))
    return np.where(examples > 0, weights, 0).astype(np.float32)
