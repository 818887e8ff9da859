import json

import pytest

from zoo.serving.errors import ServingError
from zoo.serving.json_text import read_json, value_text


def _fault(body):
    with pytest.raises(ServingError) as raised:
        read_json(body)
    assert raised.value.code == "INVALID_ARGUMENT"
    return raised.value.message


def test_an_object_is_read():
    assert read_json(b'\xef\xbb\xbf {"a": [1, 2.5, null, true, "\xc3\xa5"]}') == {
        "a": [1, 2.5, None, True, "å"]
    }


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "The document is empty"),
        (b"  ", "The document is empty. at offset: 2"),
        (b'{"instances": [1,', "Invalid value. at offset: 17"),
        (b'{"a": 1} {}', "The document root must not be followed by other values."),
        (b"{a: 1}", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member."),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element."),
        (b'{"a": "b}', "Missing a closing quotation mark in string."),
        (b'{"a": "\\x"}', "Invalid escape character in string."),
        (b'{"\xc3\xa5": [1,', "Invalid value. at offset: 10"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place_in_bytes(body, message):
    assert _fault(body).startswith(f"JSON Parse error: {message}")


def test_text_that_is_not_utf_8_is_refused():
    message = "JSON Parse error: Invalid encoding in string. at offset: 7"
    assert _fault(b'{"a": "\xff"}') == message


@pytest.mark.parametrize("text", [r"\ud800", r"\udc00 ", r"\uD83Dx", r"\uDBff"])
def test_half_of_a_surrogate_pair_is_refused(text):
    assert "surrogate pair" in _fault(f'{{"a": ["{text}"]}}'.encode())


def test_a_whole_surrogate_pair_is_one_character():
    assert read_json(rb'{"a": "\ud83d\ude00"}') == {"a": "😀"}


def test_a_name_that_stands_twice_is_refused():
    assert '"a" stands twice' in _fault(b'{"b": [{"a": 1, "c": 2, "a": 3}]}')


@pytest.mark.parametrize("number", ["1e999", "-1E+400", "9" * 400, "9" * 5000])
def test_a_number_that_no_double_holds_is_refused(number):
    assert "too big" in _fault(f'{{"a": {number}}}'.encode())


def test_infinity_and_nan_by_name_are_numbers():
    value = read_json(b'{"a": [NaN, Infinity, -Infinity, 1e308]}')["a"]
    assert str(value) == "[nan, inf, -inf, 1e+308]"


@pytest.mark.parametrize("start, end", [("[", "]"), ('{"a":', "}")])
def test_nesting_without_end_is_refused(start, end):
    deep = start * 100_000 + "1" + end * 100_000
    assert "nested too deeply" in _fault(f'{{"b": {deep}}}'.encode())


def test_what_is_no_object_is_printed_on_one_line():
    assert _fault(b'[1, "a", [2.5, {}]]') == (
        'JSON Value: [1, "a", [2.5, {}]] Is not object'
    )


def test_a_value_is_printed_a_name_a_line():
    value = {"a": {"b": [1, {"c": None}], "d": {}}, "e": []}
    text = value_text(value)
    assert text.splitlines()[:3] == ["{", '    "a": {', '        "b": [1, {']
    assert json.loads(text) == value


def test_a_printed_value_has_a_bound():
    assert len(value_text(["x" * 70] * 700)) < 2100
    nested = []
    for _ in range(5000):
        nested = [nested]
    assert value_text(nested) == "..."
