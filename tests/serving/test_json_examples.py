import pytest
import tensorflow as tf

from zoo.serving.errors import ServingError
from zoo.serving.json_examples import read_examples


def _features(example):
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in tf.train.Example.FromString(
            example
        ).features.feature.items()
    }


def _refusal(**request):
    with pytest.raises(ServingError) as raised:
        read_examples(request)
    return raised.value.message


def test_values_go_to_the_list_of_their_type():
    values = {"a": ["x", {"b64": "/w=="}], "b": [True, 3], "c": 0.5, "d": "y"}
    (example,) = read_examples({"examples": [values]})
    assert _features(example) == {
        "a": [b"x", b"\xff"],
        "b": [1, 3],
        "c": [0.5],
        "d": [b"y"],
    }


def test_the_context_goes_before_and_yields():
    context = {"a": "common", "b": 2}
    request = {"context": context, "examples": [{"a": "own"}, {}]}
    first, second = map(_features, read_examples(request))
    assert first == {"a": [b"own"], "b": [2]}
    assert second == {"a": [b"common"], "b": [2]}


@pytest.mark.parametrize(
    "value, message",
    [
        (None, "Feature: a has element with unexpected JSON type: Null"),
        ([[1]], "Feature: a has element with unexpected JSON type: Array"),
        ({"b": 1}, "Feature: a has element with unexpected JSON type: Object"),
        ([1, "x"], "Unexpected element type in feature: a expecting type: int64"),
        (["x", 1], "Unexpected element type in feature: a expecting type: bytes"),
        ([0.5, 1], "Unexpected element type in feature: a expecting type: float"),
        (2**63, "Feature: a has uint64 element. Only int64 is supported."),
        (1e39, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        ({"b64": "*"}, "Unable to base64 decode"),
    ],
)
def test_what_no_feature_holds_is_refused(value, message):
    assert _refusal(examples=[{"a": value}]) == message


def test_examples_must_be_a_list_of_objects():
    assert _refusal(examples=["a"]) == "Example must be JSON object but got JSON String"
    assert _refusal(examples=[], x=1).endswith("'examples' value is an empty array")
    assert _refusal(examples=3).endswith("'examples' value to be an list/array")
    assert _refusal(x=3).endswith("'examples' is expected and was not found")
    assert _refusal(context=3, examples=[{}]).endswith("but got JSON Number")
