import json
import math

import numpy as np
import pytest

from zoo.serving.errors import ServingError
from zoo.serving.json_answers import (
    classifications_text,
    decimal_texts,
    error_text,
    outputs_text,
    predictions_text,
    regressions_text,
)


def _one_decimal(value) -> str:
    """Written from the rule, a number at a time."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = f"{float(value):.6g}"
    if type(value)(text) != value:
        text = f"{float(value):.{9 if isinstance(value, np.float32) else 17}g}"
    return text if set(text) & set(".e") else text + ".0"


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_decimals_have_six_digits_or_as_many_as_say_them_exactly(kind, random):
    limits = np.finfo(kind)
    special = [0, -0.0, np.nan, np.inf, -np.inf, 0.2, 9e6, 3e-5, 1e6, 99999.95, 1 / 3]
    special += [limits.max, limits.tiny, limits.smallest_subnormal, 16777217, 1e-40]
    values = [
        random.random(3000),
        np.round(random.random(2000), 3),
        random.integers(-(10**9), 10**9, 1000),
        random.normal(size=1000) * 10.0 ** random.integers(-37, 38, 1000),
        special,
    ]
    values = np.concatenate(values).astype(kind)
    texts = decimal_texts(values)
    assert texts == [_one_decimal(value) for value in values]
    back = np.array([float(text) for text in texts]).astype(kind)
    np.testing.assert_array_equal(back, values)


def test_recorded_decimals():
    values = np.float32([0.339162856, 0.5, 1, 1234567, 1e10, 0.2])
    texts = ["0.339162856", "0.5", "1.0", "1234567.0", "1e+10", "0.2"]
    assert decimal_texts(values) == texts


def _strings(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


COLUMNS = {
    "a": np.arange(2 * 3 * 5).reshape(2, 3, 5),
    "b": np.array([[True], [False]]),
    "c": _strings([b'"\\\n', "å".encode()]),
    "d": np.zeros((2, 0, 7), np.int32),
    "e": np.array([255, 0], np.uint8),
}


def _plain(array):
    decoded = [
        value.decode() if isinstance(value, bytes) else value
        for value in array.ravel().tolist()
    ]
    return np.array(decoded, object).reshape(array.shape).tolist()


def test_columns_are_printed_an_element_a_line():
    expected = {name: _plain(array) for name, array in COLUMNS.items()}
    answer = json.dumps({"outputs": expected}, indent=4, ensure_ascii=False)
    assert outputs_text(COLUMNS) == answer
    for name, array in COLUMNS.items():
        answer = {"outputs": expected[name]}
        assert outputs_text({name: array}) == json.dumps(
            answer, indent=4, ensure_ascii=False
        )


def test_rows_say_what_columns_say():
    rows = json.loads(predictions_text(COLUMNS))["predictions"]
    for index, row in enumerate(rows):
        assert row == {name: _plain(of)[index] for name, of in COLUMNS.items()}
    for name, array in COLUMNS.items():
        answer = json.loads(predictions_text({name: array}))
        assert answer == {"predictions": _plain(array)}


def test_lists_of_rows_stand_on_one_line():
    text = predictions_text({"a": np.array([[[1, 2], [3, 4]]]), "b": np.array([5])})
    assert text == (
        '{\n    "predictions": [\n        {\n            "a": [[1, 2], [3, 4]],\n'
        '            "b": 5\n        }\n    ]\n}'
    )
    text = predictions_text({"a": np.array([[1, 2], [3, 4]])})
    assert text == '{\n    "predictions": [[1, 2], [3, 4]\n    ]\n}'


def test_a_number_without_axes_is_a_column_but_no_rows():
    assert outputs_text({"a": np.array(7)}) == '{\n    "outputs": 7\n}'
    with pytest.raises(ServingError, match="a has no shape information"):
        predictions_text({"a": np.array(7)})


def test_outputs_of_different_lengths_are_no_rows():
    with pytest.raises(ServingError, match="b has inconsistent batch size: 3 exp"):
        predictions_text({"a": np.zeros(2), "b": np.zeros(3)})


def test_no_rows_are_an_empty_list():
    answer = {"predictions": []}
    assert json.loads(predictions_text({"a": np.zeros((0, 3))})) == answer


def test_outputs_named_bytes_are_base64():
    values = _strings([b"\xff\0", b""])
    expected = [{"b64": "/wA="}, {"b64": ""}]
    text = outputs_text({"a_bytes": values})
    assert text == json.dumps({"outputs": expected}, indent=4)
    text = predictions_text({"a_bytes": values, "b": values})
    assert json.loads(text)["predictions"][0]["a_bytes"] == {"b64": "/wA="}
    lines = predictions_text({"a_bytes": values}).splitlines()
    assert lines[1:4] == [
        '    "predictions": [{',
        '            "b64": "/wA="',
        8 * " " + "}, {",
    ]


def test_a_string_that_is_not_utf_8_still_makes_json():
    text = outputs_text({"a": _strings([b"a\xff"])})
    assert json.loads(text.encode("utf-8")) == {"outputs": ["a\ufffd"]}


@pytest.mark.parametrize("kind", ["float16", "uint16", "complex64"])
def test_types_without_json_are_named(kind):
    name = {"float16": "half"}.get(kind, kind)
    with pytest.raises(ServingError, match=f"for tensor type: {name}$"):
        outputs_text({"a": np.zeros(2, kind)})


def test_classes_stand_with_their_scores():
    text = classifications_text([[("a", 0.5), ('"', 1 / 3)], []])
    assert text == '{\n    "results": [[["a", 0.5], ["\\"", 0.333333343]], []\n    ]\n}'
    with pytest.raises(ServingError, match="empty"):
        classifications_text([])


def test_regressions_stand_on_one_line():
    assert regressions_text([2, 0.1]) == '{\n    "results": [2.0, 0.1]\n}'
    with pytest.raises(ServingError, match="empty"):
        regressions_text([])


def test_an_error_is_an_object():
    assert error_text('a\n"å"') == '{\n    "error": "a\\n\\"å\\""\n}'


def test_an_answer_without_outputs_is_refused():
    for text in (outputs_text, predictions_text):
        with pytest.raises(ServingError, match="empty tensor map"):
            text({})
