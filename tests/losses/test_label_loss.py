import numpy as np
import pytest
import tensorflow as tf

from zoo.losses import LabelLoss

# Sizes, all different: batch, labels.
B, N = 3, 5
KINDS = pytest.mark.parametrize("kind", ["single", "multi", "regression"])
SMOOTHINGS = pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
WEIGHTS = np.array([2.0, 0.5, 0.0], "float32")


def targets_of(kind):
    if kind == "single":
        return np.array([4, 0, 2], "int32")
    if kind == "multi":
        rows = [[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
        return np.array(rows, "float32")
    return np.array([0.5, -2.0, 1.25], "float32")


@pytest.fixture
def outputs(random):
    return random.normal(scale=2.0, size=(B, N)).astype("float32")


def reference(kind, target, output, smoothing):
    """The loss of one text, with every distribution written out."""
    output = output.astype("float64")
    if kind == "regression":
        return (output[0] - target) ** 2 / 2
    if kind == "single":
        p = np.exp(output) / np.exp(output).sum()
        q = np.full(N, smoothing / N)
        q[target] += 1 - smoothing
        assert q.sum() == pytest.approx(1)
        return -sum(q * np.log(p))
    losses = []
    for wanted, number in zip(target, output, strict=True):
        p = 1 / (1 + np.exp(-number))
        q = (1 - smoothing) * wanted + smoothing * 0.5
        losses.append(-q * np.log(p) - (1 - q) * np.log(1 - p))
    return np.mean(losses)


@KINDS
@SMOOTHINGS
def test_the_loss_is_the_weighted_mean_of_each_text_s_own(kind, smoothing, outputs):
    targets = targets_of(kind)
    each = [
        reference(kind, *row, smoothing) for row in zip(targets, outputs, strict=True)
    ]
    loss = LabelLoss(kind, smoothing)
    assert float(loss(targets, outputs)) == pytest.approx(np.mean(each), rel=1e-5)
    weighted = float(loss(targets, outputs, sample_weight=WEIGHTS))
    assert weighted == pytest.approx((2 * each[0] + 0.5 * each[1]) / 2.5, rel=1e-5)


@KINDS
def test_rows_of_weight_0_change_nothing(kind, outputs):
    loss = LabelLoss(kind, 0.1)
    targets, changed = targets_of(kind), outputs.copy()
    changed[2] = 50.0
    found = [
        float(loss(targets, some, sample_weight=WEIGHTS)) for some in (outputs, changed)
    ]
    assert found[0] == found[1]


@KINDS
def test_rows_of_weight_0_have_no_gradient(kind, outputs):
    outputs = tf.constant(outputs)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = LabelLoss(kind)(targets_of(kind), outputs, sample_weight=WEIGHTS)
    gradient = tape.gradient(loss, outputs).numpy()
    assert (gradient[2] == 0).all()
    assert (gradient[:2, 0] != 0).all()


@KINDS
def test_nothing_but_filling_has_loss_0(kind, outputs):
    loss = LabelLoss(kind)(targets_of(kind), outputs, sample_weight=np.zeros(B))
    assert float(loss) == 0.0


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_large_half_precision_outputs_give_a_finite_loss(kind, outputs):
    loss = LabelLoss(kind, 0.1)(targets_of(kind), tf.cast(1e4 * outputs, "float16"))
    assert loss.dtype == tf.float32
    assert np.isfinite(float(loss))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"kind": "double"}, "kind='double'"),
        ({"label_smoothing": -0.1}, "label_smoothing=-0.1"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LabelLoss(**options)


def test_the_config_makes_the_same_loss(outputs):
    loss = LabelLoss("multi", 0.3)
    copy = LabelLoss.from_config(loss.get_config())
    targets = targets_of("multi")
    assert copy.get_config() == loss.get_config()
    assert float(copy(targets, outputs)) == float(loss(targets, outputs))
