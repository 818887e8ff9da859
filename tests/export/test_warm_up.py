"""Requests that a server answers while it loads an export."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from zoo.export import CLASSIFY, PREDICT, REGRESS, Exportable, ExportRefused, export
from zoo.export.warm_up import read_warm_up, replay, write_warm_up
from zoo.files import MANIFEST, WARM_UP, read_json

TEXTS = tf.TensorSpec([None], tf.string, name="texts")
EXAMPLES = tf.TensorSpec([None], tf.string, name="inputs")


def parsed(inputs):
    features = {"text": tf.io.FixedLenFeature([], tf.string)}
    return tf.strings.length(tf.io.parse_example(inputs, features)["text"])


def classify(inputs):
    sizes = parsed(inputs)[:, None]
    return {"classes": tf.strings.as_string(sizes), "scores": tf.cast(sizes, "float32")}


def lengths(texts):
    return {"lengths": tf.strings.length(texts)}


def function(method, spec):
    return tf.function(method, input_signature=[spec], autograph=False)


def an_example(text: str) -> bytes:
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(text.encode())
    return example.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def functions():
    return {
        "serving_default": function(lengths, TEXTS),
        "classify": function(classify, EXAMPLES),
        "regress": function(
            lambda inputs: {"outputs": tf.cast(parsed(inputs), tf.float32)}, EXAMPLES
        ),
        "from_pixels": function(
            lambda pixels: {"sums": tf.reduce_sum(tf.cast(pixels, tf.int32), axis=1)},
            tf.TensorSpec([None, None], tf.uint8, name="pixels"),
        ),
    }


@pytest.fixture(scope="module")
def version(functions, tmp_path_factory):
    rows = [an_example("good"), an_example("很好")]
    samples = {
        "serving_default": {"texts": ["a", "很好"]},
        "classify": {"inputs": rows},
        "regress": {"inputs": rows},
        "from_pixels": {"pixels": [[3, 5, 7]]},
    }
    exportable = Exportable(
        *(tf.Module(), functions, samples, {}),
        forms={"classify": CLASSIFY, "regress": REGRESS},
    )
    return export(exportable, tmp_path_factory.mktemp("exports") / "model")


def records(version) -> list[PredictionLog]:
    """As TensorFlow reads the file, and TF Serving's own messages its records."""
    dataset = tf.data.TFRecordDataset([str(version / WARM_UP)])
    return [PredictionLog.FromString(record.numpy()) for record in dataset]


def test_each_signature_has_records_in_the_form_that_it_answers(version):
    found = records(version)
    kinds = [log.WhichOneof("log_type") for log in found]
    # Texts twice: as they are, and a long one.
    assert kinds == ["predict_log"] * 2 + ["classify_log"] * 2 + ["regress_log"] * 2 + [
        "predict_log"
    ]
    assert found[0].predict_log.request.inputs["texts"].string_val == [
        b"a",
        "很好".encode(),
    ]
    (long,) = found[1].predict_log.request.inputs["texts"].string_val
    assert 600 <= len(long) < 700
    examples = found[2].classify_log.request.input.example_list.examples
    assert [e.SerializeToString(deterministic=True) for e in examples] == [
        an_example("good"),
        an_example("很好"),
    ]


def test_they_name_signatures_and_no_model(version):
    specs = [
        getattr(log, log.WhichOneof("log_type")).request.model_spec
        for log in records(version)
    ]
    assert {spec.name for spec in specs} == {""}
    assert [spec.signature_name for spec in specs[::2]] == [
        "serving_default",
        "classify",
        "regress",
        "from_pixels",
    ]


def test_recorded_answers_are_those_to_the_requests_read_back(version):
    signatures = read_json(version / MANIFEST)["signatures"]
    assert signatures["serving_default"]["sample"] == {"texts": ["a", "很好"]}
    assert signatures["serving_default"]["answer"] == {"lengths": [1, 6]}
    assert signatures["classify"]["answer"]["classes"] == [["4"], ["6"]]
    assert signatures["regress"]["answer"] == {"outputs": [4.0, 6.0]}
    assert signatures["from_pixels"]["sample"] == {"pixels": [[3, 5, 7]]}
    assert signatures["from_pixels"]["answer"] == {"sums": [15]}
    assert [request.form for request in read_warm_up(version)[:4:2]] == [
        PREDICT,
        CLASSIFY,
    ]


def planted(signature="serving_default", **inputs) -> PredictionLog:
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    for name, value in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (planted(words=["a"]), r"its inputs are \['texts'\], and the record has"),
        (planted(), r"the record has \[\]"),
        (planted(texts=["a"], more=["b"]), "the record has"),
        (planted(texts=np.ones(2, "float32")), "'texts' is TensorSpec"),
        (planted(texts=[["a"]]), "'texts' is TensorSpec"),
        (planted("nope", texts=["a"]), "signature 'nope', fails"),
        (planted("classify", inputs=[b"no example"]), "Could not parse example"),
        (PredictionLog(), "no server runs"),
    ],
)
def test_a_record_that_would_stop_a_server_stops_the_export(
    functions, tmp_path, monkeypatch, log, said
):
    def write(folder, requests):
        with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
            writer.write(planted(texts=["fine"]).SerializeToString())
            writer.write(log.SerializeToString())

    monkeypatch.setattr("zoo.export.write.write_warm_up", write)
    chosen = {name: functions[name] for name in ("serving_default", "classify")}
    samples = {
        "serving_default": {"texts": ["a"]},
        "classify": {"inputs": [an_example("a")]},
    }
    exportable = Exportable(
        tf.Module(), chosen, samples, {}, forms={"classify": CLASSIFY}
    )
    with pytest.raises(ExportRefused, match=said):
        export(exportable, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sample_that_does_not_fit_its_signature_stops_the_export(functions, tmp_path):
    exportable = Exportable(
        tf.Module(),
        {"serving_default": functions["serving_default"]},
        {"serving_default": {"words": ["a"]}},
        {},
    )
    with pytest.raises(ExportRefused, match=r"Record 1 .*\['texts'\].*\['words'\]"):
        export(exportable, tmp_path)


def test_a_damaged_file_is_no_file_of_requests(tmp_path):
    (tmp_path / WARM_UP).parent.mkdir()
    (tmp_path / WARM_UP).write_bytes(b"not a record")
    with pytest.raises(ExportRefused, match="no file of requests"):
        read_warm_up(tmp_path)


def test_more_records_than_a_server_reads_are_refused(version, functions, tmp_path):
    requests = read_warm_up(version)[:1] * 1001
    with pytest.raises(ExportRefused, match="1000"):
        write_warm_up(tmp_path, requests)


def test_replaying_answers_as_the_signatures_do(version, functions):
    concrete = {name: f.get_concrete_function() for name, f in functions.items()}
    answers = replay(read_warm_up(version), concrete)
    assert answers[0]["lengths"].tolist() == [1, 6]
    assert 600 <= answers[1]["lengths"][0] < 700
