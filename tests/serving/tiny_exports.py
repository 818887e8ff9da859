"""Small SavedModels for tests of servers, made without a layer of this package."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def _takes(**inputs):
    specs = [tf.TensorSpec(shape, kind, name) for name, (shape, kind) in inputs.items()]
    return tf.function(input_signature=specs, autograph=False)


class Tiny(tf.Module):
    """Answers that tell the version and the row: no two of them are equal."""

    def __init__(self, version: int):
        self.version = tf.Variable(version)

    @_takes(text=([None], tf.string))
    def describe(self, text):
        lengths = tf.cast(tf.strings.length(text), tf.float32)
        suffix = tf.strings.as_string(self.version)
        return {
            "label": tf.strings.join([text, "|", suffix]),
            "scores": lengths[:, None] * tf.constant([[1.0, 0.5, 0.25]]),
        }

    @_takes(inputs=([None], tf.string))
    def classify(self, inputs):
        text = tf.io.parse_example(
            inputs, {"text": tf.io.FixedLenFeature([], "string")}
        )
        lengths = tf.cast(tf.strings.length(text["text"]), tf.float32)
        classes = tf.stack([text["text"], tf.strings.upper(text["text"])], axis=1)
        return {
            "classes": classes,
            "scores": lengths[:, None] + tf.constant([0.0, 7.0]),
        }

    @_takes(inputs=([None], tf.string))
    def regress(self, inputs):
        text = tf.io.parse_example(
            inputs, {"text": tf.io.FixedLenFeature([], "string")}
        )
        return {
            "outputs": tf.cast(tf.strings.length(text["text"]), tf.float32)[:, None]
        }

    @_takes(pixels=([None, None], tf.float32), names=([None], tf.string))
    def pictures(self, pixels, names):
        return {"doubled": 2 * pixels, "names": names}

    @_takes(numbers=([None], tf.float32))
    def total(self, numbers):
        return {"total": tf.reduce_sum(numbers)}

    @_takes(numbers=([None], tf.float32))
    def positive(self, numbers):
        return {"numbers": tf.boolean_mask(numbers, numbers > 0)}

    @_takes(numbers=([None], tf.float32))
    def checked(self, numbers):
        check = tf.debugging.Assert(tf.reduce_all(numbers >= 0), ["negative"])
        with tf.control_dependencies([check]):
            return {"roots": tf.sqrt(numbers)}

    @_takes(times=((), tf.int64))
    def count(self, times):
        one = tf.ones([], tf.int64)
        body, start = (lambda i: (i + one,)), (tf.zeros_like(times),)
        return {"times": tf.while_loop(lambda i: i < times, body, start)[0]}


def export_tiny(base_path, version: int) -> Path:
    """Writes a version whose answers carry its number."""
    folder = Path(base_path) / str(version)
    module = Tiny(version)
    names = ("classify", "regress", "pictures", "total", "positive", "checked", "count")
    signatures = {name: getattr(module, name) for name in names}
    signatures["serving_default"] = module.describe
    tf.saved_model.save(module, str(folder), signatures=signatures)
    path = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for name in ("classify", "regress"):
        signature = saved_model.meta_graphs[0].signature_def[name]
        signature.method_name = f"tensorflow/serving/{name}"
    path.write_bytes(saved_model.SerializeToString())
    return folder
