"""Detecting with a trained model: objects, scores, attention, signatures."""

import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.answers import DetectionAttention, Detections, detections_of
from zoo.data.labelled_images import LabelledImages
from zoo.files import write_json
from zoo.metrics.detection import as_coco_results, score_detections
from zoo.tasks.detection_graph import DetectionGraph
from zoo.tasks.detection_scores import truths
from zoo.tasks.texts import need_tensorflow
from zoo.values import convert

# Lowest score of what is said to be an object; evaluation looks at all.
THRESHOLD = 0.5
_BATCH = 8


class DetectionRunner:
    """Detects with a trained model.

    Args:
        task: the classes, and the size of images.
        model: a `zoo.models.Detector`.
    """

    def __init__(self, task, model):
        self.task = task
        self.model = model
        self._functions: dict = {}

    def predict(self, inputs: list, threshold: float = THRESHOLD) -> list[Detections]:
        """Finds objects in images, in any number.

        Args:
            inputs: paths, files' bytes, or uint8 arrays of shape (height, width, 3).
            threshold: lowest score of an object, in [0, 1].

        Raises:
            TypeError: something else.
            FileNotFoundError: no such file.
            ValueError: an image that cannot be read; the message says which.
        """
        threshold = checked_threshold(threshold)
        files = [file_of(one) for one in inputs]
        answers = self._answers("detect", files, threshold)
        return [
            detections_of(answer, name_of(one))
            for one, answer in zip(inputs, answers, strict=True)
        ]

    def evaluate(self, data: LabelledImages, results=None, **options) -> dict:
        """Scores of COCO on labelled images: AP first; see `score_detections`.

        Args:
            data: images with boxes.
            results: path of a JSON file for all that was found, as COCO's results; it
                is replaced. Its image ids are the data's, its category ids those of
                training.
            **options: none; AP is over all thresholds.
        """
        if options:
            raise ValueError(
                "AP is over all thresholds; leave out: " + ", ".join(options) + "."
            )
        self.task.classes.check(data)
        found = self._found(data)
        if results is not None:
            rows = as_coco_results(found, data.ids, self.task.classes.ids)
            write_json(results, rows)
        real = truths(self.task, data)
        return score_detections(real, found, self.task.classes.names)

    def _found(self, data: LabelledImages) -> list[dict]:
        """All that is found in each image, as `score_detections` takes it."""
        return [
            {
                "boxes": one.boxes,
                "scores": one.scores,
                "labels": self.task.classes.encode(one.labels),
            }
            for one in self.predict(data.sources, threshold=0.0)
        ]

    def score(self, data: LabelledImages) -> float:
        """AP."""
        return self.evaluate(data)["AP"]

    def attention(self, image, threshold: float = THRESHOLD) -> "DetectionAttention":
        """What was found in an image, and where the model looked for it.

        Args:
            image: as for `predict`.
            threshold: lowest score of an object.

        Raises:
            ValueError: an image that cannot be read.
        """
        threshold = checked_threshold(threshold)
        (answer,) = self._answers("attend", [file_of(image)], threshold)
        return DetectionAttention.of(answer, file_of(image), name_of(image))

    def exported(self, weights: str, watch=(), threshold: float = THRESHOLD):
        """What an export needs: see `zoo.export.Exportable`.

        Args:
            weights: "float32"; detectors have no int8 layout.
            watch: without effect.
            threshold: lowest score of an object.

        Raises:
            ValueError: other weights, or a threshold out of range.
        """
        if weights != "float32":
            raise ValueError(
                f"A detector is exported in float32. Received: weights={weights!r}."
            )
        from zoo.tasks.detection_export import exportable

        return exportable(self.task, self.model, checked_threshold(threshold))

    def _answers(self, method: str, files: list, threshold: float, size=_BATCH):
        need_tensorflow("Detection and evaluation")
        function = self._function(method, threshold)
        answers = []
        for start in range(0, len(files), size):
            batch = tf.constant(files[start : start + size])
            found = {name: value.numpy() for name, value in function(batch).items()}
            answers += [
                {name: value[row] for name, value in found.items()}
                for row in range(len(batch))
            ]
        return answers

    def _function(self, method: str, threshold: float):
        key = method, threshold
        if key not in self._functions:
            graph = self._graph(threshold)
            bound = getattr(graph, method)
            self._functions[key] = tf.function(
                lambda files: bound(files),
                input_signature=[tf.TensorSpec([None], tf.string)],
                autograph=False,
            )
        return self._functions[key]

    def _graph(self, threshold: float) -> DetectionGraph:
        return DetectionGraph(
            self.model, self.task.codec, self.task.classes.names, threshold
        )


def file_of(image) -> bytes:
    """The bytes of an image file.

    Raises:
        TypeError: neither a path, nor bytes, nor an array of pixels.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, str):
        image = Path(image)
    if hasattr(image, "read_bytes"):
        return image.read_bytes()
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG", compress_level=1)
        return file.getvalue()
    raise TypeError(
        "Expected a path, the bytes of an image file, or a uint8 array of shape "
        f"(height, width, 3). Received: {type(image).__name__} {str(image)[:80]!r}."
    )


def name_of(image) -> str:
    """What a message calls an image."""
    if isinstance(image, bytes | np.ndarray):
        return "The image"
    return str(image)


def checked_threshold(threshold) -> float:
    threshold = convert("threshold", threshold, float)
    if not 0 <= threshold <= 1:
        raise ValueError(
            f"threshold must be in [0, 1]. Received: threshold={threshold}."
        )
    return threshold
