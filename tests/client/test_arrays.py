import numpy as np
import pytest

from zoo.client.arrays import as_array, as_arrays, joined, parts_of


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        ([1, 2, 3], "int32", (3,)),
        ([2**31], "int64", (1,)),
        ([[1.5], [2]], "float32", (2, 1)),
        ([True, False], "bool", (2,)),
        (np.zeros((5, 3), "uint8"), "uint8", (5, 3)),
        (np.zeros(3), "float64", (3,)),
        (7, "int32", ()),
        ([["a", b"b"], ["c", "d"]], "object", (2, 2)),
        (np.array(["é", "日本"]), "object", (2,)),
        ("whole", "object", ()),
        ([], "object", (0,)),
        ([[], []], "object", (2, 0)),
        (np.zeros((0, 3), "float32"), "float32", (0, 3)),
    ],
)
def test_inputs_become_arrays(value, dtype, shape):
    array = as_array(value, "x")
    assert array.dtype == dtype
    assert array.shape == shape


def test_strings_are_kept_to_the_last_byte():
    # NumPy's own strings would lose the zeros.
    assert as_array([b"\xff\0", "a\0"], "x").tolist() == [b"\xff\0", "a\0"]


@pytest.mark.parametrize("value", [[[1, 2], [3]], [["a"], "b"], [["a"], ["b", "c"]]])
def test_uneven_lists_are_refused_by_name(value):
    with pytest.raises(ValueError, match="texts must be nested evenly"):
        as_arrays({"texts": value})


@pytest.mark.parametrize(
    "value", [[None], ["a", None], ["a", 3], {"b64": "YQ=="}, [object()], {1, 2}]
)
def test_what_no_server_reads_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"texts.*Received"):
        as_arrays({"texts": value})


def test_half_a_character_is_no_text():
    with pytest.raises(ValueError, match=r"texts, string 1.*surrogate"):
        as_arrays({"texts": ["a", "b\ud83d"]})


@pytest.mark.parametrize("inputs", [["Hello."], "Hello.", {3: ["a"]}])
def test_inputs_have_names(inputs):
    with pytest.raises(TypeError, match="by name"):
        as_arrays(inputs)


def test_large_batches_are_cut_and_the_last_part_is_smaller():
    arrays = {"a": np.arange(7), "b": np.arange(14).reshape(7, 2)}
    parts = list(parts_of(arrays, 3))
    assert [len(part["a"]) for part in parts] == [3, 3, 1]
    assert np.concatenate([part["b"] for part in parts]).tolist() == (
        arrays["b"].tolist()
    )


@pytest.mark.parametrize(
    ("shapes", "size"),
    [(((7,), (5,)), 3), (((7,), ()), 3), (((7,),), 7), (((7,),), None), (((0,),), 3)],
)
def test_what_has_no_common_rows_or_fits_is_not_cut(shapes, size):
    arrays = {str(number): np.zeros(shape) for number, shape in enumerate(shapes)}
    (part,) = parts_of(arrays, size)
    assert part.keys() == arrays.keys()


def test_answers_are_joined_and_shorter_ones_are_padded():
    first = {
        "n": np.ones((2, 3), "float32"),
        "s": np.array([["a", "b"], ["c", ""]], object),
    }
    second = {"n": np.ones((1, 5), "float32"), "s": np.array([["d"]], object)}
    both = joined([first, second])
    assert both["n"].tolist() == [[1, 1, 1, 0, 0]] * 2 + [[1] * 5]
    assert both["n"].dtype == "float32"
    assert both["s"].tolist() == [["a", "b"], ["c", ""], ["d", ""]]


def test_answers_without_rows_cannot_be_joined():
    with pytest.raises(ValueError, match=r"'mean'.*max_batch"):
        joined([{"mean": np.float32(1)[()] * np.ones(())}] * 2)
