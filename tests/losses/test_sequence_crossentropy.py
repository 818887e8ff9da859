import numpy as np
import pytest
import tensorflow as tf

from zoo.losses import SequenceCrossentropy

# Sizes, all different: batch, length, vocabulary.
B, T, V = 2, 3, 5
SMOOTHINGS = pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])


@pytest.fixture
def batch(random):
    ids = np.array([[4, 1, 0], [2, 0, 0]])
    return ids, random.normal(scale=2.0, size=(B, T, V)).astype("float32")


def reference(ids, logits, smoothing, padding_id=0):
    """-sum(q log p) a token, with the whole distribution q written out."""
    total, count = 0.0, 0
    for row, row_logits in zip(ids, logits.astype("float64"), strict=True):
        for token, scores in zip(row, row_logits, strict=True):
            if token == padding_id:
                continue
            p = np.exp(scores) / np.exp(scores).sum()
            q = np.full(V, smoothing / V)
            q[token] += 1.0 - smoothing
            assert q.sum() == pytest.approx(1.0)
            total -= (q * np.log(p)).sum()
            count += 1
    return total / count


@SMOOTHINGS
def test_the_loss_is_the_mean_cross_entropy_to_the_smoothed_target(batch, smoothing):
    loss = SequenceCrossentropy(smoothing)(*batch)
    assert float(loss) == pytest.approx(reference(*batch, smoothing), rel=1e-5)


@SMOOTHINGS
def test_padding_a_batch_further_changes_nothing(batch, random, smoothing):
    ids, logits = batch
    more = random.normal(scale=9.0, size=(B, 4, V)).astype("float32")
    padded_ids = np.pad(ids, ((0, 0), (0, 4)))
    loss = SequenceCrossentropy(smoothing)
    padded = loss(padded_ids, np.concatenate([logits, more], axis=1))
    assert float(padded) == pytest.approx(float(loss(ids, logits)), rel=1e-6)


@SMOOTHINGS
def test_a_batch_of_nothing_but_padding_has_loss_zero(batch, smoothing):
    loss = SequenceCrossentropy(smoothing)(np.zeros((B, T), int), batch[1])
    assert float(loss) == 0.0


@SMOOTHINGS
def test_padding_has_no_gradient(batch, smoothing):
    ids, logits = batch
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SequenceCrossentropy(smoothing)(ids, logits)
    gradient = tape.gradient(loss, logits).numpy()
    assert (gradient[ids == 0] == 0.0).all()
    assert (gradient[ids != 0] != 0.0).all()


def test_another_padding_id_is_left_out(batch):
    ids, logits = batch
    loss = SequenceCrossentropy(padding_id=2)(ids, logits)
    assert float(loss) == pytest.approx(
        reference(ids, logits, 0.0, padding_id=2), rel=1e-5
    )


def test_large_half_precision_logits_give_a_finite_loss(batch):
    ids, logits = batch
    loss = SequenceCrossentropy(0.1)(ids, tf.cast(1e4 * logits, "float16"))
    assert loss.dtype == tf.float32
    assert np.isfinite(float(loss))


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_outside_its_range_is_an_error(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing={smoothing}"):
        SequenceCrossentropy(smoothing)


def test_the_config_makes_the_same_loss(batch):
    loss = SequenceCrossentropy(0.3, padding_id=2)
    copy = SequenceCrossentropy.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert float(copy(*batch)) == float(loss(*batch))
