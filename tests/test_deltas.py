"""Presets of which only the difference to another one is on disk."""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo import presets
from zoo.data.labelled_text import LabelledText
from zoo.deltas import LEFT, RIGHT, combined, difference
from zoo.presets import Preset, load_preset, save_preset
from zoo.tasks.text_classification import TextClassificationTask
from zoo.weights import model_arrays, read_arrays, write_arrays

# Rows, columns, rank: all different.
N, M, R = 40, 30, 3


@pytest.fixture
def base(random):
    return {
        "same/kernel": random.normal(size=(N, M)).astype("float32"),
        "thin/kernel": random.normal(size=(N, M)).astype("float32"),
        "full/kernel": random.normal(size=(N, M)).astype("float32"),
        "bias": random.normal(size=M).astype("float32"),
        "gone": np.zeros(2, "float32"),
    }


@pytest.fixture
def arrays(base, random):
    """What became of them: one equal, one low-rank change, all else another."""
    thin = random.normal(size=(N, R)) @ random.normal(size=(R, M))
    return {
        "same/kernel": base["same/kernel"].copy(),
        "thin/kernel": (base["thin/kernel"] + 0.01 * thin).astype("float32"),
        "full/kernel": random.normal(size=(N, M)).astype("float32"),
        "bias": base["bias"] + np.float32(1),
        "head/kernel": np.ones((M, 2), "float32"),
    }


def test_equal_weights_are_left_out_and_thin_changes_are_products(arrays, base):
    kept = difference(arrays, base)
    thin = ["thin/kernel" + LEFT, "thin/kernel" + RIGHT]
    assert sorted(kept) == sorted([*thin, "full/kernel", "bias", "head/kernel"])
    assert kept[thin[0]].shape == (N, R)
    assert kept[thin[1]].shape == (R, M)


def test_combined_they_are_the_weights_again(arrays, base):
    found = combined(difference(arrays, base), base)
    assert set(found) == set(arrays) | {"gone"}
    for name in ("same/kernel", "full/kernel", "bias", "head/kernel"):
        assert found[name].tobytes() == arrays[name].tobytes()
    np.testing.assert_allclose(found["thin/kernel"], arrays["thin/kernel"], atol=1e-5)


def test_nothing_is_kept_of_what_is_equal(base):
    assert difference(base, base) == {}


def test_another_shape_is_a_difference(base):
    other = dict(base, bias=np.zeros(M + 1, "float32"))
    assert list(difference(other, base)) == ["bias"]


@pytest.mark.parametrize("lost", [LEFT, RIGHT])
def test_a_product_without_one_factor_is_refused(arrays, base, lost):
    kept = difference(arrays, base)
    del kept["thin/kernel" + lost]
    with pytest.raises(ValueError, match=r"thin/kernel:"):
        combined(kept, base)


def test_a_product_that_does_not_fit_the_base_is_refused(arrays, base):
    kept = difference(arrays, base)
    for other in (dict(base, **{"thin/kernel": np.zeros((N, M + 1))}), {}):
        with pytest.raises(ValueError, match="must be two matrices"):
            combined(kept, other)


# As presets

DATA = LabelledText(["good film", "bad film"] * 6, ["good", "bad"] * 6)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A base that ships, as far as can be told, and a preset that differs little."""
    recipe = zoo.get("text_classification_rnn", size="tiny", vocabulary_size=30)
    task = TextClassificationTask.learn(DATA, 30)
    base = Preset(recipe, task, recipe.build_model(task.model_options()), {})
    monkeypatch.setattr(presets, "SHIPPED", tmp_path / "shipped")
    save_preset(base, tmp_path / "shipped" / "rnn" / "base" / "preset")
    tuned = recipe.build_model(task.model_options())
    kernel = tuned.recurrent[0].forward_layer.cell.kernel
    change = np.outer(np.arange(kernel.shape[0]), np.arange(kernel.shape[1]))
    kernel.assign(kernel + 1e-3 * change)
    tuned.head.bias.assign([1.0, -1.0])
    return dataclasses.replace(base, model=tuned)


def test_a_preset_beside_its_base_is_small_and_loads_alike(shipped, tmp_path):
    for base, name in ((None, "whole"), ("rnn/base", "delta")):
        save_preset(shipped, tmp_path / name, base=base)
    found = load_preset(tmp_path / "delta")
    for name, array in model_arrays(shipped.model).items():
        np.testing.assert_allclose(model_arrays(found.model)[name], array, atol=1e-6)
    sizes = [
        (tmp_path / name / "weights.safetensors").stat().st_size
        for name in ("whole", "delta")
    ]
    assert sizes[1] < sizes[0] / 5


def test_a_base_that_is_not_shipped_is_refused(shipped, tmp_path):
    with pytest.raises(ValueError, match=r"Did you mean 'rnn/base'"):
        save_preset(shipped, tmp_path / "delta", base="rnn/bse")
    save_preset(shipped, tmp_path / "delta", base="rnn/base")
    (tmp_path / "shipped" / "rnn" / "base").rename(tmp_path / "shipped" / "rnn" / "b")
    with pytest.raises(ValueError, match="'rnn/base', which does not ship"):
        load_preset(tmp_path / "delta")


def test_a_base_that_has_changed_since_is_refused(shipped, tmp_path):
    save_preset(shipped, tmp_path / "delta", base="rnn/base")
    weights = presets.SHIPPED / "rnn" / "base" / "preset" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match="another state of rnn/base"):
        load_preset(tmp_path / "delta")


def test_a_preset_that_lost_a_factor_is_refused(shipped, tmp_path):
    save_preset(shipped, tmp_path / "delta", base="rnn/base")
    path = tmp_path / "delta" / "weights.safetensors"
    arrays, about = read_arrays(path)
    lost = next(name for name in arrays if name.endswith(RIGHT))
    write_arrays(path, {name: arrays[name] for name in arrays if name != lost}, about)
    with pytest.raises(ValueError, match="must be two matrices"):
        load_preset(tmp_path / "delta")
