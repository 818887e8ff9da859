import numpy as np
import pytest
from keras import ops

from tests.backend import gradients
from tests.references import set_loss as reference
from zoo.losses import SetLoss
from zoo.ops.assignment import assign
from zoo.tasks.host_assignment import assign_on_host

# Sizes, all different: batch, layers, objects, queries, classes.
B, L, T, Q, C = 3, 2, 5, 11, 7
KINDS = pytest.mark.parametrize("kind", ["softmax", "focal", "varifocal"])
WEIGHTS = {"class": 1.5, "box": 3.0, "overlap": 0.7, "no_object": 0.2}
LABELS = np.array([[3, 3, 0, 6, -1], [-1] * T, [1, -1, 5, -1, 2]])
PANEL = ("class_error", "found", "no_object")


def make_loss(kind, match=assign_on_host):
    """On the host it is matched in a fraction of the time."""
    weights = {f"{name}_weight": WEIGHTS[name] for name in WEIGHTS}
    return SetLoss(kind, match, **weights)


def random_boxes(random, *shape):
    centres = random.uniform(0.3, 0.7, size=(*shape, 2))
    sizes = random.uniform(0.1, 0.5, size=(*shape, 2))
    return np.concatenate([centres, sizes], axis=-1).astype("float32")


@pytest.fixture
def targets(random):
    return {"boxes": random_boxes(random, B, T), "labels": LABELS.astype("int32")}


@pytest.fixture
def outputs(random, targets):
    """Some queries are near to objects; else no overlap would be of any size."""
    boxes = random_boxes(random, B, L, Q)
    boxes[:, :, 4:7] = targets["boxes"][:, None, :3] + random.normal(
        scale=0.03, size=(B, L, 3, 4)
    )
    return {"boxes": boxes}


def with_logits(outputs, random, kind):
    """Of the right number of classes, right for some queries."""
    logits = random.normal(scale=2.0, size=(B, L, Q, C + (kind == "softmax")))
    logits[0, :, 4, 3] += 6.0
    return outputs | {"logits": logits.astype("float32")}


def images_of(targets, outputs, layer):
    """What the reference takes: images without padding."""
    return [
        {
            "labels": labels[labels >= 0].tolist(),
            "boxes": boxes[labels >= 0],
            "logits": outputs["logits"][row, layer].astype("float64"),
            "found": outputs["boxes"][row, layer],
        }
        for row, (labels, boxes) in enumerate(
            zip(targets["labels"], targets["boxes"], strict=True)
        )
    ]


def expected_parts(kind, targets, outputs):
    layers = outputs["logits"].shape[1]
    by_layer = [
        reference.set_loss(kind, images_of(targets, outputs, layer), WEIGHTS)
        for layer in range(layers)
    ]
    parts = {
        name: by_layer[-1][name]
        if name in PANEL
        else sum(layer[name] for layer in by_layer)
        for name in by_layer[0]
    }
    losses = [
        sum(value for name, value in layer.items() if name not in PANEL)
        for layer in by_layer
    ]
    panel = {f"loss_{layer}": loss for layer, loss in enumerate(losses)}
    last, before = (images_of(targets, outputs, max(0, layers - n)) for n in (1, 2))
    panel["churn"] = reference.churn(kind, last, before, WEIGHTS)
    return {"loss": sum(losses)} | parts | panel


def parts_of(kind, targets, outputs):
    parts = make_loss(kind).parts(targets, outputs)
    return {name: float(value) for name, value in parts.items()}


@KINDS
def test_every_part_is_that_of_the_papers(kind, targets, outputs, random):
    outputs = with_logits(outputs, random, kind)
    expected = expected_parts(kind, targets, outputs)
    assert all(0 < expected[name] < 1 for name in (*PANEL, "churn"))
    found = parts_of(kind, targets, outputs)
    assert found == pytest.approx(expected, rel=1e-5)
    whole = make_loss(kind, assign)(targets, outputs)
    assert float(whole) == pytest.approx(expected["loss"], rel=1e-5)


@KINDS
def test_more_objects_than_queries_are_matched_as_far_as_queries_go(
    kind, targets, outputs, random
):
    outputs = with_logits(outputs, random, kind)
    outputs = {name: array[:, :, 4:6] for name, array in outputs.items()}
    expected = expected_parts(kind, targets, outputs)
    # Four objects, none and three, and two queries.
    assert expected["found"] <= 4 / 7
    assert parts_of(kind, targets, outputs) == pytest.approx(expected, rel=1e-5)


@KINDS
def test_boxes_and_number_of_padding_change_nothing(kind, targets, outputs, random):
    outputs = with_logits(outputs, random, kind)
    expected = parts_of(kind, targets, outputs)
    padded = {
        "boxes": np.concatenate([targets["boxes"], random_boxes(random, B, 2)], 1),
        "labels": np.pad(targets["labels"], ((0, 0), (0, 2)), constant_values=-1),
    }
    padded["boxes"][padded["labels"] < 0] = 0.0
    assert parts_of(kind, padded, outputs) == pytest.approx(expected, rel=1e-6)


@KINDS
def test_layers_are_matched_and_judged_by_themselves(kind, targets, outputs, random):
    outputs = with_logits(outputs, random, kind)
    whole = parts_of(kind, targets, outputs)
    each = [
        parts_of(kind, targets, {k: v[:, n : n + 1] for k, v in outputs.items()})
        for n in range(L)
    ]
    assert each[0]["loss"] != pytest.approx(each[1]["loss"], rel=0.01)
    assert whole["loss"] == pytest.approx(each[0]["loss"] + each[1]["loss"], rel=1e-6)
    for name in PANEL:
        assert whole[name] == each[1][name]


@KINDS
def test_images_without_objects_have_a_class_loss_alone(kind, targets, outputs, random):
    outputs = with_logits(outputs, random, kind)
    targets["labels"] = np.full((B, T), -1)
    targets["boxes"] = np.zeros((B, T, 4), "float32")
    found = parts_of(kind, targets, outputs)
    assert found == pytest.approx(expected_parts(kind, targets, outputs), rel=1e-5)
    assert found["class_loss"] == found["loss"] > 0
    assert found["class_error"] == found["found"] == 0


def test_perfect_answers_have_next_to_no_loss(targets, outputs):
    logits = np.full((B, 1, Q, C), -20.0, "float32")
    boxes = outputs["boxes"][:, :1].copy()
    for row, labels in enumerate(targets["labels"]):
        for number, label in enumerate(labels):
            if label >= 0:
                logits[row, 0, Q - 1 - number, label] = 20.0
                boxes[row, 0, Q - 1 - number] = targets["boxes"][row, number]
    for kind in ("focal", "varifocal"):
        found = parts_of(kind, targets, {"logits": logits, "boxes": boxes})
        assert found["loss"] == pytest.approx(0, abs=1e-4)
        assert (found["class_error"], found["found"]) == (0, 1)


@KINDS
def test_gradients_are_finite_and_only_matched_boxes_have_one(
    kind, targets, outputs, random
):
    outputs = with_logits(outputs, random, kind)
    # Far out, boxes without area, and a query whose box is that of an object.
    outputs["logits"][0, 0, :3] = [[60.0], [-60.0], [1e4]]
    outputs["boxes"][2, :, 3] = 0.0
    outputs["boxes"][0, 1, 5] = targets["boxes"][0, 0]
    loss = make_loss(kind)
    found = gradients(lambda tensors: loss(targets, tensors), outputs)
    assert np.isfinite(found["logits"]).all() and np.isfinite(found["boxes"]).all()
    for layer in range(L):
        for row, image in enumerate(images_of(targets, outputs, layer)):
            moved = np.flatnonzero(found["boxes"][row, layer].any(axis=-1))
            if layer == 0 and row == 0:
                # Its logits are beyond what the reference can compute.
                assert len(moved) == 4
                continue
            query_of = reference.matched(kind, image, WEIGHTS)
            assert set(moved) == set(query_of.values())
    assert not found["boxes"][1].any() and found["logits"][1].any()


def test_classes_do_not_move_boxes_and_are_told_how_good_these_are(
    targets, outputs, random
):
    """Varifocal loss wants the overlap; it must not change boxes to get less of it."""
    outputs = with_logits(outputs, random, "varifocal")
    loss = make_loss("varifocal")

    def class_loss(tensors):
        return loss.parts(targets, tensors)["class_loss"]

    boxes = gradients(class_loss, outputs)["boxes"]
    assert boxes is None or not boxes.any()


@KINDS
def test_half_precision_outputs_give_a_loss_in_float32(kind, targets, outputs, random):
    outputs = with_logits(outputs, random, kind)
    halves = {name: ops.cast(array, "bfloat16") for name, array in outputs.items()}
    wide = {name: ops.cast(array, "float32") for name, array in halves.items()}
    found = make_loss(kind)(targets, halves)
    assert float(found) == float(make_loss(kind)(targets, wide))


def test_costs_are_finite_whatever_is_put_out(targets, outputs):
    """Else a matching on the host would stop."""
    seen = []

    def match(costs, valid):
        seen.append(ops.convert_to_numpy(costs))
        return ops.where(valid, ops.cumsum(ops.cast(valid, "int32"), axis=1) - 1, -1)

    logits = np.full((B, L, Q, C), 1e30, "float32")
    SetLoss("focal", match)(targets, outputs | {"logits": logits})
    assert seen[0].shape == (L * B, T, Q)
    assert np.isfinite(seen[0]).all()


def test_an_unknown_classification_is_refused():
    with pytest.raises(ValueError, match="classification='sigmoid'"):
        SetLoss("sigmoid")
