"""The same model on another backend: what needs no TensorFlow must not import it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["jax", "torch"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed here")
    return request.param


def make_model():
    from zoo.models import RNNSeq2Seq

    model = RNNSeq2Seq(13, 17, embedding_size=7, units=11, dropout=0.0)
    model.build(None)
    return model


def make_classifier():
    from zoo.models import BertClassifier

    model = BertClassifier(
        13, 3, 2, units=6, hidden_size=5, num_heads=2, num_layers=1, dropout=0.0,
        attention_dropout=0.0,
    )  # fmt: skip
    model.build(None)
    return model


def train_a_classifier(weights_file) -> list[float]:
    """The losses of three steps; the last row of the batch only fills it up."""
    import keras

    from zoo.losses import LabelLoss
    from zoo.recipe import TrainingPlan
    from zoo.training.schedules import make_optimizer
    from zoo.weights import assign_arrays, read_arrays

    model = make_classifier()
    assign_arrays(model, read_arrays(weights_file)[0])
    plan = TrainingPlan(steps=3, learning_rate=0.03, warmup_steps=2)
    model.compile(
        optimizer=make_optimizer(plan),
        loss=LabelLoss("single", 0.1),
        run_eagerly=keras.backend.backend() == "tensorflow",
    )
    ids = np.array([[4, 12, 2, 1, 2], [7, 5, 2, 0, 0], [0, 0, 0, 0, 0]])
    batch = {"token_ids": ids}, np.array([2, 0, 1]), np.array([1.0, 2.0, 0.0])
    return [float(model.train_on_batch(*batch)) for _ in range(3)]


def train_three_steps(weights_file) -> list[float]:
    """The losses of three steps from given weights; the later two follow gradients."""
    import keras

    from zoo.losses import SequenceCrossentropy
    from zoo.recipe import TrainingPlan
    from zoo.training.schedules import make_optimizer
    from zoo.weights import assign_arrays, read_arrays

    model = make_model()
    assign_arrays(model, read_arrays(weights_file)[0])
    plan = TrainingPlan(steps=3, learning_rate=0.03, warmup_steps=2)
    model.compile(
        optimizer=make_optimizer(plan),
        loss=SequenceCrossentropy(0.1),
        # Tracing a graph takes longer than three eager steps.
        run_eagerly=keras.backend.backend() == "tensorflow",
    )
    source = np.array([[4, 12, 9, 1, 3], [7, 5, 3, 0, 0]])
    target = np.array([[2, 9, 16], [2, 7, 0]])
    following = np.array([[9, 16, 1], [7, 1, 0]])
    inputs = {"source_ids": source, "target_ids": target}
    return [float(model.train_on_batch(inputs, following)) for _ in range(3)]


def python_on(backend, *arguments) -> str:
    """Runs Python on a backend in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ
        | {
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            # Compiles in half the time; the numbers are the same.
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_on(backend, code, *arguments):
    """The last line that code prints on a backend, from JSON."""
    return json.loads(python_on(backend, "-c", code, *arguments).splitlines()[-1])


TRAIN_WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = None  # As where it is not installed.
from tests.models.test_backends import train_a_classifier, train_three_steps
print(json.dumps([train_three_steps(sys.argv[1]), train_a_classifier(sys.argv[2])]))
"""


def test_a_backend_without_tensorflow_trains_models_as_tensorflow_does(
    backend, tmp_path, randomize
):
    from zoo.weights import model_arrays, write_arrays

    files = [tmp_path / "translator.safetensors", tmp_path / "classifier.safetensors"]
    for file, model in zip(files, (make_model(), make_classifier()), strict=True):
        write_arrays(file, model_arrays(randomize(model, scale=0.4)))
    found = run_on(backend, TRAIN_WITHOUT_TENSORFLOW, *files)
    expected = [train_three_steps(files[0]), train_a_classifier(files[1])]
    for losses, own in zip(found, expected, strict=True):
        assert losses == pytest.approx(own, abs=1e-4)
        assert own[0] > own[1] > own[2]


IMPORT_AND_LIST = """
import importlib, json, sys
found = {}
for module in sys.argv[1:]:
    importlib.import_module(module)
    found[module] = "tensorflow" in sys.modules
print(json.dumps(found))
"""


def test_what_trains_elsewhere_does_not_import_tensorflow(backend):
    modules = [
        "zoo.layers",
        "zoo.models",
        "zoo.losses",
        "zoo.metrics.perplexity",
        "zoo.metrics.labels",
        "zoo.tasks.text_classification",
        "zoo.training",
        "zoo.presets",
    ]
    assert run_on(backend, IMPORT_AND_LIST, *modules) == dict.fromkeys(modules, False)


# Some of each family; the module says how to run them all.
FEW = (
    "(hard and local_p)"
    " or (gradients and blockwise and cross)"
    " or (training and encoder and causal)"
)


def test_layers_keep_their_contract(backend):
    file = "tests/layers/test_contract.py"
    python_on(backend, "-m", "pytest", file, "-k", FEW, "-p", "no:cacheprovider")
