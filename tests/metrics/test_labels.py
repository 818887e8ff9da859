"""What is measured while training, against scikit-learn and NumPy."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from zoo.metrics.labels import LabelF1, LabelPerplexity, RootMeanSquaredError

N = 5


@pytest.fixture
def single(random):
    """Targets and outputs; label 3 neither stands in the data nor is predicted."""
    targets = random.choice([0, 1, 2, 4], size=40)
    outputs = random.normal(size=(40, N)).astype("float32")
    outputs[:, 3] = -9
    return targets, outputs


@pytest.fixture
def multi(random):
    targets = (random.random((40, N)) < 0.4).astype("float32")
    outputs = random.normal(size=(40, N)).astype("float32")
    targets[:, 2], outputs[:, 2] = 0, -1
    return targets, outputs


def measured(metric, *batches) -> float:
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_of_single_labels_is_scikit_learn_s(single, average):
    targets, outputs = single
    expected = f1_score(targets, outputs.argmax(1), average=average)
    assert measured(LabelF1(N, average), single) == pytest.approx(expected, rel=1e-5)
    if average == "micro":
        assert expected == pytest.approx((targets == outputs.argmax(1)).mean())


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_of_several_labels_is_scikit_learn_s(multi, average):
    targets, outputs = multi
    seen = np.flatnonzero((targets.sum(0) + (outputs > 0).sum(0)) > 0)
    assert 2 not in seen
    expected = f1_score(targets[:, seen], outputs[:, seen] > 0, average=average)
    found = measured(LabelF1(N, average, "multi"), multi)
    assert found == pytest.approx(expected, rel=1e-5)


def test_perplexity_is_the_exponential_of_the_mean_cross_entropy(single):
    targets, outputs = single
    p = np.exp(outputs.astype("float64"))
    p /= p.sum(1, keepdims=True)
    expected = np.exp(-np.log(p[np.arange(40), targets]).mean())
    assert measured(LabelPerplexity(), single) == pytest.approx(expected, rel=1e-5)


def test_perplexity_of_even_guesses_is_the_number_of_labels():
    batch = np.array([1, 4]), np.zeros((2, N), "float32")
    assert measured(LabelPerplexity(), batch) == pytest.approx(N, rel=1e-6)


def test_the_error_of_numbers_is_its_root_mean_square(random):
    targets, outputs = random.normal(size=9), random.normal(size=(9, 1))
    expected = np.sqrt(((outputs[:, 0] - targets) ** 2).mean())
    found = measured(RootMeanSquaredError(), (targets, outputs))
    assert found == pytest.approx(expected, rel=1e-5)


METRICS = {
    "single": [LabelF1(N, "micro"), LabelF1(N, "macro"), LabelPerplexity()],
    "multi": [LabelF1(N, "macro", "multi"), LabelPerplexity("multi")],
}


@pytest.mark.parametrize("kind", METRICS)
def test_batches_count_as_one_and_rows_of_weight_0_do_not_count(kind, request):
    targets, outputs = request.getfixturevalue(kind)
    weights = np.ones(40, "float32")
    weights[30:] = 0
    for metric in METRICS[kind]:
        whole = measured(metric, (targets[:30], outputs[:30]))
        metric.reset_state()
        halves = [
            (targets[part], outputs[part], weights[part])
            for part in (slice(0, 13), slice(13, 40))
        ]
        assert measured(metric, *halves) == pytest.approx(whole, rel=1e-5)


def test_weights_count_in_the_error_of_numbers():
    targets, outputs = np.array([0.0, 0.0, 0.0]), np.array([[1.0], [3.0], [100.0]])
    found = measured(RootMeanSquaredError(), (targets, outputs, np.array([1, 3, 0])))
    assert found == pytest.approx(np.sqrt((1 + 3 * 9) / 4))


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average='mean'"):
        LabelF1(N, "mean")


@pytest.mark.parametrize(
    "metric", [LabelF1(N, "macro", "multi", name="f"), LabelPerplexity("multi")]
)
def test_the_config_makes_the_same_metric(metric, multi):
    copy = type(metric).from_config(metric.get_config())
    assert copy.name == metric.name
    metric.reset_state()
    assert measured(copy, multi) == measured(metric, multi)
