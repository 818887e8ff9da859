import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from zoo.files import WARM_UP
from zoo.serving.errors import ServingError
from zoo.serving.servable import Servable
from zoo.serving.warm_up import warm_up


@pytest.fixture
def folder(tiny_versions, tmp_path):
    folder = shutil.copytree(tiny_versions / "1", tmp_path / "1")
    (folder / WARM_UP).parent.mkdir(exist_ok=True)
    return folder


def _example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature}))


def _predict(name, values, signature=""):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return log


def _huge():
    log = _predict("numbers", np.float32([3]), "total")
    proto = log.predict_log.request.inputs["numbers"]
    proto.tensor_shape.dim[0].size = 10**12
    return log


def _hidden():
    log = _predict("text", [b"a"])
    proto = log.predict_log.request.inputs["text"]
    proto.ClearField("string_val")
    proto.tensor_content = b"\x01a"
    return log


def _of_examples(kind):
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, kind).request
    request.model_spec.signature_name = kind.removesuffix("_log")
    request.input.example_list.examples.append(_example(b"warm"))
    return log


def _write(folder, *logs):
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
        for log in logs:
            content = log if isinstance(log, bytes) else log.SerializeToString()
            writer.write(content)


def test_records_are_replayed_through_the_versions_own_methods(folder):
    _write(
        folder,
        _predict("text", [b"a", b"bc"]),
        _predict("numbers", np.float32([3, 5]), "total"),
        _of_examples("classify_log"),
        _of_examples("regress_log"),
    )

    asked = []

    class Listener:
        def __init__(self, servable):
            self.folder, self.servable = servable.folder, servable

        def __getattr__(self, method):
            def ask(signature, inputs, *rest):
                getattr(self.servable, method)(signature, inputs, *rest)
                asked.append((method, signature, inputs))

            return ask

    servable = Servable("tiny", 1, folder)
    assert warm_up(Listener(servable)) == 4
    servable.close()
    methods = [(method, signature) for method, signature, _ in asked]
    assert methods == [
        ("predict", ""),
        ("predict", "total"),
        ("classify", "classify"),
        ("regress", "regress"),
    ]
    assert asked[0][2]["text"].tolist() == [b"a", b"bc"]
    assert asked[2][2] == [_example(b"warm").SerializeToString()]


@pytest.mark.parametrize(
    ("bad", "code", "told"),
    [
        (_predict("txt", [b"a"]), "INVALID_ARGUMENT", "Signature input alias: text"),
        (_predict("text", [b"a"], "zz"), "FAILED_PRECONDITION", '"zz" not found'),
        (
            _predict("numbers", np.float32([-1]), "checked"),
            "INVALID_ARGUMENT",
            "negativ",
        ),
        (b"\xff\xff\xff", "INVALID_ARGUMENT", "Failed to parse warmup record"),
        (b"", "INVALID_ARGUMENT", "holds no request"),
        (_huge(), "INVALID_ARGUMENT", "more than the 1073741824 bytes"),
        (_hidden(), "INVALID_ARGUMENT", "not in tensor_content"),
    ],
)
def test_a_bad_record_fails_the_load(folder, bad, code, told):
    _write(folder, _predict("text", [b"a"]), bad)
    with pytest.raises(ServingError, match="record 1 of") as raised:
        Servable("tiny", 1, folder)
    assert raised.value.code == code
    assert told in raised.value.message


def test_a_file_that_is_no_tfrecord_fails_the_load(folder):
    (folder / WARM_UP).write_bytes(b"no records at all, but long enough")
    with pytest.raises(ServingError, match="TFRecord format") as raised:
        Servable("tiny", 1, folder)
    assert raised.value.code == "DATA_LOSS"


def test_too_many_records_fail_the_load(folder, monkeypatch):
    monkeypatch.setattr("zoo.serving.warm_up.MOST_WARM_UP_RECORDS", 3)
    _write(folder, *[_predict("text", [b"a"])] * 3)
    Servable("tiny", 1, folder).close()
    _write(folder, *[_predict("text", [b"a"])] * 4)
    with pytest.raises(ServingError, match=r"exceeds the maximum \(3\)"):
        Servable("tiny", 1, folder)


def test_a_request_of_another_kind_is_passed_over(folder, caplog):
    log = prediction_log_pb2.PredictionLog()
    log.multi_inference_log.request.SetInParent()
    _write(folder, log)
    Servable("tiny", 1, folder).close()
    assert "multi_inference_log is passed over" in caplog.text
