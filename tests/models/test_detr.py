import json
import re

import keras
import numpy as np
import pytest

from tests.backend import gradients
from tests.models.test_backends import run_on
from tests.references import detr as reference
from zoo.models import Detr
from zoo.weights import model_arrays, read_arrays, write_arrays

# Classes, queries, and an image of 3 x 2 cells in a batch of 4 x 3.
CLASSES, QUERIES = 3, 5
SIZES = {
    "backbone": {"blocks": (1, 1), "width": 2},
    "units": 12,
    "hidden_size": 7,
    "num_heads": 3,
    "num_layers": 2,
}
SIDES, CANVAS = (23, 16), (31, 17)


def make_model(**options):
    model = Detr(CLASSES, QUERIES, **SIZES | options)
    model.build()
    return model


@pytest.fixture
def model(random):
    return filled(make_model(), random)


def filled(model, random):
    for weight in model.weights:
        shape = tuple(weight.shape)
        if weight.name in ("gamma", "moving_variance"):
            numbers = random.uniform(0.5, 1.5, size=shape)
        else:
            scale = np.prod(shape[:-1]) ** -0.5 if weight.name == "kernel" else 0.3
            # Sharp attention: an average over everything hides what it is over.
            sharp = 5.0 if "query/kernel" in weight.path else 1.0
            numbers = random.normal(scale=sharp * scale, size=shape)
        weight.assign(numbers)
    model.queries.assign(random.normal(size=(QUERIES, 12)))
    return model


@pytest.fixture
def inputs(random):
    """Two images in a batch, of which the second is padded."""
    pixels = random.uniform(0, 255, size=(2, *CANVAS, 3)).astype("float32")
    mask = np.ones((2, *CANVAS), bool)
    mask[1, SIDES[0] :] = False
    mask[1, :, SIDES[1] :] = False
    return {"pixels": pixels, "mask": mask}


def alone(inputs):
    height, width = SIDES
    return {name: array[1:, :height, :width] for name, array in inputs.items()}


def test_outputs_are_those_of_the_paper(model, inputs):
    """And a padded row is what the image is alone, for the reference knows no batch."""
    weights = {k: v.astype("float64") for k, v in model_arrays(model).items()}
    found = model(inputs)
    assert found["logits"].shape == (2, 2, QUERIES, CLASSES + 1)
    images = inputs["pixels"][0], alone(inputs)["pixels"][0]
    for row, image in enumerate(images):
        logits, boxes = reference.detect(image, weights, (1, 1), 2, 3)
        np.testing.assert_allclose(found["logits"][row], logits, atol=1e-4)
        np.testing.assert_allclose(found["boxes"][row], boxes, atol=1e-5)
        # Queries and layers differ, so what is compared is not one number.
        assert logits.std(axis=1).min() > 0.01
        assert np.abs(logits[0] - logits[1]).max() > 0.05


@pytest.mark.parametrize("fault", ["no mask", "height for width", "padding"])
def test_the_comparison_would_see_a_fault(model, inputs, fault):
    expected = np.asarray(model(inputs)["logits"])[1]
    if fault == "no mask":
        inputs["mask"] = np.ones_like(inputs["mask"])
    elif fault == "height for width":
        inputs = {name: np.swapaxes(array, 1, 2) for name, array in inputs.items()}
    else:
        other = make_model(backbone=SIZES["backbone"] | {"mask_padding": False})
        other.set_weights(model.get_weights())
        model = other
    found = np.asarray(model(inputs)["logits"])[1]
    assert np.abs(found - expected).max() > 1e-2


def test_probabilities_leave_out_no_object(model, inputs):
    logits = np.asarray(model(inputs)["logits"], "float64")
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    found = model.probabilities(logits)
    assert found.shape == (2, 2, QUERIES, CLASSES)
    np.testing.assert_allclose(found, shares[..., :CLASSES], atol=1e-6)


def test_attend_tells_what_was_looked_at(model, inputs):
    found = model.attend(inputs)
    for name, output in model(inputs).items():
        np.testing.assert_allclose(found[name], output, atol=1e-6)
    height, width = np.asarray(found["cells"])[0]
    assert (height, width) == (4, 3)
    np.testing.assert_array_equal(found["strides"], [8])
    assert found["cross_attention"].shape == (2, 3, QUERIES, 12)
    assert found["self_attention"].shape == (2, 3, 12, 12)
    inside = np.zeros((4, 3), bool)
    inside[:3, :2] = True
    for name in ("cross_attention", "self_attention"):
        weights = np.asarray(found[name])
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
        assert (weights[1][..., ~inside.ravel()] == 0).all()
        assert (weights[1][..., inside.ravel()] > 0).all()


def test_attention_is_that_of_the_last_blocks(model, inputs):
    """Without queries a block attends to all cells alike, and the others do not."""
    names = ("cross_attention", "self_attention")
    before = model.attend(inputs)
    assert all(
        np.ptp(np.asarray(before[name])[0], axis=-1).min() > 0.01 for name in names
    )
    for last in (model.encoder[-1].attention, model.decoder[-1].cross_attention):
        for weight in last.query_dense.weights:
            weight.assign(np.zeros(weight.shape))
    after = model.attend(inputs)
    for name in names:
        np.testing.assert_allclose(after[name][0], 1 / 12, atol=1e-6)


def test_the_config_makes_the_same_model(model, inputs, tmp_path):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    copy = keras.saving.deserialize_keras_object(config)
    assert json.dumps(copy.get_config()) == json.dumps(model.get_config())
    if not copy.built:
        copy.build()
    write_arrays(tmp_path / "weights", model_arrays(model))
    arrays, _ = read_arrays(tmp_path / "weights")
    assert set(arrays) == set(model_arrays(copy))
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(inputs)["logits"], model(inputs)["logits"])


def test_parts_by_depth_are_every_weight_once(model):
    counts = [
        sum(bool(re.fullmatch(pattern, name)) for pattern in model.parts_by_depth())
        for name in model_arrays(model)
    ]
    assert set(counts) == {1}


def test_every_trained_weight_has_a_gradient(model, inputs):
    weights = {weight.path: weight for weight in model.trainable_weights}

    def loss(tensors):
        mapping = [(weights[name], tensors[name]) for name in weights]
        with keras.StatelessScope(state_mapping=mapping):
            found = model(inputs, training=False)
        return keras.ops.sum(found["logits"] ** 2) + keras.ops.sum(found["boxes"] ** 2)

    found = gradients(loss, {name: np.asarray(w) for name, w in weights.items()})
    still = {
        name.removeprefix("detr/")
        for name, one in found.items()
        if one is None or not np.abs(one).max() > 1e-4
    }
    # What is added to every key alike changes no weight of attention, and the first
    # block of the decoder attends to zeros: whatever the weights, all values are alike.
    expected = {name for name in model_arrays(model) if name.endswith("/key/bias")}
    blind = ("query/kernel", "query/bias", "key/kernel", "value/kernel")
    expected |= {f"decoder_0/self_attention/{name}" for name in blind}
    assert still == expected


ANSWER_WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = None  # As where it is not installed.
import jax, numpy as np
from tests.models.test_detr import make_model
from zoo.weights import assign_arrays, read_arrays
model = make_model()
assign_arrays(model, read_arrays(sys.argv[1])[0])
found = jax.jit(model.attend)(dict(np.load(sys.argv[2])))
print(json.dumps({name: np.asarray(found[name]).tolist() for name in found}))
"""


def test_jax_gives_the_same_answers(model, inputs, tmp_path):
    pytest.importorskip("jax")
    write_arrays(tmp_path / "weights", model_arrays(model))
    np.savez(tmp_path / "inputs.npz", **inputs)
    found = run_on(
        "jax", ANSWER_WITHOUT_TENSORFLOW, tmp_path / "weights", tmp_path / "inputs.npz"
    )
    for name, expected in model.attend(inputs).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_queries": 0}, "num_queries=0"),
        ({"units": 10}, "4 divides"),
        ({"backbone": {"strides": (8, 16)}}, "reads one map"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Detr(**{"num_classes": CLASSES, **SIZES, **options})
