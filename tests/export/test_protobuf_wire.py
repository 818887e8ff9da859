"""Protobuf's wire format, against protobuf's own packages."""

import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tests.export.tiny import INPUTS, classify_log, predict_log
from zoo.export.protobuf_wire import (
    CLASSIFY,
    PREDICT,
    fields,
    read_records,
    read_request,
    read_signatures,
)


def test_signatures_are_those_that_protobuf_reads():
    graph = meta_graph_pb2.MetaGraphDef()
    graph.meta_info_def.tags.append("serve")
    signature = graph.signature_def["with_ä"]
    signature.method_name = CLASSIFY
    for name, dims in (("scalar", []), ("batch", [-1, 3, 0])):
        info = signature.inputs[name]
        info.name, info.dtype = f"serving_{name}:0", 9
        info.tensor_shape.SetInParent()
        for size in dims:
            info.tensor_shape.dim.add(size=size)
    signature.outputs["any"].tensor_shape.unknown_rank = True
    graph.signature_def["empty"].SetInParent()
    found = read_signatures(graph.SerializeToString())
    assert sorted(found) == ["empty", "with_ä"]
    assert found["with_ä"].method == CLASSIFY
    inputs = found["with_ä"].inputs
    assert inputs["batch"].name == "serving_batch:0"
    assert inputs["batch"].dtype == 9
    assert inputs["batch"].shape == [-1, 3, 0]
    assert inputs["scalar"].shape == []
    assert found["with_ä"].outputs["any"].shape is None
    assert found["empty"].inputs == {}


def test_a_predict_request_is_read_from_its_log():
    request = read_request(predict_log().SerializeToString())
    assert (request.method, request.signature) == (PREDICT, "serving_default")
    assert sorted(request.tensors) == sorted(INPUTS)
    proto = tensor_pb2.TensorProto.FromString(request.tensors["numbers"])
    assert tf.make_ndarray(proto).shape == (2, 3)


def test_a_classify_request_is_read_with_its_examples():
    log = classify_log("one", "zwei")
    request = read_request(log.SerializeToString())
    assert (request.method, request.signature) == (CLASSIFY, "classify")
    examples = log.classify_log.request.input.example_list.examples
    assert request.examples == [one.SerializeToString() for one in examples]


def test_logs_without_a_request_that_is_known_are_refused():
    log = type(classify_log())()
    log.session_run_log.SetInParent()
    with pytest.raises(ValueError, match="no request of predict"):
        read_request(log.SerializeToString())


def test_a_message_that_is_cut_off_is_refused():
    message = classify_log("one").SerializeToString()
    assert len(list(fields(message))) == 1
    for size in range(1, len(message)):
        with pytest.raises(ValueError, match="no whole protobuf message"):
            list(fields(message[:size]))


def test_records_are_those_that_tensorflow_wrote(tmp_path):
    records = [b"", b"one", bytes(range(256)) * 5]
    with tf.io.TFRecordWriter(str(tmp_path / "file")) as writer:
        for record in records:
            writer.write(record)
    content = (tmp_path / "file").read_bytes()
    assert read_records(content) == records
    with pytest.raises(ValueError, match="record 2 is cut off"):
        read_records(content[:-1])
    for place in (0, 9, 16, 30):
        damaged = bytearray(content)
        damaged[place] ^= 4
        with pytest.raises(ValueError, match=r"checksum|cut off"):
            read_records(bytes(damaged))
