import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from zoo.weights import (
    assign_arrays,
    model_arrays,
    read_arrays,
    weight_address,
    write_arrays,
)


class Small(keras.Model):
    """A model with a weight of shape () and two layers that may share a name."""

    def __init__(self, names=("body", "head")):
        super().__init__(name="small")
        self.body = keras.layers.Dense(3, use_bias=False, name=names[0])
        self.head = keras.layers.Dense(2, name=names[1])

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(), name="gain")
        self.body.build((None, 5))
        self.head.build((None, 3))

    def call(self, inputs):
        return self.gain * self.head(self.body(inputs))


@pytest.fixture
def model(randomize):
    model = Small()
    model.build(None)
    return randomize(model)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int32", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 5), (0, 3)])
def test_arrays_come_back_with_their_shapes_and_types(tmp_path, random, shape, dtype):
    array = np.asarray(random.normal(size=shape) * 3.0).astype(dtype)
    write_arrays(tmp_path / "file.safetensors", {"a/b": array})
    arrays, metadata = read_arrays(tmp_path / "file.safetensors")
    assert list(arrays) == ["a/b"]
    assert arrays["a/b"].shape == shape
    assert arrays["a/b"].dtype == dtype
    np.testing.assert_array_equal(arrays["a/b"], array)
    assert metadata == {}


def test_arrays_that_lie_otherwise_in_memory_come_back_the_same(tmp_path, random):
    array = random.normal(size=(3, 5))
    views = {"transposed": array.T, "strided": array[:, ::2], "reversed": array[::-1]}
    write_arrays(tmp_path / "file.safetensors", views)
    arrays, _ = read_arrays(tmp_path / "file.safetensors")
    for name, view in views.items():
        np.testing.assert_array_equal(arrays[name], view)


def test_metadata_comes_back_as_it_was(tmp_path):
    metadata = {"history": [{"step": 3, "score": 0.25}], "name": "知识", "none": None}
    write_arrays(tmp_path / "file.safetensors", {"a": np.zeros(2)}, metadata)
    assert read_arrays(tmp_path / "file.safetensors")[1] == metadata


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        read_arrays(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 3, 11, 60, -1])
def test_a_file_that_was_cut_short_is_called_damaged(tmp_path, random, kept):
    path = tmp_path / "file.safetensors"
    write_arrays(path, {"a": random.normal(size=(7, 11))})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"file\.safetensors is damaged"):
        read_arrays(path)


def test_a_file_of_something_else_is_called_damaged(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"<html>Not found</html>" * 9)
    with pytest.raises(ValueError, match="is damaged"):
        read_arrays(path)


def test_an_address_leaves_out_the_name_of_the_model(model):
    assert [weight_address(weight) for weight in model.weights] == [
        "gain",
        "body/kernel",
        "head/kernel",
        "head/bias",
    ]


def test_two_weights_of_one_address_are_an_error():
    model = Small(names=("same", "same"))
    model.build(None)
    with pytest.raises(AssertionError, match="name every sublayer"):
        model_arrays(model)


def test_weights_come_back_through_a_file(tmp_path, model, random):
    arrays = model_arrays(model)
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    inputs = random.normal(size=(3, 5)).astype("float32")
    before = model(inputs)
    write_arrays(tmp_path / "file.safetensors", arrays)
    for weight in model.weights:
        weight.assign(0.0 * weight)
    assign_arrays(model, read_arrays(tmp_path / "file.safetensors")[0])
    np.testing.assert_array_equal(model(inputs), before)


def test_weights_that_do_not_fit_are_all_listed_and_change_nothing(model):
    before = model_arrays(model)
    arrays = before | {
        "stranger/kernel": np.zeros(3, "float32"),
        "body/kernel": np.zeros((5, 7), "float32"),
    }
    del arrays["head/bias"]
    with pytest.raises(ValueError) as error:
        assign_arrays(model, arrays, origin="my.safetensors")
    assert str(error.value) == (
        "The weights in my.safetensors do not fit the model. "
        "Missing: head/bias. "
        "Unexpected: stranger/kernel. "
        "Of another shape: body/kernel is (5, 7), not (5, 3)."
    )
    for name, array in model_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


# Less than float32: a matrix of 71 rows of two groups of 32 and one of 3.

ROWS, UNITS, GROUP = 71, 67, 32
SCALES = (ROWS, 3)


def written(file, precision="int8", metadata=None, **arrays):
    """What comes back of arrays."""
    write_arrays(file, arrays, metadata, precision)
    return read_arrays(file)[0]


def on_disk(file):
    with safe_open(file, framework="numpy") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return arrays, opened.metadata()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file.safetensors"


@pytest.fixture
def matrix(random):
    """Of rows from tiny to large."""
    sizes = np.geomspace(1e-4, 1e3, ROWS)[:, None]
    return (random.normal(size=(ROWS, UNITS)) * sizes).astype("float32")


def test_float32_comes_back_exactly(file, matrix):
    found = written(file, "float32", matrix=matrix.astype("float64"))["matrix"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, matrix)


def test_float16_halves_the_file_and_rounds(file, matrix):
    found = written(file, "float16", matrix=matrix)["matrix"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, matrix.astype("float16"))
    assert matrix.nbytes / 2 < file.stat().st_size < matrix.nbytes / 2 + 200


def test_int8_takes_at_most_9_bits_a_weight(file, random):
    matrix = random.normal(size=(256, 512))
    found = written(file, matrix=matrix)["matrix"]
    assert found.shape == (256, 512) and found.dtype == np.float32
    assert matrix.size < file.stat().st_size < matrix.size * 9 / 8


def test_int8_is_wrong_by_half_a_scale_at_most(file, matrix):
    found = written(file, matrix=matrix)["matrix"]
    for start in (0, 32, 64):
        group = matrix[:, start : start + GROUP].astype("float64")
        scale = np.abs(group).max(axis=1, keepdims=True) / 127
        # A scale is rounded up, to 11 bits.
        bound = scale * (1 + 2.0**-10) / 2 + 2.0**-25
        error = np.abs(found[:, start : start + GROUP] - group)
        assert (error <= bound).all()
        # Of 71 largest errors of up to 32 numbers some are near the bound.
        assert (error.max(axis=1, keepdims=True) > 0.9 * bound).any()


def test_int8_is_the_nearest_step_of_each_groups_own_scale(file, matrix):
    written(file, matrix=matrix)
    stored, _ = on_disk(file)
    assert stored["matrix"].dtype == np.int8
    assert stored["matrix:scale"].dtype == np.float16
    assert stored["matrix:scale"].shape == SCALES
    for row, column in [(0, 0), (35, 40), (70, 66), (70, 63)]:
        scale = float(stored["matrix:scale"][row, column // GROUP])
        group = matrix[row, column // GROUP * GROUP :][:GROUP]
        largest = float(np.abs(group).max())
        assert scale == pytest.approx(largest / 127, rel=1e-3, abs=2.0**-24)
        assert stored["matrix"][row, column] == round(matrix[row, column] / scale)


def test_zeros_stay_zeros_in_int8(file, matrix):
    matrix[3] = 0.0
    matrix[5, 32:64] = 0.0
    matrix[7, ::2] = 0.0
    found = written(file, matrix=matrix)["matrix"]
    assert (found[matrix == 0] == 0).all() and found[7].any()
    assert not written(file, zeros=np.zeros((64, 64)))["zeros"].any()


def test_tiny_numbers_are_not_beyond_their_scale(file):
    """The least float16 is 6e-8: a scale below would be 0, and one near it far off."""
    for size in (1e-12, 1e-6, 1e-5, 1.4e-5, 1e-4):
        matrix = np.full((64, 64), size, "float32")
        found = written(file, matrix=matrix)["matrix"]
        (scale,) = set(on_disk(file)[0]["matrix:scale"].astype("float64").flat)
        assert 0 < scale <= size / 127 + 2.0**-24
        assert np.abs(found - matrix).max() <= scale / 2


def test_what_is_beyond_float16_stays_in_float32(file, matrix):
    bias = np.array([65504.0, -65505.0], "float32")
    for precision in ("float16", "int8"):
        found = written(file, precision, bias=bias, small=bias[:1])
        np.testing.assert_array_equal(found["bias"], bias)
        np.testing.assert_array_equal(found["small"], bias[:1])
        assert on_disk(file)[0]["small"].dtype == np.float16
    # The largest scale is the largest float16.
    for number, kept in ((127 * 65504.0, "int8"), (128 * 65504.0, "float32")):
        matrix[0, 0] = -number
        found = written(file, matrix=matrix)["matrix"]
        assert found[0, 0] == -number
        assert on_disk(file)[0]["matrix"].dtype == kept


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_none_come_back(file, matrix, number):
    matrix[2, 3] = number
    for precision in ("float16", "int8"):
        found = written(file, precision, matrix=matrix)["matrix"]
        np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize(
    "shape",
    [(), (0, 3), (5000,), (63, 65), (4096, 0), (64, 64), (2, 8, 256), (4096, 1)],
)
def test_int8_is_for_matrices_of_4096_numbers(file, random, shape):
    array = random.normal(size=shape).astype("float32")
    found = written(file, array=array)["array"]
    assert found.shape == shape and found.dtype == np.float32
    large = len(shape) > 1 and array.size >= 4096
    stored, _ = on_disk(file)
    assert stored["array"].dtype == ("int8" if large else "float16")
    assert ("array:scale" in stored) == large
    np.testing.assert_allclose(found, array, rtol=2**-11, atol=0.02 if large else 0)


def test_what_was_in_int8_is_written_to_the_same_bytes(file, matrix):
    # A scale that is as exact as float16 can be: its largest number is at 127 again.
    found = written(file, matrix=1e3 * matrix, bias=matrix[0])
    before = file.read_bytes()
    written(file, **found)
    assert file.read_bytes() == before


WRITE = """
import sys
import numpy as np
from zoo.weights import write_arrays
numbers = np.sin(np.arange(71 * 67, dtype="float32"))
arrays = {name: numbers.reshape(71, 67) for name in sys.argv[2:]}
write_arrays(sys.argv[1], arrays | {"bias": numbers}, {"step": 3}, "int8")
"""


def test_the_same_weights_are_the_same_bytes_in_another_process(file):
    names = ["b/kernel", "a/kernel", "c"]
    numbers = np.sin(np.arange(ROWS * UNITS, dtype="float32"))
    arrays = {name: numbers.reshape(ROWS, UNITS) for name in names}
    written(file, metadata={"step": 3}, **arrays, bias=numbers)
    here = file.read_bytes()
    subprocess.run([sys.executable, "-c", WRITE, file, *names[::-1]], check=True)
    assert file.read_bytes() == here


def test_metadata_comes_back_from_int8(file, matrix):
    metadata = {"format": "mine", "name": "知识"}
    write_arrays(file, {"matrix": matrix}, metadata, "int8")
    assert read_arrays(file)[1] == metadata


def damaged(file, header=None, **changes):
    """Writes a file again with other arrays; `None` leaves one out."""
    arrays, metadata = on_disk(file)
    arrays = {**arrays, **changes}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    save_file(arrays, file, metadata if header is None else {"zoo": json.dumps(header)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix:scale": None}, r"matrix needs scales .*\(71, 3\)\. Found: none"),
        ({"matrix:scale": np.ones((71, 2), "float16")}, r"Found: float16 \(71, 2\)"),
        ({"matrix:scale": np.ones((3, 71), "float16")}, r"Found: float16 \(3, 71\)"),
        ({"matrix:scale": np.ones((71, 3), "float32")}, r"Found: float32 \(71, 3\)"),
        ({"matrix": np.ones((71, 97), "int8")}, r"\(71, 4\)\. Found: float16"),
        ({"matrix": None}, "matrix:scale are scales of nothing"),
    ],
)
def test_a_matrix_without_its_scales_is_called_damaged(file, matrix, changes, message):
    written(file, matrix=matrix)
    damaged(file, **changes)
    with pytest.raises(ValueError, match=rf"file\.safetensors is damaged: .*{message}"):
        read_arrays(file)


def test_a_file_of_a_newer_format_is_refused(file, matrix):
    written(file, matrix=matrix)
    damaged(file, header={"format": "int4 groups", "group": 32, "metadata": {}})
    with pytest.raises(ValueError, match=r"has the format 'int4 groups'.* newer"):
        read_arrays(file)


def test_another_size_of_group_is_read(file):
    values = np.arange(-12, 12, dtype="int8").reshape(2, 12)
    scales = np.array([[1, 2, 4], [0.5, 0, 8]], "float16")
    header = {"format": "int8 groups", "group": 5, "metadata": {"a": 1}}
    arrays = {"a": values, "a:scale": scales}
    save_file(arrays, file, {"zoo": json.dumps(header)})
    each = [[1] * 5 + [2] * 5 + [4] * 2, [0.5] * 5 + [0] * 5 + [8] * 2]
    found, metadata = read_arrays(file)
    np.testing.assert_array_equal(found["a"], values * np.array(each))
    assert metadata == {"a": 1}


def test_an_unknown_precision_is_refused(file, matrix):
    with pytest.raises(ValueError, match=r"one of float32, float16, int8\. .*'half'"):
        write_arrays(file, {"matrix": matrix}, precision="half")
    assert not file.exists()
