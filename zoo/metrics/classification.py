"""Scores of classifiers and regressors, and the errors behind them.

Shares lie in [0, 1]; 0 / 0 counts as 0. `macro_f1` is the mean over the labels that
occur or are predicted: a label that does neither would only add a 0 that nobody earned.
"""
# Shape letters: N examples, K labels.

from collections.abc import Sequence

import numpy as np

from zoo.metrics.calibration import expected_calibration_error

# The loss of a probability of 0 is infinite; of this one it is 34.5.
LEAST_PROBABILITY = 1e-15
LONGEST_TEXT = 200  # characters


def score_single(probabilities, targets, names: Sequence[str]) -> dict:
    """Scores of examples that have one label each.

    Args:
        probabilities: shape (N, K), rows that sum to 1.
        targets: shape (N,), integers: which label is true.
        names: of the K labels.

    Returns:
        Dictionary of `accuracy`, `macro_f1`, `micro_f1` (the accuracy, where each
        example has one label), `log_loss` (mean, in nats), `ece`, `examples` and
        `per_label`: dictionaries of `label`, `precision`, `recall`, `f1` and `support`
        (examples of the label), worst F1 first. Labels that neither occur nor are
        predicted have no row.

    Raises:
        ValueError: shapes that do not fit, or values that are no probabilities.
    """
    probabilities, targets = _checked_single(probabilities, targets, names)
    predicted = probabilities.argmax(axis=1)
    labels = np.arange(len(names))
    decisions = score_decisions(
        predicted[:, None] == labels, targets[:, None] == labels, names
    )
    right = predicted == targets
    of_true = probabilities[np.arange(len(targets)), targets]
    return {
        "accuracy": float(right.mean()),
        "macro_f1": decisions["macro_f1"],
        "micro_f1": decisions["micro_f1"],
        "log_loss": _loss(of_true),
        "ece": expected_calibration_error(probabilities.max(axis=1), right),
        "examples": len(targets),
        "per_label": decisions["per_label"],
    }


def score_multi(
    probabilities, targets, names: Sequence[str], threshold: float = 0.5
) -> dict:
    """Scores of examples that have any number of labels each.

    Args:
        probabilities: shape (N, K), each in [0, 1].
        targets: shape (N, K), 1 where the label is true, else 0.
        names: of the K labels.
        threshold: a label is predicted from this probability on.

    Returns:
        Dictionary as of `score_single`, with `micro_f1` first and `exact_match`, the
        share of examples with every label right, in place of `accuracy`. `log_loss`
        and `ece` are over all N * K decisions; the confidence of a decision is the
        probability of the side it took.

    Raises:
        ValueError: shapes that do not fit, or values that are no probabilities.
    """
    probabilities, targets = _checked_multi(probabilities, targets, names)
    predicted = probabilities >= threshold
    decisions = score_decisions(predicted, targets, names)
    right = predicted == targets
    confidence = np.where(predicted, probabilities, 1 - probabilities)
    return {
        "micro_f1": decisions["micro_f1"],
        "macro_f1": decisions["macro_f1"],
        "exact_match": float(right.all(axis=1).mean()),
        "log_loss": _loss(np.where(targets, probabilities, 1 - probabilities)),
        "ece": expected_calibration_error(confidence.ravel(), right.ravel()),
        "examples": len(targets),
        "per_label": decisions["per_label"],
    }


def score_regression(predictions, targets) -> dict:
    """Scores of predicted numbers.

    Args:
        predictions, targets: shape (N,).

    Returns:
        Dictionary of `r2` (1 is perfect, 0 as good as the mean of the targets, below 0
        worse than it), `rmse`, `mae`, `spearman` (rank correlation, ties share their
        mean rank) and `examples`. `r2` and `spearman` are 0 where they are not defined:
        targets, or for `spearman` predictions, that are all the same.

    Raises:
        ValueError: shapes that do not fit, or values that are not finite.
    """
    predictions, targets = _checked_numbers(predictions, targets)
    errors = predictions - targets
    spread = np.square(targets - targets.mean()).mean()
    mean_square = np.square(errors).mean()
    return {
        "r2": float(1 - mean_square / spread) if spread else 0.0,
        "rmse": float(np.sqrt(mean_square)),
        "mae": float(np.abs(errors).mean()),
        "spearman": _correlation(_ranks(predictions), _ranks(targets)),
        "examples": len(targets),
    }


def score_decisions(predicted, targets, names: Sequence[str]) -> dict:
    """F1 of decisions that are already made.

    Args:
        predicted, targets: shape (N, K), whether the example has the label.
        names: of the K labels.

    Returns:
        Dictionary of `macro_f1`, `micro_f1` and `per_label`, as of `score_single`.
    """
    predicted, targets = np.asarray(predicted, bool), np.asarray(targets, bool)
    hits = (predicted & targets).sum(axis=0)
    chosen, support = predicted.sum(axis=0), targets.sum(axis=0)
    rows = [
        {
            "label": name,
            "precision": _share(hits[label], chosen[label]),
            "recall": _share(hits[label], support[label]),
            "f1": _share(2 * hits[label], chosen[label] + support[label]),
            "support": int(support[label]),
        }
        for label, name in enumerate(names)
        if chosen[label] + support[label]
    ]
    return {
        "macro_f1": float(np.mean([row["f1"] for row in rows])) if rows else 0.0,
        "micro_f1": _share(2 * hits.sum(), chosen.sum() + support.sum()),
        "per_label": sorted(rows, key=lambda row: row["f1"]),
    }


def confusions(
    probabilities, targets, names: Sequence[str], most: int = 10
) -> list[dict]:
    """Which labels are taken for which others.

    Args:
        probabilities, targets, names: as for `score_single`.
        most: how many pairs to give.

    Returns:
        Dictionaries of `true`, `predicted`, `count` and `share` (of the examples of
        that true label), largest count first, then in the order of the labels.

    Raises:
        ValueError: as for `score_single`.
    """
    probabilities, targets = _checked_single(probabilities, targets, names)
    predicted = probabilities.argmax(axis=1)
    wrong = np.stack([targets, predicted], axis=1)[predicted != targets]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    support = np.bincount(targets, minlength=len(names))
    return [
        {
            "true": names[pairs[index, 0]],
            "predicted": names[pairs[index, 1]],
            "count": int(counts[index]),
            "share": _share(counts[index], support[pairs[index, 0]]),
        }
        for index in np.argsort(-counts, kind="stable")[:most]
    ]


def confident_mistakes(
    probabilities, targets, names: Sequence[str], texts: Sequence[str], most: int = 10
) -> list[dict]:
    """The wrong answers that the model was surest of: often a wrong label instead.

    Args:
        probabilities, targets, names: as for `score_single`.
        texts: the N examples.
        most: how many to give.

    Returns:
        Dictionaries of `text` (cut to 200 characters), `true`, `predicted`,
        `probability` and `probability_of_true`, most confident first.

    Raises:
        ValueError: as for `score_single`, or another number of texts.
    """
    probabilities, targets = _checked_single(probabilities, targets, names)
    _check_texts(texts, len(targets))
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    return [
        {
            "text": _cut(texts[index]),
            "true": names[targets[index]],
            "predicted": names[predicted[index]],
            "probability": float(confidence[index]),
            "probability_of_true": float(probabilities[index, targets[index]]),
        }
        for index in wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    ]


def confident_wrong_decisions(
    probabilities,
    targets,
    names: Sequence[str],
    texts: Sequence[str],
    threshold: float = 0.5,
    most: int = 10,
) -> list[dict]:
    """`confident_mistakes` for examples with any number of labels, label by label.

    Args:
        probabilities, targets, names, threshold: as for `score_multi`.
        texts: the N examples.
        most: how many to give.

    Returns:
        Dictionaries of `text` (cut to 200 characters), `label`, `true` and `predicted`
        (booleans) and `probability` (of the label), most confident first.

    Raises:
        ValueError: as for `score_multi`, or another number of texts.
    """
    probabilities, targets = _checked_multi(probabilities, targets, names)
    _check_texts(texts, len(targets))
    predicted = probabilities >= threshold
    confidence = np.where(predicted, probabilities, 1 - probabilities)
    rows, labels = np.nonzero(predicted != targets)
    order = np.argsort(-confidence[rows, labels], kind="stable")[:most]
    return [
        {
            "text": _cut(texts[row]),
            "label": names[label],
            "true": bool(targets[row, label]),
            "predicted": bool(predicted[row, label]),
            "probability": float(probabilities[row, label]),
        }
        for row, label in zip(rows[order], labels[order], strict=True)
    ]


def largest_errors(
    predictions, targets, texts: Sequence[str], most: int = 10
) -> list[dict]:
    """The predicted numbers that are furthest off.

    Args:
        predictions, targets: as for `score_regression`.
        texts: the N examples.
        most: how many to give.

    Returns:
        Dictionaries of `text` (cut to 200 characters), `true`, `predicted` and `error`
        (predicted minus true), largest error of either sign first.

    Raises:
        ValueError: as for `score_regression`, or another number of texts.
    """
    predictions, targets = _checked_numbers(predictions, targets)
    _check_texts(texts, len(targets))
    errors = predictions - targets
    return [
        {
            "text": _cut(texts[index]),
            "true": float(targets[index]),
            "predicted": float(predictions[index]),
            "error": float(errors[index]),
        }
        for index in np.argsort(-np.abs(errors), kind="stable")[:most]
    ]


def _share(part, whole) -> float:
    return float(part / whole) if whole else 0.0


def _loss(probabilities) -> float:
    return float(-np.log(np.maximum(probabilities, LEAST_PROBABILITY)).mean())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _ranks(values):
    """Ranks from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _correlation(left, right) -> float:
    left, right = left - left.mean(), right - right.mean()
    return _share(left @ right, np.sqrt((left @ left) * (right @ right)))


def _checked_single(probabilities, targets, names):
    probabilities = _checked_probabilities(probabilities, names)
    targets = np.asarray(targets)
    count, labels = probabilities.shape
    if targets.shape != (count,) or not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(
            f"targets has shape {targets.shape} and type {targets.dtype}; expected "
            f"({count},) integers, one label for each row of probabilities. For "
            "examples with any number of labels use `score_multi`."
        )
    if targets.min() < 0 or targets.max() >= labels:
        raise ValueError(
            f"targets has labels from {targets.min()} to {targets.max()}; expected 0 "
            f"to {labels - 1}. Number them in the order of names."
        )
    sums = probabilities.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > 1e-2:
        raise ValueError(
            f"probabilities has a row that sums to {worst:.3g}; expected 1. Pass them "
            "after the softmax, or use `score_multi`."
        )
    return probabilities, targets


def _checked_multi(probabilities, targets, names):
    probabilities = _checked_probabilities(probabilities, names)
    targets = np.asarray(targets)
    if targets.shape != probabilities.shape or not np.isin(targets, (0, 1)).all():
        raise ValueError(
            f"targets has shape {targets.shape}; expected {probabilities.shape}, as "
            "probabilities, of 1 where the label is true and 0 elsewhere. For one "
            "label an example use `score_single`."
        )
    return probabilities, targets.astype(bool)


def _checked_probabilities(probabilities, names):
    probabilities = np.asarray(probabilities, "float64")
    if probabilities.ndim != 2 or probabilities.shape[1] != len(names):
        raise ValueError(
            f"probabilities has shape {probabilities.shape}; expected (examples, "
            f"{len(names)}), a column for each of the names."
        )
    if not probabilities.size:
        raise ValueError("probabilities is empty; pass at least one example.")
    lowest, highest = probabilities.min(), probabilities.max()
    if not (lowest >= 0 and highest <= 1 + 1e-5):  # NaN fails too
        raise ValueError(
            f"probabilities has values from {lowest:.3g} to {highest:.3g}; expected 0 "
            "to 1. Pass them after the softmax or sigmoid."
        )
    # Softmax in half or single precision may give a hair more than 1.
    return np.minimum(probabilities, 1.0)


def _checked_numbers(predictions, targets):
    predictions = np.asarray(predictions, "float64")
    targets = np.asarray(targets, "float64")
    if predictions.ndim != 1 or predictions.shape != targets.shape or not len(targets):
        raise ValueError(
            f"predictions has shape {predictions.shape} and targets {targets.shape}; "
            "expected (examples,) both, and at least one. Drop other axes."
        )
    if not (np.isfinite(predictions).all() and np.isfinite(targets).all()):
        raise ValueError(
            "predictions or targets has values that are not finite; expected numbers. "
            "Leave out the examples without a target, and look for NaN in the model."
        )
    return predictions, targets


def _check_texts(texts, count):
    if len(texts) != count:
        raise ValueError(
            f"texts has {len(texts)} entries; expected {count}, one for each example."
        )
