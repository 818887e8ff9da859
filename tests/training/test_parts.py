"""Parts of a model by pattern: frozen, or with rates of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo.recipe import TrainingPlan
from zoo.training.parts import (
    decayed_rates,
    first_step,
    frozen,
    frozen_weights,
    rate_factor,
)
from zoo.training.schedules import make_optimizer
from zoo.values import convert_fields
from zoo.weights import weight_address

ROOT = Path(__file__).parents[2]
RATES = [("encoder/.*", 2.0), ("encoder/bias", 0.0), (".*/late/.*", 0.5)]


def make_model():
    layers = [keras.layers.Dense(3, name=name) for name in ("encoder", "decoder")]
    model = keras.Sequential([keras.Input([5]), *layers], name="model")
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    return model


def changes_of_one_step(rates, weight_decay: float) -> dict[str, float]:
    """How far one step moves each weight, all of which are 1 with gradient 1."""
    model = make_model()
    plan = TrainingPlan(
        learning_rate=0.1, warmup_steps=0, rates=rates, weight_decay=weight_decay
    )
    optimizer = make_optimizer(plan)
    gradients = [keras.ops.ones(weight.shape) for weight in model.weights]
    optimizer.apply(gradients, model.trainable_weights)
    moved = {weight_address(w): 1 - np.asarray(w) for w in model.weights}
    return {name: float(array.mean()) for name, array in moved.items()}


# The plan


def test_patterns_are_read_from_strings_lists_and_mappings():
    fields = {"freeze": "encoder/.* a=b", "rates": "encoder/.*=0.5 x{2}=3"}
    found = convert_fields(TrainingPlan, fields)
    assert found["freeze"] == ("encoder/.*", "a=b")
    assert found["rates"] == (("encoder/.*", 0.5), ("x{2}", 3.0))
    for rates in ({"a": 1, "b": 2}, [["a", 1], ["b", 2]], ["a=1", "b=2"]):
        plan = TrainingPlan(freeze=["c"], rates=rates)
        assert (plan.freeze, plan.rates) == (("c",), (("a", 1.0), ("b", 2.0)))
        hash(plan)


def test_patterns_survive_a_configuration_file(tmp_path):
    from zoo.presets import read_recipe, write_recipe

    recipe = zoo.get("translation_rnn", size="tiny", freeze="a", rates={"b": 2})
    write_recipe(tmp_path, recipe)
    assert read_recipe(tmp_path) == recipe


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("freeze", "encoder/(", "freeze takes regular expressions"),
        ("freeze", 3, "freeze must be a list of strings"),
        ("freeze", [3], "freeze must be a str"),
        ("rates", "encoder/.*", r"rates takes name=number. Received: .*encoder/\.\*"),
        ("rates", {"a": "fast"}, "rates must be a float"),
        ("rates", {"a": -0.5}, r"at least 0\. Received: a=-0\.5"),
        ("rates", {"a": float("nan")}, "at least 0"),
        ("rates", {"(": 1}, "rates takes regular expressions"),
    ],
)
def test_wrong_patterns_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        TrainingPlan(**{field: value})


# Freezing


def test_what_is_frozen_thaws_at_the_end():
    model = make_model()
    with frozen(model, TrainingPlan(freeze=["encoder/.*", ".*/bias"])):
        assert [weight_address(w) for w in model.trainable_weights] == [
            "decoder/kernel"
        ]
    assert len(model.trainable_weights) == 4


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("freeze", ["encodr/.*"], r"'encodr/\.\*' matches no weight\. Did you mean "),
        ("freeze", ["encoder"], r"Did you mean 'encoder/\.\*'\? .*decoder/\.\*, enc"),
        ("freeze", ["decoder/.*", "enc.*"], "nothing to train: all 4 weights match"),
        ("rates", {"kernel": 2}, "rates='kernel' matches no weight"),
    ],
)
def test_patterns_that_do_not_fit_the_model_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        frozen_weights(make_model(), TrainingPlan(**{field: value}))


def test_a_rate_of_what_is_frozen_is_refused():
    plan = TrainingPlan(freeze=["encoder/.*"], rates={"encoder/bias": 2})
    with pytest.raises(ValueError, match="rates='encoder/bias' is without effect"):
        frozen_weights(make_model(), plan)


# Rates


def test_the_last_rate_that_matches_counts():
    assert rate_factor("encoder/kernel", RATES) == 2.0
    assert rate_factor("encoder/bias", RATES) == 0.0
    assert rate_factor("encoder/bias", RATES[::-1]) == 2.0
    assert rate_factor("decoder/kernel", RATES) == 1.0
    assert rate_factor("x/encoder/bias", RATES) == 1.0


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_a_rate_scales_the_step_and_the_decay(weight_decay):
    found = changes_of_one_step(RATES[:2], weight_decay)
    # Adam's first step is the learning rate, whatever the gradient.
    expected = 0.1 * (1 + weight_decay)
    assert found["decoder/kernel"] == pytest.approx(expected, rel=1e-5)
    assert found["encoder/kernel"] == pytest.approx(2 * expected, rel=1e-5)
    assert found["encoder/bias"] == 0.0


ON_JAX = (
    "import json; from tests.training.test_parts import *;"
    "print(json.dumps(changes_of_one_step(RATES[:2], 0.3)))"
)


def test_rates_are_the_same_under_jax():
    pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == pytest.approx(changes_of_one_step(RATES[:2], 0.3), abs=1e-6)


def test_the_optimizer_is_made_again_from_its_config():
    optimizer = make_optimizer(TrainingPlan(rates=RATES))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.rates == optimizer.rates == tuple(RATES)
    optimizer = make_optimizer(TrainingPlan(unfreeze={"encoder/.*": 3}))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.unfreeze == optimizer.unfreeze == (("encoder/.*", 3.0),)


def test_rates_fall_by_a_factor_with_each_layer_below_the_head():
    model = make_model()
    parts = ["encoder/.*", "nowhere/.*", "decoder/.*"]
    model.parts_by_depth = lambda: parts
    # A part without weights counts as a layer, but needs no rate.
    assert decayed_rates(model, 0.5) == (("encoder/.*", 0.25), ("decoder/.*", 1.0))
    assert decayed_rates(model, 1) == (("encoder/.*", 1), ("decoder/.*", 1))


@pytest.mark.parametrize("decay", [0, -0.5, 1.01])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match=f"layer_decay.*Received: {decay}"):
        decayed_rates(make_model(), decay)


# Unfreezing


def test_the_last_step_that_matches_counts():
    steps = [("encoder/.*", 5.0), (".*/bias", 2.0)]
    assert first_step("encoder/kernel", steps) == 5.0
    assert first_step("encoder/bias", steps) == 2.0
    assert first_step("decoder/kernel", steps) == 0.0


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_weights_stay_bit_by_bit_until_their_step(weight_decay):
    model = make_model()
    plan = TrainingPlan(
        learning_rate=0.1,
        warmup_steps=0,
        weight_decay=weight_decay,
        unfreeze={"encoder/.*": 2, "decoder/bias": 1},
    )
    optimizer = make_optimizer(plan)
    gradients = [keras.ops.ones(weight.shape) for weight in model.weights]
    moved = []
    for _ in range(4):
        optimizer.apply(gradients, model.trainable_weights)
        moved.append(
            {weight_address(w) for w in model.weights if (np.asarray(w) != 1).any()}
        )
    assert moved[0] == {"decoder/kernel"}
    assert moved[1] == {"decoder/kernel", "decoder/bias"}
    assert moved[2] == moved[3] == {weight_address(w) for w in model.weights}


def test_what_is_frozen_for_good_cannot_be_unfrozen():
    plan = TrainingPlan(freeze=["encoder/.*"], unfreeze={"encoder/bias": 2})
    with pytest.raises(ValueError, match="unfreeze='encoder/bias' is without effect"):
        frozen_weights(make_model(), plan)
    with pytest.raises(ValueError, match="unfreeze='encodr' matches no weight"):
        frozen_weights(make_model(), TrainingPlan(unfreeze={"encodr": 2}))
