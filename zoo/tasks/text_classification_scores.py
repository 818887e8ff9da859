"""How good a text classifier is, and where it goes wrong."""

import numpy as np

from zoo.data.label_set import LabelSet
from zoo.metrics.calibration import (
    expected_calibration_error,
    reliability,
    sigmoid,
    softmax,
)
from zoo.metrics.classification import (
    confident_mistakes,
    confident_wrong_decisions,
    confusions,
    largest_errors,
    score_multi,
    score_regression,
    score_single,
)

# From this probability on, a label of several is taken to hold.
THRESHOLD = 0.5


def scores_of(
    outputs: np.ndarray,
    targets: np.ndarray,
    texts: list[str],
    labels: LabelSet,
    temperature: float,
) -> dict:
    """Scores, by label too, and mistakes.

    Args:
        outputs: what the model gives before any softmax, shape (texts, outputs).
        targets: what `labels.encode` gives.
        texts: the texts, which mistakes are told with.
        labels: what there is to tell apart.
        temperature: what outputs are divided by.

    Returns:
        As `TextClassificationRunner.evaluate` says.
    """
    if labels.kind == "regression":
        found, true = labels.unscaled(outputs[:, 0]), labels.unscaled(targets)
        mistakes = largest_errors(found, true, texts)
        return score_regression(found, true) | {"mistakes": mistakes}
    calibrated = _probabilities(outputs / temperature, labels.kind)
    plain = _probabilities(outputs, labels.kind)
    if labels.kind == "multi":
        scores = score_multi(calibrated, targets, labels.names, THRESHOLD)
        wrong = confident_wrong_decisions(calibrated, targets, labels.names, texts)
        rest = {"confusions": [], "mistakes": wrong}
    else:
        scores = score_single(calibrated, targets, labels.names)
        rest = {
            "confusions": confusions(calibrated, targets, labels.names),
            "mistakes": confident_mistakes(calibrated, targets, labels.names, texts),
        }
    before, after = (
        _confidence(values, targets, labels.kind) for values in (plain, calibrated)
    )
    return scores | {
        "ece_uncalibrated": expected_calibration_error(*before),
        "temperature": temperature,
        "reliability": reliability(*after),
        "reliability_uncalibrated": reliability(*before),
        **rest,
    }


def _probabilities(outputs, kind):
    return softmax(outputs) if kind == "single" else sigmoid(outputs)


def _confidence(probabilities, targets, kind) -> tuple:
    """Confidence in each prediction, and whether it was right."""
    if kind == "single":
        right = probabilities.argmax(axis=1) == targets
        return probabilities.max(axis=1), right
    is_right = (probabilities >= THRESHOLD) == (targets > 0)
    return np.maximum(probabilities, 1 - probabilities).ravel(), is_right.ravel()
