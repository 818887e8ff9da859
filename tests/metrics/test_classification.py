import json
import math

import numpy as np
import pytest

from zoo.metrics.classification import (
    confident_mistakes,
    confident_wrong_decisions,
    confusions,
    largest_errors,
    score_decisions,
    score_multi,
    score_regression,
    score_single,
)

NAMES = ["good", "bad", "mixed", "never"]
# Taken for: good, good, bad, bad, mixed. Nobody is "never" or taken for it.
PROBABILITIES = np.array(
    [
        [0.7, 0.1, 0.2, 0.0],
        [0.6, 0.3, 0.1, 0.0],
        [0.2, 0.8, 0.0, 0.0],
        [0.4, 0.5, 0.1, 0.0],
        [0.1, 0.3, 0.6, 0.0],
    ]
)
TARGETS = np.array([0, 1, 1, 0, 1])
TEXTS = ["a", "b", "c", "d", "e"]


def test_scores_of_five_examples_add_up_by_hand():
    scores = score_single(PROBABILITIES, TARGETS, NAMES)
    assert scores["accuracy"] == scores["micro_f1"] == pytest.approx(2 / 5)
    # good: 2/4. bad: 2/5. mixed: 0, though nobody is. never: not counted.
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.4 + 0) / 3)
    losses = [math.log(1 / p) for p in (0.7, 0.3, 0.8, 0.4, 0.3)]
    assert scores["log_loss"] == pytest.approx(sum(losses) / 5)
    # Bins of width 1/15: 0.7, 0.8 and 0.5 alone, and both 0.6 in one.
    gaps = [0.3, 0.2, 0.5, 2 * 0.6]
    assert scores["ece"] == pytest.approx(sum(gaps) / 5)
    assert scores["examples"] == 5


def test_rows_of_labels_come_worst_first_and_without_those_never_met():
    rows = score_single(PROBABILITIES, TARGETS, NAMES)["per_label"]
    assert [row["label"] for row in rows] == ["mixed", "bad", "good"]
    assert rows[0] == {
        "label": "mixed",
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
    }
    assert rows[1] == {
        "label": "bad",
        "precision": 0.5,
        "recall": pytest.approx(1 / 3),
        "f1": pytest.approx(0.4),
        "support": 3,
    }


def test_the_deciding_score_comes_first_and_all_fit_json():
    single = score_single(PROBABILITIES, TARGETS, NAMES)
    multi = score_multi([[0.5]], [[1]], ["a"])
    regression = score_regression(np.float32([1, 2]), [1, 3])
    firsts = [next(iter(scores)) for scores in (single, multi, regression)]
    assert firsts == ["accuracy", "micro_f1", "r2"]
    json.dumps([single, multi, regression, confusions(PROBABILITIES, TARGETS, NAMES)])
    json.dumps(confident_mistakes(PROBABILITIES, TARGETS, NAMES, TEXTS))
    json.dumps(confident_wrong_decisions([[0.9]], [[0]], ["a"], ["b"]))
    json.dumps(largest_errors([1.0], [2.0], ["a"]))


def test_a_true_label_of_probability_zero_has_a_large_finite_loss():
    loss = score_single([[1.0, 0.0]], [1], ["a", "b"])["log_loss"]
    assert loss == pytest.approx(15 * math.log(10))


def test_scores_of_many_labels_add_up_by_hand():
    probabilities = [[0.9, 0.2, 0.5], [0.4, 0.6, 0.1]]
    targets = [[1, 0, 1], [1, 0, 0]]
    scores = score_multi(probabilities, targets, ["a", "b", "c"])
    # Hits: a and c of the first; misses: a of the second, which has a wrong b instead.
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert scores["exact_match"] == 0.5
    losses = [math.log(1 / p) for p in (0.9, 0.8, 0.5, 0.4, 0.4, 0.9)]
    assert scores["log_loss"] == pytest.approx(sum(losses) / 6)
    # Confidences 0.9, 0.8, 0.5 and 0.9 are right; 0.6 and 0.6 are wrong.
    gaps = [0.1 + 0.1, 0.2, 0.5, 0.6 + 0.6]
    assert scores["ece"] == pytest.approx(sum(gaps) / 6)
    assert scores["examples"] == 2


def test_another_threshold_changes_decisions_and_not_the_loss():
    arguments = [[0.4, 0.3]], [[1, 0]], ["a", "b"]
    low, high = score_multi(*arguments, threshold=0.4), score_multi(*arguments)
    assert (low["micro_f1"], high["micro_f1"]) == (1.0, 0.0)
    assert (low["exact_match"], high["exact_match"]) == (1.0, 0.0)
    assert low["log_loss"] == high["log_loss"]


def test_with_no_label_true_or_predicted_f1_is_zero():
    scores = score_multi([[0.1, 0.2]], [[0, 0]], ["a", "b"])
    assert scores["micro_f1"] == scores["macro_f1"] == 0.0
    assert (scores["exact_match"], scores["per_label"]) == (1.0, [])


def test_scores_of_numbers_add_up_by_hand():
    scores = score_regression([1.0, 2.0, 5.0, 4.0], [1.0, 3.0, 4.0, 6.0])
    # Errors 0, -1, 1, -2; the targets' mean is 3.5, so their squares sum to 13.
    assert scores["r2"] == pytest.approx(1 - 6 / 13)
    assert scores["rmse"] == pytest.approx(math.sqrt(6 / 4))
    assert scores["mae"] == 1.0
    # Ranks 1 2 4 3 against 1 2 3 4: 1 - 6 * 2 / (4 * 15).
    assert scores["spearman"] == pytest.approx(0.8)
    assert scores["examples"] == 4


def test_equal_numbers_share_their_rank():
    # Ranks 1.5 1.5 3 4 against 1 2 3 4, around their mean of 2.5.
    scores = score_regression([4.0, 4.0, 9.0, 10.0], [1.0, 2.0, 3.0, 40.0])
    assert scores["spearman"] == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_what_has_no_spread_scores_zero():
    scores = score_regression([1.0, 2.0], [5.0, 5.0])
    assert (scores["r2"], scores["spearman"]) == (0.0, 0.0)
    assert score_regression([3.0, 3.0], [1.0, 2.0])["spearman"] == 0.0


def test_single_scores_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet(np.ones(7), 211)
    targets = rng.integers(0, 5, 211)  # two labels never occur, but are predicted
    predicted = probabilities.argmax(1)
    scores = score_single(probabilities, targets, list("abcdefg"))
    for average in ("macro", "micro"):
        expected = metrics.f1_score(targets, predicted, average=average)
        assert scores[f"{average}_f1"] == pytest.approx(expected)
    expected = metrics.log_loss(targets, probabilities, labels=range(7))
    assert scores["log_loss"] == pytest.approx(expected)
    rows = {row["label"]: row for row in scores["per_label"]}
    table = metrics.precision_recall_fscore_support(
        targets, predicted, labels=range(7), zero_division=0
    )
    for label, *values in zip("abcdefg", *table, strict=True):
        assert list(rows[label].values())[1:] == pytest.approx(values)


def test_multi_and_regression_scores_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    probabilities, targets = rng.random((101, 5)), rng.integers(0, 2, (101, 5))
    scores = score_multi(probabilities, targets, list("abcde"), threshold=0.3)
    for average in ("macro", "micro"):
        expected = metrics.f1_score(targets, probabilities >= 0.3, average=average)
        assert scores[f"{average}_f1"] == pytest.approx(expected)
    expected = metrics.log_loss(targets.ravel(), probabilities.ravel())
    assert scores["log_loss"] == pytest.approx(expected)
    numbers = rng.normal(size=(2, 101))
    scores = score_regression(*numbers)
    assert scores["r2"] == pytest.approx(metrics.r2_score(numbers[1], numbers[0]))


def test_decisions_are_scored_without_probabilities():
    decided = [[True, False], [True, True]]
    scores = score_decisions(decided, [[1, 0], [0, 1]], ["a", "b"])
    assert scores["micro_f1"] == pytest.approx(4 / 5)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_confusions_come_largest_first_with_their_share():
    probabilities = np.eye(3)[[1, 1, 0, 2, 0, 0]]
    found = confusions(probabilities, [0, 0, 0, 1, 1, 1], ["x", "y", "z"])
    assert found == [
        {"true": "x", "predicted": "y", "count": 2, "share": pytest.approx(2 / 3)},
        {"true": "y", "predicted": "x", "count": 2, "share": pytest.approx(2 / 3)},
        {"true": "y", "predicted": "z", "count": 1, "share": pytest.approx(1 / 3)},
    ]
    first = confusions(probabilities, [0, 0, 0, 1, 1, 1], ["x", "y", "z"], most=1)
    assert first == found[:1]


def test_without_mistakes_there_is_nothing_to_list():
    assert confusions(np.eye(2), [0, 1], ["x", "y"]) == []
    assert confident_mistakes(np.eye(2), [0, 1], ["x", "y"], ["a", "b"]) == []


def test_mistakes_come_most_confident_first():
    found = confident_mistakes(PROBABILITIES, TARGETS, NAMES, TEXTS)
    assert [mistake["text"] for mistake in found] == ["b", "e", "d"]
    assert found[2] == {
        "text": "d",
        "true": "good",
        "predicted": "bad",
        "probability": 0.5,
        "probability_of_true": 0.4,
    }
    few = confident_mistakes(PROBABILITIES, TARGETS, NAMES, TEXTS, most=1)
    assert few == found[:1]


def test_wrong_decisions_come_most_confident_first_from_either_side():
    probabilities = [[0.9, 0.05], [0.7, 0.6]]
    found = confident_wrong_decisions(
        probabilities, [[0, 1], [1, 0]], ["a", "b"], ["first", "second"]
    )
    assert found == [
        {
            "text": "first",
            "label": "b",
            "true": True,
            "predicted": False,
            "probability": 0.05,
        },
        {
            "text": "first",
            "label": "a",
            "true": False,
            "predicted": True,
            "probability": 0.9,
        },
        {
            "text": "second",
            "label": "b",
            "true": False,
            "predicted": True,
            "probability": 0.6,
        },
    ]


def test_errors_come_largest_first_whatever_their_sign():
    found = largest_errors([1.0, 5.0, 3.0], [2.0, 2.0, 8.0], ["a", "b", "c"], most=2)
    assert found == [
        {"text": "c", "true": 8.0, "predicted": 3.0, "error": -5.0},
        {"text": "b", "true": 2.0, "predicted": 5.0, "error": 3.0},
    ]


def test_texts_are_cut_to_two_hundred_characters():
    def shown(text):
        return largest_errors([1.0], [2.0], [text])[0]["text"]

    assert shown("x" * 200) == "x" * 200
    assert shown("x" * 201) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("probabilities", "targets", "message"),
    [
        (PROBABILITIES[:, :3], TARGETS, r"shape \(5, 3\); expected \(examples, 4\)"),
        (PROBABILITIES, TARGETS[:4], r"shape \(4,\).*\(5,\) integers"),
        (PROBABILITIES, TARGETS.astype(float), "float64; expected"),
        (PROBABILITIES, TARGETS + 3, "from 3 to 4; expected 0 to 3"),
        (PROBABILITIES, TARGETS - 1, "from -1 to 0; expected 0 to 3"),
        (PROBABILITIES * 3, TARGETS, "after the softmax"),
        (PROBABILITIES * 0.5, TARGETS, "sums to 0.5"),
        (PROBABILITIES * math.nan, TARGETS, "expected 0 to 1"),
        (PROBABILITIES[:0], TARGETS[:0], "at least one example"),
    ],
)
def test_what_is_no_single_answer_is_refused(probabilities, targets, message):
    with pytest.raises(ValueError, match=message):
        score_single(probabilities, targets, NAMES)


@pytest.mark.parametrize(
    ("targets", "message"),
    [([0], r"shape \(1,\); expected \(1, 2\)"), ([[0, 2]], "of 1 where")],
)
def test_what_is_no_multi_answer_is_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        score_multi([[0.5, 0.5]], targets, ["a", "b"])


@pytest.mark.parametrize(
    ("predictions", "targets", "message"),
    [
        ([1.0], [1.0, 2.0], r"\(1,\) and targets \(2,\)"),
        ([[1.0]], [[1.0]], "Drop other axes"),
        ([], [], "at least one"),
        ([math.nan], [1.0], "not finite"),
    ],
)
def test_what_is_no_number_for_each_example_is_refused(predictions, targets, message):
    with pytest.raises(ValueError, match=message):
        score_regression(predictions, targets)


def test_another_number_of_texts_is_refused():
    with pytest.raises(ValueError, match="texts has 4 entries; expected 5"):
        confident_mistakes(PROBABILITIES, TARGETS, NAMES, TEXTS[:4])
    with pytest.raises(ValueError, match="texts has 0 entries; expected 1"):
        confident_wrong_decisions([[0.5]], [[1]], ["a"], [])
    with pytest.raises(ValueError, match="texts has 2 entries; expected 1"):
        largest_errors([1.0], [1.0], ["a", "b"])
