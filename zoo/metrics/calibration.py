"""Whether probabilities mean what they say, and a temperature that helps.

Guo et al., 2017, "On Calibration of Modern Neural Networks".
"""
# Shape letters: N examples, K labels.

import numpy as np

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
# Each step halves the interval of log T, which is 6 wide.
HALVINGS = 45


def expected_calibration_error(confidence, correct, bins: int = 15) -> float:
    """Mean distance of confidence from accuracy (equation 3), in [0, 1].

    Bin m of M holds the confidences above (m - 1) / M up to m / M, as in the paper; a
    confidence of 0 is in the first.

    Args:
        confidence: shape (N,), the probability of what was predicted.
        correct: shape (N,), whether it was right.
        bins: how many bins of equal width.

    Raises:
        ValueError: shapes that do not fit, or a confidence outside [0, 1].
    """
    rows = reliability(confidence, correct, bins)
    total = sum(row["examples"] for row in rows)
    gaps = (row["examples"] * abs(row["accuracy"] - row["confidence"]) for row in rows)
    return float(sum(gaps) / total)


def reliability(confidence, correct, bins: int = 15) -> list[dict]:
    """Accuracy in bins of confidence, as in Guo et al. (2017), figure 1.

    Args:
        confidence, correct, bins: as for `expected_calibration_error`.

    Returns:
        Dictionaries of `lower` and `upper` (the edges), `examples`, and the means
        `confidence` and `accuracy`, one for each bin that holds an example.

    Raises:
        ValueError: as for `expected_calibration_error`.
    """
    confidence, correct = _checked(confidence, correct, bins)
    edges = np.arange(bins + 1) / bins
    member = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(member, minlength=bins)
    confidences = np.bincount(member, confidence, minlength=bins)
    accuracies = np.bincount(member, correct, minlength=bins)
    return [
        {
            "lower": float(edges[index]),
            "upper": float(edges[index + 1]),
            "examples": int(counts[index]),
            "confidence": float(confidences[index] / counts[index]),
            "accuracy": float(accuracies[index] / counts[index]),
        }
        for index in np.flatnonzero(counts)
    ]


def fit_temperature(logits, targets, kind: str) -> float:
    """The temperature T under which logits / T has the least log loss.

    It changes no ranking and, for "single", no prediction. Fit it on validation
    examples: on training examples it learns the overconfidence it should undo.

    The loss is convex in 1 / T, so its slope there changes sign once; halving the
    interval of log T finds where.

    Args:
        logits: shape (N, K), before the softmax or sigmoid.
        targets: for "single" shape (N,), integers: which label is true; for "multi"
            shape (N, K), 1 where the label is true, else 0.
        kind: "single" for a softmax, "multi" for sigmoids.

    Returns:
        A temperature in [0.05, 20]; above 1 where the logits are too sure. It is at an
        end where the loss keeps falling towards it, as it does towards 0 where all is
        right, and 1 where no temperature changes the loss.

    Raises:
        ValueError: another kind, or shapes that do not fit.
    """
    slope = _loss_slope(logits, targets, kind)
    low, high = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
    if slope(1 / LOWEST_TEMPERATURE) == slope(1 / HIGHEST_TEMPERATURE) == 0:
        return 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if slope(np.exp(-middle)) > 0:  # the loss grows with 1 / T: T is too small
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def softmax(logits):
    """Softmax over the last axis, in float64, without overflow."""
    logits = np.asarray(logits, "float64")
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(logits):
    """Logistic function, in float64, without overflow."""
    logits = np.asarray(logits, "float64")
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, small) / (1 + small)


def _loss_slope(logits, targets, kind):
    """The derivative of the log loss by 1 / T, as a function of 1 / T."""
    logits, targets = np.asarray(logits, "float64"), np.asarray(targets)
    if kind not in ("single", "multi"):
        raise ValueError(
            f"kind is {kind!r}; expected 'single' or 'multi'. Regression has no "
            "probabilities to calibrate."
        )
    expected = logits.shape if kind == "multi" else logits.shape[:1]
    if logits.ndim != 2 or not logits.size or targets.shape != expected:
        raise ValueError(
            f"logits has shape {logits.shape} and targets {targets.shape}; expected "
            "(examples, labels), at least one of both, and targets of shape "
            + ("(examples, labels)." if kind == "multi" else "(examples,).")
        )
    if not np.isfinite(logits).all():
        raise ValueError(
            "logits has values that are not finite; expected numbers. Look for NaN in "
            "the model, or for logits that a mask set to minus infinity."
        )
    if kind == "multi":
        return lambda inverse: np.mean((sigmoid(inverse * logits) - targets) * logits)
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        raise ValueError(
            f"targets has labels from {targets.min()} to {targets.max()}; expected 0 "
            f"to {logits.shape[1] - 1}, columns of logits."
        )
    # A softmax sees only differences; this way logits that are all equal give 0.
    logits = logits - logits.max(axis=1, keepdims=True)
    of_true = logits[np.arange(len(targets)), targets].mean()
    return lambda inverse: (
        (softmax(inverse * logits) * logits).sum(axis=1).mean() - of_true
    )


def _checked(confidence, correct, bins):
    confidence = np.asarray(confidence, "float64")
    correct = np.asarray(correct, "float64")
    if confidence.ndim != 1 or confidence.shape != correct.shape or not confidence.size:
        raise ValueError(
            f"confidence has shape {confidence.shape} and correct {correct.shape}; "
            "expected (examples,) both, and at least one."
        )
    if not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-5):  # NaN fails too
        raise ValueError(
            f"confidence has values from {confidence.min():.3g} to "
            f"{confidence.max():.3g}; expected 0 to 1. Pass the probability of what "
            "was predicted."
        )
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected at least 1.")
    return np.minimum(confidence, 1.0), correct
