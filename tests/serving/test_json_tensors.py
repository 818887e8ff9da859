import base64

import numpy as np
import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from zoo.serving.errors import ServingError
from zoo.serving.json_tensors import read_tensors, signature_name

FLOAT, DOUBLE, INT32, UINT8, STRING, INT64, BOOL = 1, 2, 3, 4, 7, 9, 10
UINT32, UINT64, HALF, BFLOAT16 = 22, 23, 19, 14


def _read(request, **types):
    inputs = {name: TensorInfo(dtype=number) for name, number in types.items()}
    return read_tensors(request, inputs)


def _column(value, number):
    return _read({"inputs": value}, x=number)["x"]


def _refusal(request, **types):
    with pytest.raises(ServingError) as raised:
        _read(request, **types)
    return raised.value.message


def _b64(content):
    return {"b64": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    "number, kind, values",
    [
        (FLOAT, "float32", [[1, 2.5, -3e38], [0.1, 16777215, float("inf")]]),
        (DOUBLE, "float64", [[1, 2.5], [0.1, 2**53 - 1]]),
        (INT32, "int32", [[1, -(2**31)], [3, 2**31 - 1]]),
        (UINT8, "uint8", [[0, 255], [3, 7]]),
        (INT64, "int64", [[2**63 - 1, -(2**63)]]),
        (UINT32, "uint32", [[0, 2**32 - 1]]),
        (UINT64, "uint64", [[0, 2**64 - 1]]),
        (BOOL, "bool", [[True], [False]]),
    ],
)
def test_columns_and_rows_are_arrays_of_the_signatures_type(number, kind, values):
    expected = np.array(values, kind)
    for request in ({"inputs": values}, {"instances": values}):
        for body in (request, _named(request)):
            array = _read(body, x=number)["x"]
            assert array.dtype == kind
            np.testing.assert_array_equal(array, expected)


def _named(request):
    if "inputs" in request:
        return {"inputs": {"x": request["inputs"]}}
    return {"instances": [{"x": row} for row in request["instances"]]}


def test_strings_are_utf_8_and_base64_is_bytes():
    values = ["å", _b64(b"\xff\0"), "", _b64(b"")]
    for request in ({"inputs": values}, {"instances": values}):
        array = _read(request, x=STRING)["x"]
        assert array.tolist() == ["å".encode(), b"\xff\0", b"", b""]


def test_base64_needs_no_padding_and_may_have_spaces():
    assert _column({"b64": "YW Jj\nZA"}, STRING).tolist() == b"abcd"


def test_several_inputs_are_named_in_every_row():
    rows = [{"a": [1, 2], "b": "x"}, {"b": "y", "a": [3, 4]}]
    tensors = _read({"instances": rows}, a=INT32, b=STRING)
    assert tensors["a"].tolist() == [[1, 2], [3, 4]]
    assert tensors["b"].tolist() == [b"x", b"y"]


def test_a_column_may_have_no_axes_or_no_elements():
    assert _column(3, INT32).shape == ()
    assert _column([], FLOAT).shape == (0,)
    assert _column([[], []], FLOAT).shape == (2, 0)


def test_integers_of_any_size_are_decimals():
    array = _column([10**30, -(10**30), 1], FLOAT)
    np.testing.assert_array_equal(array, np.float32([1e30, -1e30, 1]))


WRONG = "Failed to process element: {} of 'instances' list. Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
    "number, value, message",
    [
        (FLOAT, "a", 'JSON Value: "a" Type: String is not of expected type: float'),
        (FLOAT, True, "JSON Value: true Type: True is not of expected type: float"),
        (FLOAT, None, "JSON Value: null Type: Null is not of expected type: float"),
        (INT32, 1.0, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        (INT32, 2**31, f"JSON Value: {2**31} Type: Number is not of expected type"),
        (UINT8, 256, "JSON Value: 256 Type: Number is not of expected type: uint8"),
        (UINT64, -1, "JSON Value: -1 Type: Number is not of expected type: uint64"),
        (INT32, False, "JSON Value: false Type: False is not of expected type"),
        (BOOL, 1, "JSON Value: 1 Type: Number is not of expected type: bool"),
        (STRING, 1e-5, "JSON Value: 1e-05 Type: Number is not of expected type: str"),
        (FLOAT, 2**24, f"Cannot convert JSON value: {2**24} to float without loss"),
        (FLOAT, 1e39, "Cannot convert JSON value: 1e+39 to float without loss"),
        (DOUBLE, -(2**53), f"Cannot convert JSON value: {-(2**53)} to double without"),
        (STRING, {"b64": "*"}, "Unable to base64 decode"),
        (STRING, {"b64": "abcde"}, "Unable to base64 decode"),
    ],
)
def test_a_value_of_another_type_is_refused_wherever_it_stands(number, value, message):
    good = {STRING: "x", BOOL: True}.get(number, 1)
    for place in (0, 1, 2):
        values = [good] * place + [value, good, value]
        told = _refusal({"instances": values}, x=number)
        assert told.startswith(WRONG.format(place) + message)
        assert _refusal({"inputs": values}, x=number).startswith(message)


def test_an_infinity_beside_it_hides_no_number_that_is_too_large():
    message = _refusal({"inputs": [float("inf"), 1e39, 1.0]}, x=FLOAT)
    assert message.startswith("Cannot convert JSON value: 1e+39")


def test_an_object_is_no_element():
    message = _refusal({"inputs": {"x": [{"a": 1}]}}, x=STRING)
    assert message == (
        'JSON Value: {\n    "a": 1\n} not formatted correctly for base64 data'
    )
    message = _refusal({"inputs": {"x": [1, _b64(b"a")]}}, x=FLOAT)
    assert message.endswith("Type: Object is not of expected type: float")


@pytest.mark.parametrize(
    "value, message",
    [
        ([[1], 2], "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expec"),
        ([1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        ([[1], [2, 3]], "Encountered list at unexpected size: 2 at level: 1 expected"),
        ([[[1]], [[]]], "Encountered list at unexpected size: 0 at level: 2 expected"),
        ([[], [1]], "Encountered list at unexpected size: 1 at level: 1 expected"),
    ],
)
def test_columns_that_are_not_rectangular_are_refused(value, message):
    assert _refusal({"inputs": value}, x=INT32).startswith(message)


def test_rows_of_different_shapes_are_refused():
    told = _refusal({"instances": [[1], [2, 3]]}, x=INT32)
    assert told == WRONG.format(1) + "Expecting tensor size: 1 but got: 2"
    told = _refusal({"instances": [[[1, 2]], [[3], [4]]]}, x=INT32)
    assert told == WRONG.format(1) + "Expecting shape [1,2] but got: [2,1]"


def test_rows_must_have_the_names_of_the_signature():
    message = _refusal({"instances": [{"a": 1, "b": 2}, {"a": 1}]}, a=INT32, b=INT32)
    assert message == (
        "Failed to process element: 1 of 'instances' list. JSON object: "
        '{\n    "a": 1\n} keys must be equal to: a,b'
    )
    message = _refusal({"instances": [{"a": 1}, 2]}, a=INT32)
    assert message == "Expecting object but got list at item 1 of input list"
    message = _refusal({"instances": [2, {"a": 1}]}, a=INT32)
    assert message == "Expecting value/list but got object at item 1 of input list"


def test_several_inputs_without_names_are_refused():
    for request in ({"instances": [1]}, {"inputs": [1]}):
        assert "multiple input tensors required" in _refusal(request, a=1, b=1)


def test_types_without_json_are_unimplemented():
    for number, name in ((HALF, "half"), (BFLOAT16, "type 14")):
        with pytest.raises(ServingError) as raised:
            _column([1.5], number)
        assert raised.value.code == "UNIMPLEMENTED"
        assert raised.value.message == f"Conversion of JSON Value: 1.5 to type: {name}"


def test_a_tensor_of_a_hundred_axes_is_refused():
    value = 1
    for _ in range(100):
        value = [value]
    for request in ({"inputs": value}, {"instances": value}):
        assert "more than 32 nested lists" in _refusal(request, x=INT32)


def test_a_signatures_name_is_a_string():
    assert signature_name({}) == "" and signature_name({"signature_name": "a"}) == "a"
    with pytest.raises(ServingError, match="must be a string"):
        signature_name({"signature_name": 3})


def test_a_signature_without_inputs_takes_no_request():
    message = "Failed to get input map for signature: a"
    assert _refusal({"signature_name": "a", "inputs": []}) == message
