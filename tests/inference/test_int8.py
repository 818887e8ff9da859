"""int8 against its definition in NumPy. One process of its own runs it all: TensorFlow
reads the environment that int8 needs when it is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.export.check_export import check_export
from zoo.files import MANIFEST, read_json
from zoo.inference import INT8_ENVIRONMENT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "int8"
    done = subprocess.run(
        [sys.executable, "-m", "tests.inference.int8_process", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | INT8_ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    if not found["works"]:
        pytest.skip("TensorFlow runs no int8 products on this processor")
    return found


def test_a_product_is_that_of_its_definition(found):
    kernel, bias, inputs = (
        np.array(found["product"][name]) for name in ("kernel", "bias", "inputs")
    )
    # Of weights: symmetric, one scale an output, so that two neighbours of one sign are
    # 127 together at most.
    scale = np.full(13, 1e-9 / 127)
    for one, other in zip(kernel[::2], [*kernel[1::2], np.zeros(13)], strict=True):
        together = np.maximum(abs(one), abs(other))
        together = np.where(one * other > 0, abs(one + other), together)
        scale = np.maximum(scale, together / 127)
    rounded = np.round(kernel / scale)
    assert 64 < np.abs(rounded).max() <= 127
    # Of inputs: 127 steps from zero to 2, 128 to the other side, and nothing beyond.
    step = 2.0 / 127
    seen = np.clip(np.round(inputs / step), -128, 127) * step
    expected = 2.0 * (seen @ (rounded * scale) + bias)
    result = np.array(found["product"]["found"])
    # An input between two steps may be rounded to either.
    np.testing.assert_allclose(result, expected, atol=1e-3)
    # Half a step of each input and half a scale of each weight, at most.
    exact = 2.0 * (np.clip(inputs, -2.0 - step, 2.0) @ kernel + bias)
    bound = np.abs(kernel).sum(axis=0) * step + 29 * 2.0 * scale
    assert (np.abs(result - exact) <= bound + 1e-6).all()
    assert np.abs(result - exact).max() > 1e-3


def test_zeros_are_exact(found):
    """Behind a ReLU most inputs are: an error of each would add up."""
    bias = np.array(found["product"]["bias"])
    for row in found["product"]["of_zeros"]:
        np.testing.assert_allclose(row, 2.0 * bias, atol=1e-5)


def test_the_largest_number_seen_is_the_range(found):
    assert found["watched"] == 7.0


@pytest.mark.parametrize("kind", ["pre", "post", "ssru"])
def test_a_transformer_in_int8_is_near_its_float_self(found, kind):
    found = found[kind]
    assert found["kinds"] == ["Int8Linear"]
    assert found["variables"] == 0
    floats, int8 = np.array(found["floats"]), np.array(found["int8"])
    error = np.abs(int8 - floats)
    spread = floats.std()
    assert 1e-4 * spread < error.mean() < 0.04 * spread
    # At a position whose attention stands between two words, a rounding may decide.
    far = error.max(axis=-1) > 0.3 * spread
    assert far.mean() < 0.05


def test_an_export_in_int8_answers_where_the_environment_says_nothing(
    found, monkeypatch
):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    report = check_export(found["exported"])
    assert len(report) == 4
    manifest = read_json(Path(found["exported"]) / MANIFEST)
    assert manifest["environment"] == INT8_ENVIRONMENT
    assert manifest["details"]["weights"] == "int8"
