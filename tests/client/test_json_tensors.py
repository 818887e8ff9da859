import json

import numpy as np
import pytest

from zoo.client import ServerError
from zoo.client.arrays import as_array
from zoo.client.json_tensors import from_json, to_json


def test_bytes_go_in_base64_and_text_as_it_is():
    array = as_array([[b"\xff\0", "日本"]], "x")
    assert to_json(array) == [[{"b64": "/wA="}, "日本"]]


def test_numbers_keep_their_values():
    array = np.array([[0.1, np.nan], [np.inf, -np.inf]], "float32")
    back = from_json(json.loads(json.dumps(to_json(array))), "x")
    np.testing.assert_array_equal(back.astype("float32"), array)


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        ([1, 2], "int64", (2,)),
        ([[0.5, 1], [2, 3]], "float64", (2, 2)),
        ([True], "bool", (1,)),
        ([], "float64", (0,)),
        ([[], []], "float64", (2, 0)),
        (3.5, "float64", ()),
        (["a\0", "b"], "object", (2,)),
        ([[{"b64": "/wA="}]], "object", (1, 1)),
        ("a", "object", ()),
    ],
)
def test_outputs_become_arrays(value, dtype, shape):
    array = from_json(value, "x")
    assert array.dtype == dtype
    assert array.shape == shape
    expected = [[b"\xff\0"]] if "b64" in str(value) else value
    assert array.tolist() == expected


@pytest.mark.parametrize(
    "value",
    [
        [[1], [2, 3]],
        [["a"], ["b", "c"]],
        [None],
        ["a", 3],
        [{"b64": "*"}],
        [{"c": 1}],
        {"b64": 3},
    ],
)
def test_an_answer_that_is_no_array_is_told_by_its_name(value):
    with pytest.raises(ServerError, match=r"INTERNAL.*'scores'"):
        from_json(value, "scores")
