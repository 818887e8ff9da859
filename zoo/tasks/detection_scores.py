"""Scores of a detector on images that are arrays already, on any backend of Keras.

`DetectionRunner` reads files on TensorFlow, as a deployment does; a training elsewhere
has what was read from them before, and scores with this. What it says is the same.
"""

import numpy as np

from zoo.data.labelled_images import LabelledImages
from zoo.metrics.detection import score_detections
from zoo.ops.boxes import to_corners

# Shape letters: B images, Q queries, C classes, K objects.


def score_batches(task, model, batches, data: LabelledImages) -> dict:
    """Scores of COCO of what a model finds in prepared images.

    Args:
        task: of the model.
        model: a `zoo.models.Detector`.
        batches: has `once()`, batches of the images of `data`, in their order.
        data: the same images, with their boxes.

    Returns:
        See `score_detections`.
    """
    found: list[dict] = []
    for inputs, _ in batches.once():
        found += _found(task, model, inputs, data.sizes[len(found) :])
    return score_detections(truths(task, data), found, task.classes.names)


def truths(task, data: LabelledImages) -> list[dict]:
    """What is really in images, as `score_detections` takes it."""
    return [
        {"boxes": boxes, "labels": task.classes.encode(labels)}
        | {"crowds": crowds, "size": size}
        for boxes, labels, crowds, size in zip(
            data.boxes, data.labels, data.crowds, data.sizes, strict=True
        )
    ]


def _found(task, model, inputs, sizes) -> list[dict]:
    """All that is found in each image of a batch, in pixels of its file."""
    outputs = model.predict_on_batch(inputs)
    probabilities_BQC = np.array(model.probabilities(outputs["logits"][:, -1]))
    named_C = np.array([bool(name) for name in task.classes.names])
    corners_BQ4 = np.clip(to_corners(outputs["boxes"][:, -1]), 0, 1)
    is_one_class = model.classification == "softmax"
    return [
        _objects(np.where(named_C, each_QC, -1.0), corners_Q4, is_one_class, size)
        for each_QC, corners_Q4, size in zip(
            probabilities_BQC, corners_BQ4, sizes, strict=False
        )
    ]


def _objects(probabilities_QC, corners_Q4, is_one_class: bool, size) -> dict:
    """An image's objects, as many as there are queries."""
    count, classes = probabilities_QC.shape
    if is_one_class:
        # Classes that share a query's probability are one answer, the best.
        best_Q1 = probabilities_QC.max(axis=-1, keepdims=True)
        probabilities_QC = np.where(probabilities_QC == best_Q1, best_Q1, -1.0)
    scores = probabilities_QC.ravel()
    places_K = np.argsort(-scores, kind="stable")[:count]
    places_K = places_K[scores[places_K] >= 0]
    queries_K, labels_K = np.divmod(places_K, classes)
    return {
        "boxes": corners_Q4[queries_K] * np.tile(size, 2),
        "scores": scores[places_K],
        "labels": labels_K,
    }
