"""The client's messages against those of tensorflow-serving-api, in one process."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.unknown_fields import UnknownFieldSet
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    status_pb2,
)

from zoo.client import ServerError
from zoo.client.arrays import as_array
from zoo.client.messages import ENUMS, MESSAGES, enum_name, message
from zoo.client.tensor_messages import from_message, to_message

PACKAGE = "tensorflow.serving"
REAL = {
    "tensorflow.TensorDimension": tensor_shape_pb2.TensorShapeProto.Dim,
    "tensorflow.TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "tensorflow.TensorProto": tensor_pb2.TensorProto,
    "tensorflow.TensorInfo": meta_graph_pb2.TensorInfo,
    "tensorflow.SignatureDef": meta_graph_pb2.SignatureDef,
    f"{PACKAGE}.ModelSpec": model_pb2.ModelSpec,
    f"{PACKAGE}.PredictRequest": predict_pb2.PredictRequest,
    f"{PACKAGE}.PredictResponse": predict_pb2.PredictResponse,
    f"{PACKAGE}.SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    f"{PACKAGE}.GetModelMetadataRequest": (
        get_model_metadata_pb2.GetModelMetadataRequest
    ),
    f"{PACKAGE}.GetModelMetadataResponse": (
        get_model_metadata_pb2.GetModelMetadataResponse
    ),
    f"{PACKAGE}.GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    f"{PACKAGE}.GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
    f"{PACKAGE}.ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    f"{PACKAGE}.StatusProto": status_pb2.StatusProto,
}
ALIASES = {
    "TensorDimension": "Dim",
    "VersionState": "State",
}


def shape_of(descriptor) -> dict:
    """Of each field what the wire depends on."""
    return {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.is_packed,
            _type_name(field.message_type or field.enum_type),
            # Entries of maps are messages of their own.
            shape_of(field.message_type) if _is_entry(field) else None,
        )
        for field in descriptor.fields
    }


def _is_entry(field):
    return field.message_type and field.message_type.GetOptions().map_entry


def _type_name(descriptor):
    return descriptor and ALIASES.get(descriptor.name, descriptor.name)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_is_as_the_real_message_has_it(name):
    real = shape_of(REAL[name].DESCRIPTOR)
    own = shape_of(message(name).DESCRIPTOR)
    assert own
    assert own == {field: real[field] for field in own}


@pytest.mark.parametrize(
    ("enum", "real"),
    [
        ("tensorflow.DataType", types_pb2.DataType),
        (
            f"{PACKAGE}.VersionState",
            get_model_status_pb2.ModelVersionStatus.State,
        ),
        ("tensorflow.error.Code", tf.errors),
    ],
)
def test_every_enum_has_the_real_numbers(enum, real):
    for name, number in ENUMS[enum].items():
        assert (getattr(real, name) if real is tf.errors else real.Value(name)) == (
            number
        )
    assert enum_name(enum, 987) == "987"


def test_a_request_of_ours_is_a_request_of_theirs():
    own = message("PredictRequest")(output_filter=["scores", "labels"])
    own.model_spec.name, own.model_spec.signature_name = "en-zh", "n_best"
    own.model_spec.version.value = 2**40
    own.inputs["texts"].CopyFrom(to_message(as_array([["é", b"\xff\0"]], "x")))
    own.inputs["pixels"].CopyFrom(to_message(np.arange(6, dtype="uint8")))
    real = predict_pb2.PredictRequest.FromString(own.SerializeToString())
    assert real.model_spec.name == "en-zh"
    assert real.model_spec.signature_name == "n_best"
    assert real.model_spec.version.value == 2**40
    assert real.model_spec.WhichOneof("version_choice") == "version"
    assert list(real.output_filter) == ["scores", "labels"]
    texts = tf.make_ndarray(real.inputs["texts"])
    assert texts.tolist() == [["é".encode(), b"\xff\0"]]
    assert tf.make_ndarray(real.inputs["pixels"]).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(UnknownFieldSet(real)) == 0
    labelled = message("ModelSpec")(name="m", version_label="stable")
    real = model_pb2.ModelSpec.FromString(labelled.SerializeToString())
    assert real.WhichOneof("version_choice") == "version_label"
    assert real.version_label == "stable"


def test_an_answer_of_theirs_is_an_answer_of_ours():
    real = predict_pb2.PredictResponse()
    real.model_spec.name = "en-zh"
    real.model_spec.version.value = 3
    real.outputs["scores"].CopyFrom(tf.make_tensor_proto([[0.5, -0.25]]))
    own = message("PredictResponse").FromString(real.SerializeToString())
    assert own.model_spec.version.value == 3
    assert from_message(own.outputs["scores"], "scores").tolist() == [[0.5, -0.25]]
    assert own.SerializeToString() == real.SerializeToString()


def test_signatures_are_read_through_any():
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["score"]
    signature.method_name = "tensorflow/serving/predict"
    signature.inputs["texts"].dtype = types_pb2.DT_STRING
    signature.inputs["texts"].tensor_shape.dim.add(size=-1)
    real = get_model_metadata_pb2.GetModelMetadataResponse()
    real.metadata["signature_def"].Pack(signatures)
    own = message("GetModelMetadataResponse").FromString(real.SerializeToString())
    unpacked = message("SignatureDefMap")()
    assert own.metadata["signature_def"].Unpack(unpacked)
    assert unpacked.signature_def["score"].inputs["texts"].dtype == 7
    assert unpacked.SerializeToString() == signatures.SerializeToString()


def test_status_is_read():
    real = get_model_status_pb2.GetModelStatusResponse()
    version = real.model_version_status.add(version=7, state=30)
    version.status.error_code, version.status.error_message = 5, "no file"
    own = message("GetModelStatusResponse").FromString(real.SerializeToString())
    (found,) = own.model_version_status
    assert (found.version, found.state) == (7, 30)
    assert (found.status.error_code, found.status.error_message) == (5, "no file")


NUMBERS = "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64"


@pytest.mark.parametrize("dtype", [*NUMBERS.split(), "bool", "complex64", "complex128"])
def test_tensors_of_every_type_are_theirs_and_back(dtype, random):
    array = (random.normal(size=(2, 3, 5)) * 9).astype(dtype)
    tensor = to_message(array)
    real = tensor_pb2.TensorProto.FromString(tensor.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(real), array)
    for theirs in (
        tf.make_tensor_proto(array),
        _listed(array),
    ):
        own = message("tensorflow.TensorProto").FromString(theirs.SerializeToString())
        found = from_message(own, "x")
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype


def _listed(array):
    """A message with its values one by one, as some servers send them."""
    tensor = tf.make_tensor_proto(array.flat[:1], shape=[1])
    names = [f.name for f, _ in tensor.ListFields() if f.name.endswith("_val")]
    real = tensor_pb2.TensorProto(dtype=tensor.dtype)
    real.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
    flat = array.reshape(-1)
    if array.dtype == np.float16:
        flat = flat.view("uint16")
    if array.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    getattr(real, names[0]).extend(flat.tolist())
    return real


def test_big_endian_numbers_are_sent_little_endian():
    array = np.array([1.5, -2.25], ">f4")
    real = tensor_pb2.TensorProto.FromString(to_message(array).SerializeToString())
    assert tf.make_ndarray(real).tolist() == [1.5, -2.25]


def test_bfloat16_is_read_as_float32():
    values = tf.constant([1.5, -3.140625, 0.0], tf.bfloat16)
    for theirs in (
        tf.make_tensor_proto(values),
        tensor_pb2.TensorProto(
            dtype=types_pb2.DT_BFLOAT16,
            tensor_shape=tf.TensorShape([3]).as_proto(),
            half_val=values.numpy().view("uint16").tolist(),
        ),
    ):
        own = message("tensorflow.TensorProto").FromString(theirs.SerializeToString())
        found = from_message(own, "x")
        assert found.dtype == "float32"
        assert found.tolist() == [1.5, -3.140625, 0.0]


def test_strings_are_text_but_for_outputs_of_bytes():
    content = tf.make_tensor_proto(["日本".encode(), b"a\0"]).SerializeToString()
    own = message("tensorflow.TensorProto").FromString(content)
    assert from_message(own, "texts").tolist() == ["日本", "a\0"]
    assert from_message(own, "image_bytes").tolist() == ["日本".encode(), b"a\0"]
    broken = tf.make_tensor_proto([b"a\xff"]).SerializeToString()
    (text,) = from_message(
        message("tensorflow.TensorProto").FromString(broken), "texts"
    )
    assert text.encode("utf-8", "surrogateescape") == b"a\xff"


def test_the_last_value_stands_for_all_that_are_left_out():
    real = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT,
        tensor_shape=tf.TensorShape([2, 3]).as_proto(),
        float_val=[1.0, 2.0],
    )
    own = message("tensorflow.TensorProto").FromString(real.SerializeToString())
    assert from_message(own, "x").tolist() == tf.make_ndarray(real).tolist()
    assert from_message(own, "x").tolist() == [[1, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_empty_tensors_and_scalars_keep_their_shapes(shape):
    array = np.full(shape, 3, "int32")
    own = to_message(array)
    real = tensor_pb2.TensorProto.FromString(own.SerializeToString())
    assert tf.make_ndarray(real).shape == shape
    assert from_message(own, "x").tolist() == array.tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": 1, "tensor_content": b"abc"},
        {"dtype": 1, "tensor_content": b"abcd" * 2},
        {"dtype": 1, "float_val": [1.0, 2.0, 3.0, 4.0]},
        {"dtype": 7, "string_val": []},
        {"dtype": 20},
        {"dtype": 999},
    ],
)
def test_damaged_and_strange_tensors_are_told_by_name(fields):
    tensor = message("tensorflow.TensorProto")(**fields)
    tensor.tensor_shape.dim.add(size=3)
    with pytest.raises(ServerError, match=r"INTERNAL.*'scores'"):
        from_message(tensor, "scores")


def test_numpy_types_that_tensorflow_lacks_are_refused():
    with pytest.raises(TypeError, match=r"longdouble|float128"):
        to_message(np.zeros(2, "longdouble"))
