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
