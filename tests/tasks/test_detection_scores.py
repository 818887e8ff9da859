import numpy as np
import pytest

from tests.tasks.detection import CLASSES, ToldDetector, made_task
from zoo.data.labelled_images import LabelledImages
from zoo.data.made_up_images import made_up_images
from zoo.ops.boxes import from_corners
from zoo.recipe import TrainingPlan
from zoo.tasks.detection_runner import DetectionRunner
from zoo.tasks.detection_scores import score_batches, truths
from zoo.training.runs import scorer


@pytest.fixture
def data():
    """Images of several sizes, whose objects have the names of the task."""
    made = made_up_images(7, seed=3)
    shapes = sorted(made.categories)
    names = {shape: ("cat", "dog")[row % 2] for row, shape in enumerate(shapes)}
    labels = tuple(tuple(names[name] for name in each) for each in made.labels)
    crowds = tuple(np.arange(len(each)) == 1 for each in labels)
    columns = made.images, made.boxes, labels, crowds, made.sizes, made.ids
    return LabelledImages(*columns, {"cat": 3, "dog": 17})


@pytest.mark.parametrize(
    ("classification", "batch_tokens"), [("sigmoid", 12), ("softmax", 1)]
)
def test_it_says_what_the_runner_says(classification, batch_tokens, data, random):
    """Neither the class without a name nor a second class of a query counts twice."""
    outputs = len(CLASSES) + (classification == "softmax")
    sides = [
        np.tile(size, (len(own), 2))
        for own, size in zip(data.boxes, data.sizes, strict=True)
    ]
    objects = np.concatenate(data.boxes) / np.concatenate(sides)
    corners = random.choice(objects, 11) * random.uniform(0.9, 1.1, (11, 1))
    boxes = from_corners(corners)
    logits = random.normal(size=(11, outputs))
    model = ToldDetector(boxes, logits, classification)
    task = made_task(num_queries=11)
    expected = DetectionRunner(task, model).evaluate(data)
    assert expected["AP"] > 0
    batches = task.batches(task.encode(data), batch_tokens, None)
    found = score_batches(task, model, batches, data)
    rows, expected_rows = found.pop("per_label"), expected.pop("per_label")
    assert found == pytest.approx(expected)
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert row == pytest.approx(expected_row)
    assert task.score_batches(model, batches, data) == found["AP"]


def test_crowds_are_told(data):
    rows = truths(made_task(), data)
    assert sum(row["crowds"].sum() for row in rows) > 0
    assert [row["size"] for row in rows] == list(data.sizes)


def test_a_training_on_another_backend_is_scored_by_it(monkeypatch):
    task, model, data, batches = made_task(), object(), object(), object()
    asked = []

    def score_batches(*given):
        asked.append(given)
        return 0.7

    monkeypatch.setattr(task, "score_batches", score_batches)
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    score = scorer(task, model, TrainingPlan(), lambda: data, batches)
    assert (score(), asked) == (0.7, [(model, batches, data)])
