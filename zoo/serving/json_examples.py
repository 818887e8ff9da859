"""The examples that a REST request to `classify` or `regress` holds.

`{"examples": [{"feature": value or list, ...}, ...]}`, with features that all have in
common under "context". Each becomes a tf.train.Example, as bytes.
"""

from collections.abc import Mapping

from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature

from zoo.protocol.tensor_types import TENSOR_TYPES
from zoo.serving.errors import ServingError, invalid
from zoo.serving.json_text import type_name, value_text
from zoo.serving.json_values import is_base64, refusal, value_bytes

_FLOAT, _INT64 = TENSOR_TYPES[1], 2**63
# What messages call the three lists that a feature may be.
_LISTS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read_examples(request: Mapping) -> list[bytes]:
    """The examples of a request, each with the context before its own features.

    Raises:
        ServingError: the request does not have the form.
    """
    context = b""
    if "context" in request:
        context = _example(request["context"]).SerializeToString()
    if "examples" not in request:
        raise _malformed(
            request,
            "When method is classify, key 'examples' is expected and was not found",
        )
    examples = request["examples"]
    if not isinstance(examples, list):
        raise _malformed(request, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _malformed(request, "'examples' value is an empty array")
    # Messages joined as bytes are merged: what comes later wins.
    return [context + _example(value).SerializeToString() for value in examples]


def _malformed(request: Mapping, text: str) -> ServingError:
    return invalid(f"JSON Value: {value_text(request)} {text}")


def _example(value) -> Example:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_name(value)}")
    example = Example()
    for name, content in value.items():
        feature = Feature()
        for element in content if isinstance(content, list) else [content]:
            _add(element, name, feature)
        example.features.feature[name].CopyFrom(feature)
    return example


def _add(value, name: str, feature: Feature) -> None:
    field, element = _typed(value, name)
    kind = feature.WhichOneof("kind")
    if kind not in (None, field):
        raise invalid(
            f"Unexpected element type in feature: {name} expecting type: {_LISTS[kind]}"
        )
    getattr(feature, field).value.append(element)


def _typed(value, name: str) -> tuple[str, bytes | int | float]:
    """The list that a JSON value belongs to, and the value as it stands there."""
    if isinstance(value, str) or (isinstance(value, dict) and is_base64(value)):
        return "bytes_list", value_bytes(value)
    if isinstance(value, (type(None), dict, list)):
        raise invalid(
            f"Feature: {name} has element with unexpected JSON type: {type_name(value)}"
        )
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return "int64_list", int(value)
    if isinstance(value, int) and _INT64 <= value < 2 * _INT64:
        raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
    reason = refusal(value, _FLOAT)
    if reason:
        raise invalid(reason)
    return "float_list", float(value)
