import numpy as np
import pytest

from zoo.metrics.perplexity import Perplexity

V = 11


def test_perplexity_of_even_guesses_is_the_vocabulary_size():
    metric = Perplexity()
    metric.update_state(np.array([[1, 7, 0]]), np.zeros((1, 3, V), "float32"))
    assert float(metric.result()) == pytest.approx(V, rel=1e-6)


def test_perplexity_is_the_exponential_of_the_mean_cross_entropy(random):
    ids = np.array([[3, 10, 2], [7, 0, 0]])
    logits = random.normal(size=(2, 3, V))
    metric = Perplexity()
    metric.update_state(ids, logits.astype("float32"))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    real = [p[0, 0, 3], p[0, 1, 10], p[0, 2, 2], p[1, 0, 7]]
    expected = np.exp(-np.log(real).mean())
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_two_batches_of_different_sizes_count_as_one(random):
    ids = random.integers(1, V, size=(5, 7))
    ids[0, 3:] = 0
    ids[4, 1:] = 0
    logits = random.normal(scale=3.0, size=(5, 7, V)).astype("float32")
    whole, parts = Perplexity(), Perplexity()
    whole.update_state(ids, logits)
    parts.update_state(ids[:2], logits[:2])
    parts.update_state(ids[2:], logits[2:])
    assert float(parts.result()) == pytest.approx(float(whole.result()), rel=1e-5)


def test_padding_is_not_counted(random):
    ids = random.integers(1, V, size=(2, 3))
    logits = random.normal(size=(2, 8, V)).astype("float32")
    plain, padded = Perplexity(), Perplexity()
    plain.update_state(ids, logits[:, :3])
    padded.update_state(np.pad(ids, ((0, 0), (0, 5))), logits)
    assert float(padded.result()) == pytest.approx(float(plain.result()), rel=1e-6)


def test_a_reset_forgets_everything():
    metric = Perplexity()
    metric.update_state(np.array([[1]]), np.zeros((1, 1, V), "float32"))
    metric.reset_state()
    assert float(metric.result()) == 1.0


def test_the_config_makes_the_same_metric():
    metric = Perplexity(padding_id=3, name="ppl")
    copy = Perplexity.from_config(metric.get_config())
    assert (copy.padding_id, copy.name) == (3, "ppl")
