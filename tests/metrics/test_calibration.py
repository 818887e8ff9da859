import math

import numpy as np
import pytest

from zoo.metrics.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    sigmoid,
    softmax,
)


def test_the_error_of_two_bins_adds_up_by_hand():
    # Bin (0.5, 1]: accuracy 2/3 against confidence 0.8. Bin [0, 0.5]: 0 against 0.4.
    error = expected_calibration_error([0.7, 0.8, 0.9, 0.4], [1, 0, 1, 0], bins=2)
    assert error == pytest.approx(3 / 4 * (0.8 - 2 / 3) + 1 / 4 * 0.4)


def test_sure_and_right_has_no_error_and_sure_and_wrong_has_all():
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0.0
    assert expected_calibration_error([1.0, 1.0], [False, False]) == 1.0


def test_too_sure_and_too_unsure_in_different_bins_do_not_cancel():
    error = expected_calibration_error([0.9, 0.1], [0, 1], bins=10)
    assert error == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("confidence", "lower"), [(0.0, 0.0), (0.2, 0.0), (0.21, 0.2), (0.8, 0.6), (1, 0.8)]
)
def test_a_bin_holds_its_upper_edge_and_not_its_lower(confidence, lower):
    (row,) = reliability([confidence], [1], bins=5)
    assert row["lower"] == lower


def test_rows_are_the_bins_with_examples():
    rows = reliability([0.95, 0.85, 0.25], [1, 0, 1], bins=5)
    assert rows == [
        {
            "lower": 0.2,
            "upper": 0.4,
            "examples": 1,
            "confidence": 0.25,
            "accuracy": 1.0,
        },
        {
            "lower": 0.8,
            "upper": 1.0,
            "examples": 2,
            "confidence": pytest.approx(0.9),
            "accuracy": 0.5,
        },
    ]


def test_the_error_agrees_with_a_loop_over_the_bins():
    rng = np.random.default_rng(5)
    confidence, correct = rng.random(701), rng.random(701) < 0.6
    expected = 0.0
    for bin in range(15):
        inside = (confidence > bin / 15) & (confidence <= (bin + 1) / 15)
        gap = abs(correct[inside].mean() - confidence[inside].mean())
        expected += inside.sum() / 701 * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("confidence", "correct", "message"),
    [
        ([], [], "at least one"),
        ([0.5, 0.5], [1], r"\(2,\) and correct \(1,\)"),
        ([[0.5]], [[1]], "expected"),
        ([1.2], [1], "expected 0 to 1"),
        ([math.nan], [1], "expected 0 to 1"),
    ],
)
def test_what_is_no_confidence_is_refused(confidence, correct, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(confidence, correct)


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="bins is 0"):
        reliability([0.5], [1], bins=0)


def test_a_temperature_of_two_labels_is_known_in_closed_form():
    # 3 of 4 are right, so the best probability is 3/4: softmax(2 / T, 0) = 3/4.
    logits, targets = [[2.0, 0.0]] * 4, [0, 0, 0, 1]
    expected = 2 / math.log(3)
    assert fit_temperature(logits, targets, "single") == pytest.approx(expected)


def test_a_temperature_of_sigmoids_is_known_in_closed_form():
    logits, targets = [[3.0], [3.0], [3.0], [-3.0], [-3.0]], [[1], [1], [0], [0], [0]]
    # 4 of 5 take the side of their logit: sigmoid(3 / T) = 4/5.
    expected = 3 / math.log(4)
    assert fit_temperature(logits, targets, "multi") == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_no_other_temperature_has_a_lower_loss(kind):
    rng = np.random.default_rng(11)
    logits = rng.normal(size=(211, 5)) * 6
    if kind == "single":
        targets = np.where(
            rng.random(211) < 0.7, logits.argmax(1), rng.integers(0, 5, 211)
        )
    else:
        targets = (logits + rng.normal(size=logits.shape) * 5 > 0).astype(int)

    def loss(temperature):
        if kind == "single":
            scaled = logits / temperature
            log_sum = np.log(np.exp(scaled).sum(1))
            return (log_sum - scaled[np.arange(211), targets]).mean()
        sides = np.where(targets, logits, -logits) / temperature
        return np.log1p(np.exp(-sides)).mean()

    best = fit_temperature(logits, targets, kind)
    assert 1 < best < 20
    for other in (0.98, 0.999, 1.001, 1.02):
        assert loss(best) < loss(best * other)


def test_logits_made_n_times_larger_have_n_times_the_temperature():
    rng = np.random.default_rng(3)
    logits, targets = rng.normal(size=(101, 3)), rng.integers(0, 3, 101)
    targets[:70] = logits[:70].argmax(1)
    once = fit_temperature(logits, targets, "single")
    assert fit_temperature(logits * 4, targets, "single") == pytest.approx(4 * once)


def test_a_shift_of_all_logits_of_a_row_changes_no_temperature():
    logits, targets = np.array([[2.0, 0.0]] * 4), [0, 0, 0, 1]
    moved = logits + np.array([[5.0], [-7.0], [900.0], [0.0]])
    assert fit_temperature(moved, targets, "single") == pytest.approx(
        fit_temperature(logits, targets, "single")
    )


def test_temperatures_stay_in_their_bounds():
    logits = [[1.0, -1.0], [2.0, -2.0]]
    all_right = fit_temperature(logits, [0, 0], "single")
    all_wrong = fit_temperature(logits, [1, 1], "single")
    assert (all_right, all_wrong) == (pytest.approx(0.05), pytest.approx(20))


@pytest.mark.parametrize(
    ("kind", "logits", "targets"),
    [
        ("single", [[0.1] * 3, [7.3] * 3, [-2.7] * 3], [0, 1, 2]),
        ("multi", [[0.0, 0.0]], [[0, 1]]),
    ],
)
def test_where_no_temperature_matters_it_is_one(kind, logits, targets):
    assert fit_temperature(logits, targets, kind) == 1.0


@pytest.mark.parametrize(
    ("logits", "targets", "kind", "message"),
    [
        ([[1.0, 2.0]], [0], "regression", "kind is 'regression'"),
        ([1.0, 2.0], [0, 1], "single", r"\(examples, labels\)"),
        ([[1.0, 2.0]], [[0, 1]], "single", r"of shape \(examples,\)"),
        ([[1.0, 2.0]], [0], "multi", r"of shape \(examples, labels\)"),
        ([[1.0, -math.inf]], [0], "single", "not finite"),
        ([[1.0, 2.0]], [2], "single", "labels from 2 to 2"),
        ([[1.0, 2.0]], [-1], "single", "labels from -1 to -1"),
    ],
)
def test_what_has_no_temperature_is_refused(logits, targets, kind, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, targets, kind)


def test_softmax_and_sigmoid_are_those_of_the_definition():
    logits = np.array([[0.3, -1.2, 2.5], [0.0, 4.0, -3.0]])
    exponentials = np.exp(logits)
    np.testing.assert_allclose(
        softmax(logits), exponentials / exponentials.sum(1, keepdims=True)
    )
    np.testing.assert_allclose(sigmoid(logits), 1 / (1 + np.exp(-logits)))


def test_softmax_and_sigmoid_do_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(softmax([1e4, 0.0, -1e4]), [1, 0, 0])
        np.testing.assert_allclose(sigmoid([1e4, -1e4, 0.0]), [1, 0, 0.5])
