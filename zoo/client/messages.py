"""TF Serving's messages, without TensorFlow.

They are in a pool of their own, so a process may have TensorFlow's beside them. Fields
that no client needs are left out: a message that holds them is read all the same.
"""

import functools
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, wrappers_pb2
from google.protobuf.message_factory import GetMessageClass

from zoo.protocol.codes import CODES
from zoo.protocol.tensor_types import DATA_TYPES

_PACKAGE = "tensorflow.serving"
_VERSION = "google.protobuf.Int64Value"

ENUMS = {
    "tensorflow.DataType": DATA_TYPES,
    "tensorflow.error.Code": {n: number for number, n in enumerate(CODES)},
    f"{_PACKAGE}.VersionState": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
}

# Of each message the fields, by name: number and type.
MESSAGES = {
    "tensorflow.TensorDimension": {"size": (1, "int64"), "name": (2, "string")},
    "tensorflow.TensorShapeProto": {
        "dim": (2, "repeated tensorflow.TensorDimension"),
        "unknown_rank": (3, "bool"),
    },
    "tensorflow.TensorProto": {
        "dtype": (1, "tensorflow.DataType"),
        "tensor_shape": (2, "tensorflow.TensorShapeProto"),
        "version_number": (3, "int32"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "scomplex_val": (9, "repeated float"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "dcomplex_val": (12, "repeated double"),
        "half_val": (13, "repeated int32"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "tensorflow.TensorInfo": {
        "name": (1, "string"),
        "dtype": (2, "tensorflow.DataType"),
        "tensor_shape": (3, "tensorflow.TensorShapeProto"),
    },
    "tensorflow.SignatureDef": {
        "inputs": (1, "map tensorflow.TensorInfo"),
        "outputs": (2, "map tensorflow.TensorInfo"),
        "method_name": (3, "string"),
        "defaults": (4, "map tensorflow.TensorProto"),
    },
    f"{_PACKAGE}.ModelSpec": {
        "name": (1, "string"),
        "version": (2, _VERSION),
        "signature_name": (3, "string"),
        "version_label": (4, "string"),
    },
    f"{_PACKAGE}.PredictRequest": {
        "model_spec": (1, f"{_PACKAGE}.ModelSpec"),
        "inputs": (2, "map tensorflow.TensorProto"),
        "output_filter": (3, "repeated string"),
    },
    f"{_PACKAGE}.PredictResponse": {
        "outputs": (1, "map tensorflow.TensorProto"),
        "model_spec": (2, f"{_PACKAGE}.ModelSpec"),
    },
    f"{_PACKAGE}.SignatureDefMap": {
        "signature_def": (1, "map tensorflow.SignatureDef"),
    },
    f"{_PACKAGE}.GetModelMetadataRequest": {
        "model_spec": (1, f"{_PACKAGE}.ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    f"{_PACKAGE}.GetModelMetadataResponse": {
        "model_spec": (1, f"{_PACKAGE}.ModelSpec"),
        "metadata": (2, "map google.protobuf.Any"),
    },
    f"{_PACKAGE}.GetModelStatusRequest": {
        "model_spec": (1, f"{_PACKAGE}.ModelSpec"),
    },
    f"{_PACKAGE}.StatusProto": {
        "error_code": (1, "tensorflow.error.Code"),
        "error_message": (2, "string"),
    },
    f"{_PACKAGE}.ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, f"{_PACKAGE}.VersionState"),
        "status": (3, f"{_PACKAGE}.StatusProto"),
    },
    f"{_PACKAGE}.GetModelStatusResponse": {
        "model_version_status": (1, f"repeated {_PACKAGE}.ModelVersionStatus"),
    },
}


@functools.cache
def message(name: str) -> type[Any]:
    """The class of a message by its whole name, or by that in `tensorflow.serving`."""
    whole = name if "." in name else f"{_PACKAGE}.{name}"
    return GetMessageClass(_pool().FindMessageTypeByName(whole))


def enum_name(enum: str, number: int) -> str:
    """What a number of an enum is called; the number itself if nobody knows."""
    names = {known: name for name, known in ENUMS[enum].items()}
    return names.get(number, str(number))


@functools.cache
def _pool():
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for package in ("tensorflow.error", "tensorflow", _PACKAGE):
        pool.AddSerializedFile(_file(package).SerializeToString())
    return pool


def _file(package: str):
    own = [name for name in ENUMS if name.rpartition(".")[0] == package]
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    imported = ("tensorflow.error", "tensorflow") if package == _PACKAGE else ()
    file.dependency.extend(f"{name}.proto" for name in imported)
    if package == _PACKAGE:
        for module in (any_pb2, wrappers_pb2):
            file.dependency.append(module.DESCRIPTOR.name)
    for name in own:
        enum = file.enum_type.add(name=name.rpartition(".")[2])
        for value, number in ENUMS[name].items():
            # Values of enums share their package's names.
            enum.value.add(name=f"{enum.name}_{value}", number=number)
    for name, fields in MESSAGES.items():
        if name.rpartition(".")[0] == package:
            _add_message(file, name, fields)
    return file


def _add_message(file, name: str, fields: dict) -> None:
    found = file.message_type.add(name=name.rpartition(".")[2])
    for field_name, (number, kind) in fields.items():
        rule, _, type_name = kind.rpartition(" ")
        field = found.field.add(name=field_name, number=number)
        field.label = field.LABEL_REPEATED if rule else field.LABEL_OPTIONAL
        if rule == "map":
            entry = "".join(map(str.title, field_name.split("_"))) + "Entry"
            nested = found.nested_type.add(name=entry)
            nested.options.map_entry = True
            for n, (own, of) in enumerate((("key", "string"), ("value", type_name)), 1):
                one = nested.field.add(name=own, number=n, label=1)
                _set_type(one, of)
            type_name = f"{name}.{entry}"
        _set_type(field, type_name)


def _set_type(field, type_name: str) -> None:
    if "." not in type_name:
        field.type = getattr(field, f"TYPE_{type_name.upper()}")
        return
    field.type = field.TYPE_ENUM if type_name in ENUMS else field.TYPE_MESSAGE
    field.type_name = f".{type_name}"
