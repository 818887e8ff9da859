import keras
import numpy as np
import pytest

from zoo.weights import (
    assign_arrays,
    model_arrays,
    read_arrays,
    weight_address,
    write_arrays,
)


@keras.saving.register_keras_serializable(package="tests")
class Scaled(keras.layers.Layer):
    """A layer with a weight of shape ()."""

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(), name="gain")
        self.matrix = self.add_weight(shape=(input_shape[-1], 3), name="matrix")

    def call(self, inputs):
        return self.gain * inputs @ self.matrix


@pytest.fixture
def model(randomize):
    model = keras.Sequential(
        [keras.Input((5,)), Scaled(name="scaled"), keras.layers.Dense(2, name="head")]
    )
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
    addresses = [weight_address(weight) for weight in model.weights]
    expected = ["scaled/gain", "scaled/matrix", "head/kernel", "head/bias"]
    if model.weights[0].path.startswith("scaled"):
        expected = [name.split("/", 1)[1] for name in expected]
    assert addresses == expected


def test_weights_come_back_through_a_file(tmp_path, model, random):
    arrays = model_arrays(model)
    inputs = random.normal(size=(3, 5)).astype("float32")
    before = model(inputs)
    write_arrays(tmp_path / "file.safetensors", arrays)
    for weight in model.weights:
        weight.assign(0.0 * weight)
    assign_arrays(model, read_arrays(tmp_path / "file.safetensors")[0])
    np.testing.assert_array_equal(model(inputs), before)


def test_half_precision_halves_the_file_and_rounds_the_numbers(tmp_path, model):
    whole, half = model_arrays(model), model_arrays(model, half=True)
    assert {array.dtype for array in whole.values()} == {np.dtype("float32")}
    assert {array.dtype for array in half.values()} == {np.dtype("float16")}
    assign_arrays(model, half)
    for name, array in model_arrays(model).items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, whole[name], rtol=1e-3)


def test_weights_that_do_not_fit_are_all_listed(model):
    arrays = model_arrays(model)
    names = list(arrays)
    before = {name: array.copy() for name, array in arrays.items()}
    arrays["stranger/kernel"] = arrays.pop(names[0])
    arrays[names[1]] = np.zeros((5, 7), "float32")
    arrays[names[2]] = np.zeros((3, 2), "float32")
    with pytest.raises(ValueError) as error:
        assign_arrays(model, arrays, origin="my.safetensors")
    message = str(error.value)
    assert "my.safetensors" in message
    assert f"Missing: {names[0]}." in message
    assert "Unexpected: stranger/kernel." in message
    assert f"Of another shape: {names[1]} is (5, 7), not (5, 3)." in message
    for name, array in model_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])
