"""Moving averages of weights: what is judged and kept after a round."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo.recipe import TrainingPlan
from zoo.training.rounds import BEST, train_model
from zoo.weights import model_arrays, read_arrays

PLAN = TrainingPlan(
    steps=6, round_steps=2, learning_rate=0.1, warmup_steps=0, average_last=1,
    label_smoothing=0.0, monitor="loss", schedule="constant", ema_momentum=0.7,
)  # fmt: skip
RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(6, 11, 5)).astype("float32")
Y = (X @ RANDOM.normal(size=(5, 3)) + 2).astype("float32")


class Batches:
    """One batch a step; the validation data is the first."""

    steps_per_epoch = 1

    def stream(self, start_step):
        step = start_step
        while True:
            yield X[step % len(X)], Y[step % len(X)]
            step += 1

    def once(self):
        yield X[0], Y[0]


class Task:
    def loss(self, label_smoothing):
        return "mse"

    def metrics(self):
        return {}


class Weights(keras.callbacks.Callback):
    """Every step's weights; breaks off after a round if told to."""

    def __init__(self, last_round=None):
        super().__init__()
        self.after_steps, self.last_round = [], last_round

    def on_train_batch_end(self, batch, logs=None):
        self.after_steps.append(model_arrays(self.model))

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.last_round:
            raise KeyboardInterrupt


class Model(keras.Model):
    def __init__(self):
        super().__init__(name="model")
        self.hidden = keras.layers.Dense(7, activation="tanh", name="hidden")
        self.noise = keras.layers.Dropout(0.3, name="noise")
        self.head = keras.layers.Dense(3, name="head")

    def build(self, inputs_shape):
        self.hidden.build((None, 5))
        self.head.build((None, 7))
        self.built = True

    def call(self, inputs, training=False):
        return self.head(self.noise(self.hidden(inputs), training=training))


def make_model():
    keras.utils.set_random_seed(3)
    model = Model()
    model.build(None)
    return model


@pytest.fixture(autouse=True)
def eagerly():
    """Six eager steps are quicker than a graph."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# Its own graph is traced all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


def trained(folder, plan=PLAN, model=None, **options):
    model, weights = model or make_model(), Weights()
    batches = Batches()
    found = train_model(
        model, Task(), plan, batches, batches, folder, callbacks=[weights], **options
    )
    return model, found, weights.after_steps


def averages_of(after_steps, momentum):
    """The first weights as they are, then a step of 1 - momentum to each next."""
    averages = [after_steps[0]]
    for arrays in after_steps[1:]:
        averages.append(
            {
                name: momentum * averages[-1][name] + (1 - momentum) * arrays[name]
                for name in arrays
            }
        )
    return averages


def assert_near(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=1e-6, err_msg=name)


def loss_of(arrays):
    hidden = np.tanh(X[0] @ arrays["hidden/kernel"] + arrays["hidden/bias"])
    return np.mean((hidden @ arrays["head/kernel"] + arrays["head/bias"] - Y[0]) ** 2)


def test_what_is_judged_and_kept_is_the_average(tmp_path):
    """Also that training goes on from the weights themselves."""
    model, found, after_steps = trained(tmp_path)
    averages = averages_of(after_steps, 0.7)
    rounds = [averages[step] for step in (1, 3, 5)]
    losses = [row["val_loss"] for row in found["history"]]
    assert losses == pytest.approx([loss_of(each) for each in rounds], rel=1e-4)
    best = int(np.argmin(losses))
    assert_near(read_arrays(tmp_path / BEST)[0], rounds[best])
    assert_near(model_arrays(model), rounds[best])
    assert found["score"] == -losses[best]
    # That is not what the last step left.
    raw = loss_of(after_steps[[1, 3, 5][best]])
    assert abs(raw - losses[best]) > 1e-3


def test_steps_are_those_of_a_training_without_averages(tmp_path):
    *_, averaged = trained(tmp_path)
    (tmp_path / "plain").mkdir()
    plain = dataclasses.replace(PLAN, ema_momentum=0.0)
    model, found, after_steps = trained(tmp_path / "plain", plain)
    for one, other in zip(averaged, after_steps, strict=True):
        assert_near(one, other)
    best = int(np.argmin([row["val_loss"] for row in found["history"]]))
    assert_near(model_arrays(model), after_steps[2 * best + 1])


@pytest.mark.parametrize("last_round", [0, 1])
def test_a_training_broken_off_ends_with_the_very_same_averages(last_round, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    expected_model, expected, _ = trained(whole)
    batches, stop = Batches(), Weights(last_round)
    with pytest.raises(KeyboardInterrupt):
        train_model(
            make_model(), Task(), PLAN, batches, batches, broken, callbacks=[stop]
        )
    # Another start, which the checkpoint must replace entirely.
    other = make_model()
    for weight in other.weights:
        weight.assign(weight + 1)
    model, found, steps = trained(broken, model=other, resume=True)
    assert len(steps) == 6 - 2 * (last_round + 1)
    for name, array in model_arrays(expected_model).items():
        np.testing.assert_array_equal(model_arrays(model)[name], array, err_msg=name)
    for one, two in zip(found["history"], expected["history"], strict=True):
        assert one["val_loss"] == two["val_loss"]


@pytest.mark.parametrize("momentum", [-0.1, 1.0, float("nan")])
def test_a_momentum_out_of_range_is_refused(momentum):
    with pytest.raises(ValueError, match="ema_momentum"):
        TrainingPlan(ema_momentum=momentum)


ON_JAX = """
import sys
from tests.training.test_ema import PLAN, Batches, Task, make_model, train_model
found = train_model(make_model(), Task(), PLAN, Batches(), Batches(), sys.argv[1])
print(len(found["history"]))
"""


def test_on_jax_averages_outlive_the_validation_of_the_weights(tmp_path):
    pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX, str(tmp_path)],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3"
