import json
import re

import keras
import numpy as np
import pytest

from tests.models.test_backends import run_on
from tests.references.boxes import overlap
from zoo.losses import SetLoss
from zoo.models import AnchorDetr
from zoo.models.detector import PANEL, Detector
from zoo.ops.assignment import assign
from zoo.recipe import TrainingPlan
from zoo.training.schedules import make_optimizer
from zoo.weights import assign_arrays, model_arrays, read_arrays, write_arrays

# Classes, queries; a canvas, and images in it: of odd sizes, and of few cells or one.
CLASSES, QUERIES = 3, 7
OPTIONS = {
    "backbone": "tiny",
    "strides": (8, 16),
    "units": 12,
    "hidden_size": 11,
    "num_heads": 3,
    "num_layers": 2,
}
CANVAS = (64, 51)
SIZES = [CANVAS, (33, 24), (41, 51), (9, 3), (1, 1)]
ANCHORS = pytest.mark.parametrize("anchors", ["encoder", "learnt"])


def make_model(**options):
    keras.utils.set_random_seed(3)
    model = AnchorDetr(CLASSES, QUERIES, **OPTIONS | options)
    model.build()
    return model


def filled(model, seed=7):
    """Sharp attention: an average over everything hides what it is over."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if weight.name == "gamma":
            numbers = random.uniform(0.5, 1.5, size=shape)
        else:
            scale = np.prod(shape[:-1]) ** -0.5 if weight.name == "kernel" else 0.3
            sharp = 3.0 if re.search("query.*/kernel", weight.path) else 1.5
            if re.search("(shift|width)/kernel", weight.path):
                # Narrow Gaussians multiply rounding.
                sharp = 0.3
            numbers = random.normal(scale=sharp * scale, size=shape)
        weight.assign(numbers.astype("float32"))
    return model


def make_batch(sizes=SIZES, canvas=CANVAS):
    """Noise of these sizes, and wild numbers around it."""
    random = np.random.default_rng(5)
    pixels = random.uniform(0, 255, (len(sizes), *canvas, 3)).astype("float32")
    mask = np.zeros(pixels.shape[:3], bool)
    for row, (height, width) in enumerate(sizes):
        mask[row, :height, :width] = True
    pixels[~mask] *= 9
    return {"pixels": pixels, "mask": mask}


def make_targets(count):
    random = np.random.default_rng(3)
    centres = random.uniform(0.3, 0.7, (count, 5, 2))
    boxes = np.concatenate([centres, random.uniform(0.2, 0.5, (count, 5, 2))], -1)
    labels = random.integers(0, CLASSES, (count, 5))
    labels[:, 3:] = -1
    labels[-1] = -1
    return {"boxes": boxes.astype("float32"), "labels": labels.astype("int32")}


def cells_of(height, width):
    return [(-(-height // stride), -(-width // stride)) for stride in (8, 16)]


# Answers


@ANCHORS
def test_a_row_of_a_padded_batch_is_what_the_image_is_alone(anchors):
    model, inputs = filled(make_model(anchors=anchors)), make_batch()
    found = model(inputs)
    layers = 3 if anchors == "encoder" else 2
    assert found["logits"].shape == (len(SIZES), layers, QUERIES, CLASSES)
    assert found["boxes"].shape == (len(SIZES), layers, QUERIES, 4)
    for row, (height, width) in enumerate(SIZES):
        alone = {k: v[row : row + 1, :height, :width] for k, v in inputs.items()}
        for name, expected in model(alone).items():
            np.testing.assert_allclose(
                found[name][row], expected[0], atol=2e-5, err_msg=f"{name} {row}"
            )
    # Images, queries and layers differ, so what is compared is not one number.
    logits, boxes = (np.asarray(found[name]) for name in ("logits", "boxes"))
    assert logits[:3, -1].std(axis=0).min() > 1e-3
    assert logits[:3, -1].std(axis=1).min() > 1e-3
    assert np.abs(boxes[:3, -1] - boxes[:3, -2]).max() > 0.01
    assert (boxes > 0).all() and (boxes < 1).all()


def test_padding_would_change_answers_if_it_were_seen():
    model, inputs = filled(make_model()), make_batch()
    expected = np.asarray(model(inputs)["boxes"])[1]
    inputs["mask"][:] = True
    assert np.abs(np.asarray(model(inputs)["boxes"])[1] - expected).max() > 1e-2


def test_the_first_anchors_are_the_cells_of_the_best_guesses():
    """An untrained model moves no box: cells are found again, twice as wide."""
    model, inputs = make_model(), make_batch(SIZES[:3])
    found = model(inputs)
    memory = model.encode(inputs)
    states = model.proposal_norm(model.proposal_dense(memory["values"]))
    scores = np.asarray(model.proposal_head(states)).max(axis=-1)
    for row, (height, width) in enumerate(SIZES[:3]):
        every = []
        for stride, (rows, columns), (down, across) in zip(
            (8, 16), cells_of(*CANVAS), cells_of(height, width), strict=True
        ):
            first = len(every)
            for place in range(rows * columns):
                y, x = divmod(place, columns)
                box = (x + 0.5) / width, (y + 0.5) / height, 2 / width, 2 / height
                box = np.clip(np.array(box) * stride, 0, 1)
                # DAB-DETR's sigmoid reaches neither 0 nor 1.
                is_real = y < down and x < across
                every.append((scores[row, first + place], is_real, box))
        real = sorted((each for each in every if each[1]), key=lambda each: -each[0])
        expected = [np.clip(box, 1e-3, 1 - 1e-3) for _, _, box in real[:QUERIES]]
        for layer in range(3):
            np.testing.assert_allclose(found["boxes"][row, layer], expected, atol=1e-5)
        best = np.asarray(found["logits"])[row, 0].max(axis=-1)
        np.testing.assert_allclose(
            best, [score for score, *_ in real[:QUERIES]], atol=1e-5
        )


def test_guesses_that_overlap_with_a_better_one_are_left_out():
    model, inputs = filled(make_model(distinct=0.2)), make_batch(SIZES[:1])
    memory = model.encode(inputs)
    states = model.proposal_norm(model.proposal_dense(memory["values"]))
    around = np.concatenate([memory["centres"], 2 * memory["sizes"]], axis=-1)
    boxes = np.asarray(model.proposal_boxes(states, around))[0]
    scores = np.asarray(model.proposal_head(states))[0].max(axis=-1)
    # Of three times as many guesses as queries, the best first.
    order = np.argsort(-scores)[: 3 * QUERIES]
    distinct = [
        row
        for place, row in enumerate(order)
        if all(overlap(boxes[row], boxes[other])[0] <= 0.2 for other in order[:place])
    ]
    # If there are too few of them, the others fill up, the best first.
    others = [row for row in order if row not in distinct]
    chosen = [*distinct, *others][:QUERIES]
    assert others and chosen != list(order[:QUERIES])
    found = np.asarray(model(inputs)["boxes"])[0, 0]
    np.testing.assert_allclose(found, boxes[chosen], atol=1e-5)


def test_an_untrained_model_says_that_little_is_there():
    model = make_model()
    shares = model.probabilities(model(make_batch(SIZES[:2]))["logits"])
    assert float(np.median(shares)) == pytest.approx(0.02, abs=0.015)


@pytest.mark.parametrize("attention", ["modulated", "conditional"])
def test_attend_tells_what_was_looked_at(attention):
    model, inputs = filled(make_model(attention=attention)), make_batch(SIZES[:3])
    found = model.attend(inputs)
    for name, output in model(inputs).items():
        np.testing.assert_allclose(found[name], output, atol=1e-6)
    np.testing.assert_array_equal(found["cells"], cells_of(*CANVAS))
    np.testing.assert_array_equal(found["strides"], [8, 16])
    inside = []
    for (rows, columns), stride in zip(cells_of(*CANVAS), (8, 16), strict=True):
        real = np.zeros((3, rows, columns), bool)
        for row, (height, width) in enumerate(SIZES[:3]):
            real[row, : -(-height // stride), : -(-width // stride)] = True
        inside.append(real.reshape(3, -1))
    for name, real in (
        ("cross_attention", np.concatenate(inside, axis=1)),
        ("self_attention", inside[1]),
    ):
        weights = np.asarray(found[name])
        rows = QUERIES if name == "cross_attention" else real.shape[1]
        assert weights.shape == (3, 3, rows, real.shape[1])
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
        for own, its in zip(weights, real, strict=True):
            assert (own[..., ~its] == 0).all()
            # Far from a box a Gaussian is too small to be a number.
            near = attention == "modulated" and name == "cross_attention"
            assert near or (own[..., its] > 0).all()


@ANCHORS
def test_every_weight_of_classes_is_in_a_class_head(anchors):
    """So fine-tuning on other classes finds them; no other size is that number."""
    model = make_model(anchors=anchors, denoising_groups=2)
    heads = {id(weight) for head in model.class_heads() for weight in head.weights}
    of_classes = {id(w) for w in model.weights if CLASSES in tuple(w.shape)[-1:]}
    # Kernels of three cells by three, and their like, are not.
    assert heads == of_classes
    for head in model.class_heads():
        assert all(weight.shape[-1] == CLASSES for weight in head.weights)


# Gradients


def test_layers_learn_of_their_own_step_alone():
    """Anchors come from the layer before as they are (Zhu et al., 2021)."""
    tf = pytest.importorskip("tensorflow")
    model, inputs = filled(make_model()), make_batch(SIZES[:1])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(inputs)["boxes"][:, -1] ** 2)
    names = list(model_arrays(model))
    found = dict(zip(names, tape.gradient(loss, model.trainable_weights), strict=True))
    moved = {
        name
        for name, gradient in found.items()
        if gradient is not None and np.any(gradient)
    }
    for name in names:
        if name.startswith(("proposal_", "box_0", "head/")):
            assert name not in moved, name
        elif name.startswith(
            ("box_1", "decoder_", "anchor_dense", "backbone", "query")
        ):
            assert name in moved, name


# Files


@ANCHORS
def test_the_config_makes_the_same_model(anchors, tmp_path):
    model = filled(make_model(anchors=anchors, denoising_groups=2, dropout=0.3))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    copy = keras.saving.deserialize_keras_object(config)
    assert json.dumps(copy.get_config()) == json.dumps(model.get_config())
    if not copy.built:
        copy.build()
    write_arrays(tmp_path / "weights", model_arrays(model))
    assign_arrays(copy, read_arrays(tmp_path / "weights")[0])
    inputs = make_batch(SIZES[:1])
    np.testing.assert_array_equal(copy(inputs)["boxes"], model(inputs)["boxes"])


@ANCHORS
def test_parts_by_depth_are_every_weight_once(anchors):
    model = make_model(anchors=anchors, denoising_groups=2)
    for name in model_arrays(model):
        parts = [p for p in model.parts_by_depth() if re.fullmatch(p, name)]
        assert len(parts) == 1, name


@pytest.mark.parametrize(
    "options, message",
    [
        ({"anchors": "random"}, "anchors='random'"),
        ({"strides": (4, 16)}, r"twice the one before.*strides=\(4, 16\)"),
        ({"strides": (8, 32)}, r"strides=\(8, 32\)"),
        ({"num_heads": 5}, "num_heads"),
        ({"backbone": "huge"}, "size='huge'"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_model(**options)


@pytest.mark.parametrize(
    "num_classes, kind, message",
    [(0, "sigmoid", "num_classes=0"), (3, "focal", "classification='focal'")],
)
def test_detectors_have_a_class_and_one_of_two_kinds(num_classes, kind, message):
    with pytest.raises(ValueError, match=message):
        Detector(num_classes, kind, num_answers=1)


# Training


def small_model():
    """Compiled in seconds."""
    return make_model(num_layers=1)


def train(weights_file):
    """What two steps from given weights show; the later one follows gradients."""
    model = small_model()
    assign_arrays(model, read_arrays(weights_file)[0])
    plan = TrainingPlan(steps=2, learning_rate=3e-3, warmup_steps=0)
    model.compile(
        optimizer=make_optimizer(plan),
        loss=SetLoss("varifocal", assign),
        run_eagerly=keras.backend.backend() == "tensorflow",
    )
    batch, found = (make_batch(SIZES[1:3]), make_targets(2)), []
    for _ in range(2):
        rows = model.train_on_batch(*batch, return_dict=True)
        found.append({name: float(value) for name, value in rows.items()})
        model.reset_metrics()
    return found


TRAIN_WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = None  # As where it is not installed.
from tests.models.test_anchor_detr import train
print(json.dumps(train(sys.argv[1])))
"""


def test_jax_learns_as_tensorflow_does(tmp_path):
    pytest.importorskip("jax")
    write_arrays(tmp_path / "weights", model_arrays(filled(small_model())))
    own = train(tmp_path / "weights")
    assert own[0]["loss"] > own[1]["loss"]
    assert set(own[0]) == {"loss", "loss_0", "loss_1", *PANEL}
    for step in own:
        parts = [step[name] for name in ("class_loss", "box_loss", "overlap_loss")]
        assert step["loss"] == pytest.approx(sum(parts), rel=1e-5)
    found = run_on("jax", TRAIN_WITHOUT_TENSORFLOW, tmp_path / "weights")
    for step, expected in zip(found, own, strict=True):
        assert step == pytest.approx(expected, rel=1e-3)
