"""A tiny export with every dtype, and a warm-up file for it."""

from pathlib import Path

import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from zoo.export import CLASSIFY
from zoo.files import MANIFEST, WARM_UP, write_json

LONG = "Donaudampfschifffahrt " * 50
# Two rows of each.
INPUTS = {
    "texts": ["ﬁne " + LONG, "中文 \N{GRINNING FACE}"],
    "numbers": [[0.1, 2.5, -3.0], [1e-30, 1e30, 7.0]],
    "flags": [True, False],
    "pixels": [[[0, 1, 254]], [[9, 8, 7]]],
    "count": 3_000_000_000,
}


class Tiny(tf.Module):
    def __init__(self):
        super().__init__()
        # Larger than what a SavedModel keeps in its graph.
        self.scale = tf.Variable([0.1] * 1000)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="texts"),
            tf.TensorSpec([None, 3], tf.float32, name="numbers"),
            tf.TensorSpec([None], tf.bool, name="flags"),
            tf.TensorSpec([None, None, 3], tf.uint8, name="pixels"),
            tf.TensorSpec([], tf.int64, name="count"),
        ]
    )
    def answer(self, texts, numbers, flags, pixels, count):
        return {
            "normal": tf_text.normalize_utf8(texts, "NFKC"),
            "first_bytes": tf.strings.substr(texts, 0, 2),
            "products": numbers * self.scale[:3],
            "doubles": tf.cast(numbers, tf.float64) / 3.0,
            "negated": ~flags,
            "brighter": pixels + tf.constant(1, tf.uint8),
            "count": -count,
            "small": tf.cast(count % 1000, tf.int32),
            "nothing": tf.zeros([2, 0]),
            "limits": tf.constant([float("inf"), -float("inf")]),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs):
        size = tf.strings.length(inputs)[:, None]
        return {
            "classes": tf.strings.as_string(size),
            "scores": tf.cast(size, tf.float32),
        }


def write_tiny(folder: Path) -> Path:
    """An export without a warm-up file; single numbers are no rows, for a server."""
    module = Tiny()
    signatures = {"serving_default": module.answer, "classify": module.classify}
    tf.saved_model.save(module, str(folder), signatures)
    path = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    definitions = saved_model.meta_graphs[0].signature_def
    definitions["classify"].method_name = CLASSIFY
    path.write_bytes(saved_model.SerializeToString())
    samples = {
        "serving_default": INPUTS | {"texts": ["one", "two"]},
        "classify": {"inputs": ["one", "three"]},
    }
    recorded = {
        name: {"sample": sample, "answer": _answer(signatures[name], sample)}
        for name, sample in samples.items()
    }
    (folder / MANIFEST).parent.mkdir()
    write_json(folder / MANIFEST, {"environment": {}, "signatures": recorded})
    return folder


def _answer(function, inputs: dict) -> dict:
    specs = function.input_signature
    found = function(*(tf.constant(inputs[one.name], one.dtype) for one in specs))
    return {
        name: tf.nest.map_structure(
            lambda one: one.decode() if isinstance(one, bytes) else one,
            tensor.numpy().tolist(),
        )
        for name, tensor in found.items()
    }


def predict_log(**inputs) -> prediction_log_pb2.PredictionLog:
    """A request for `serving_default`, in parts other than `INPUTS`."""
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "tiny"
    specs = Tiny.answer.input_signature
    for spec in specs:
        value = (INPUTS | inputs)[spec.name]
        tensor = tf.make_tensor_proto(value, spec.dtype)
        request.inputs[spec.name].CopyFrom(tensor)
    return log


def classify_log(*texts: str) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.classify_log.request
    request.model_spec.signature_name = "classify"
    for text in texts:
        example = request.input.example_list.examples.add()
        example.features.feature["text"].bytes_list.value.append(text.encode())
    return log


def write_warm_up(version: Path, *logs) -> None:
    with tf.io.TFRecordWriter(str(version / WARM_UP)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())
