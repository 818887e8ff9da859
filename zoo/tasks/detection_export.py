"""What makes an export of a detector: signatures, and samples for them."""

import io

import numpy as np
import tensorflow as tf

from zoo.export import Exportable
from zoo.tasks.detection_graph import DetectionGraph
from zoo.tasks.meanings import DETECTION

# Images of more need much memory at once, and are not faster.
_LARGEST_BATCH = 8


def exportable(task, model, threshold: float) -> Exportable:
    """A model with its task, ready to be written as a SavedModel.

    Args:
        task: a `DetectionTask`.
        model: a `zoo.models.Detector`.
        threshold: lowest score of an object.
    """
    names = task.classes.names
    graph = DetectionGraph(model, task.codec, names, threshold)
    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, name="pixels")
    methods = {
        "serving_default": (graph.detect, files),
        "with_attention": (graph.attend, files),
        "from_pixels": (graph.detect_pixels, pixels),
    }
    sample = {"image_bytes": [_picture(48, 64), b"This is no image.", _picture(40, 40)]}
    return Exportable(
        graph,
        {name: _function(method, spec) for name, (method, spec) in methods.items()},
        {
            "serving_default": sample,
            "with_attention": sample,
            "from_pixels": {"pixels": _pixels(24, 32)[None].tolist()},
        },
        {"task": task.name, "threshold": threshold} | task.describe(),
        labels=names,
        meanings=DETECTION,
        largest_batch=_LARGEST_BATCH,
    )


def _function(method, spec):
    return tf.function(
        lambda values: method(values), input_signature=[spec], autograph=False
    )


def _pixels(height: int, width: int) -> np.ndarray:
    """A made-up picture: a bright disc on a slope of grey."""
    rows, columns = np.mgrid[:height, :width]
    disc = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (height / 4) ** 2
    grey = (rows + columns) * 255 // (height + width)
    return np.stack([np.where(disc, 230, grey)] * 2 + [grey], axis=-1).astype(np.uint8)


def _picture(height: int, width: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(_pixels(height, width)).save(file, "PNG")
    return file.getvalue()
