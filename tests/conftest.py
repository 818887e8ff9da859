"""What every test may use."""

import os

import numpy as np
import pytest

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def randomize(random):
    """Fills all weights of a layer: a bias or gain at its start would hide mistakes."""

    def fill(layer, scale=0.7):
        for weight in layer.weights:
            numbers = random.normal(scale=scale, size=tuple(weight.shape))
            weight.assign(numbers.astype("float32"))
        return layer

    return fill
