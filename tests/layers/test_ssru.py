import keras
import numpy as np
import pytest

from tests.references import bergamot
from zoo.layers import SSRU

B, L, U = 2, 5, 7


@pytest.fixture
def layer(randomize):
    layer = SSRU()
    layer.build((None, None, U))
    return randomize(layer)


@pytest.fixture
def inputs(random):
    return random.normal(size=(B, L, U)).astype("float32")


def reference(layer, inputs):
    """One sequence, one step at a time, by Marian's names."""
    kernel, gate, bias = (
        np.asarray(weight, "float64")
        for weight in (
            layer.update_dense.kernel,
            layer.forget_dense.kernel,
            layer.forget_dense.bias,
        )
    )
    weights = {"x_W": kernel, "x_Wf": gate, "x_bf": bias[None]}
    cell, outputs = np.zeros(U), []
    for vector in inputs:
        output, cell = bergamot.ssru(vector, cell, weights, "x")
        outputs.append(output)
    return np.array(outputs), cell


def test_it_is_the_papers_recurrence(layer, inputs):
    found = np.asarray(layer(inputs))
    for row, sequence in zip(found, inputs, strict=True):
        expected, _ = reference(layer, sequence)
        np.testing.assert_allclose(row, expected, atol=1e-6)
    assert (found == 0).any()
    assert (found > 0.1).any()


def test_steps_give_outputs_and_the_last_state(layer, inputs):
    state = layer.initial_state(inputs)
    for t in range(L):
        output, state = layer.step(inputs[:, t], state)
        np.testing.assert_allclose(output, layer(inputs)[:, t], atol=1e-6)
    for row, sequence in zip(np.asarray(state), inputs, strict=True):
        np.testing.assert_allclose(row, reference(layer, sequence)[1], atol=1e-6)


def test_in_half_precision_the_state_is_not(randomize, inputs):
    layer = SSRU(dtype="mixed_bfloat16")
    layer.build((None, None, U))
    start = layer.initial_state(inputs)
    output, state = layer.step(inputs[:, 0], start)
    found = [keras.backend.standardize_dtype(x.dtype) for x in (start, output, state)]
    assert found == ["float32", "bfloat16", "float32"]
