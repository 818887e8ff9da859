"""Parts of a model that start from weights that ship with the package."""

import keras
import numpy as np
import pytest

from zoo import registry
from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.training import starts
from zoo.weights import model_arrays, write_arrays

FILE = "pretrained"


class Hidden(keras.layers.Layer):
    def __init__(self, units, name):
        super().__init__(name=name)
        self.hidden = keras.layers.Dense(units, name="hidden")

    def build(self, inputs_shape):
        self.hidden.build(inputs_shape)


class Parts(keras.Model):
    """Two parts, of which one has the other's name as its beginning."""

    def __init__(self):
        super().__init__(name="parts")
        self.first, self.second = Hidden(5, "part"), Hidden(7, "part_2")
        self.build(None)

    def build(self, inputs_shape):
        self.first.build((None, 3))
        self.second.build((None, 5))
        self.built = True


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(starts, "SHIPPED", tmp_path)
    (tmp_path / "starts").mkdir()
    return tmp_path / "starts"


@pytest.fixture
def arrays(random):
    shapes = {"hidden/kernel": (3, 5), "hidden/bias": (5,)}
    return {
        name: random.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


def recipe(**starts):
    part = Part("tests.training.test_starts:Parts")
    return Recipe("parts", {}, part, part, TrainingPlan(), starts)


def test_a_part_starts_from_the_file_and_all_else_as_it_was(folder, arrays):
    write_arrays(folder / f"{FILE}.safetensors", arrays)
    model = Parts()
    before = model_arrays(model)
    starts.start_parts(model, recipe(part=FILE))
    after = model_arrays(model)
    assert set(after) == {
        f"{part}/hidden/{name}"
        for part in ("part", "part_2")
        for name in ("kernel", "bias")
    }
    for name, array in after.items():
        expected = before[name]
        if name.startswith("part/"):
            expected = arrays[name.removeprefix("part/")]
        np.testing.assert_array_equal(array, expected, err_msg=name)


def test_a_recipe_that_names_nothing_starts_fresh(folder):
    model = Parts()
    before = model_arrays(model)
    starts.start_parts(model, recipe())
    for name, array in model_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"pretrained\.safetensors"):
        starts.start_parts(Parts(), recipe(part=FILE))


def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed(folder, arrays):
    arrays["hidden/gain"] = arrays.pop("hidden/bias")
    arrays["hidden/kernel"] = arrays["hidden/kernel"][:2]
    write_arrays(folder / f"{FILE}.safetensors", arrays)
    model = Parts()
    before = model_arrays(model)
    with pytest.raises(ValueError) as refused:
        starts.start_parts(model, recipe(part=FILE))
    message = str(refused.value)
    assert "Missing: part/hidden/bias." in message
    assert "Unexpected: part/hidden/gain." in message
    assert "part/hidden/kernel is (2, 5), not (3, 5)" in message
    np.testing.assert_array_equal(
        model_arrays(model)["part/hidden/kernel"], before["part/hidden/kernel"]
    )


def test_a_part_that_the_model_has_not_is_refused(folder, arrays):
    write_arrays(folder / f"{FILE}.safetensors", arrays)
    with pytest.raises(ValueError, match=r"Unexpected: backbone/hidden/bias"):
        starts.start_parts(Parts(), recipe(backbone=FILE))


@pytest.mark.parametrize("options", [{}, {"strides": (8, 16)}])
def test_the_backbone_that_ships_fits_the_recipe_that_starts_from_it(options):
    chosen = registry.get("detection_detr", **options)
    model = chosen.build_model({"num_classes": 3, "num_queries": 7})
    before = model_arrays(model)
    starts.start_parts(model, chosen)
    changed = {
        name.partition("/")[0]
        for name, array in model_arrays(model).items()
        if (array != before[name]).any()
    }
    assert changed == {"backbone"}


def test_layers_that_a_model_lacks_are_left_out(folder, arrays):
    more = {"later/kernel": np.ones((2, 3), "float32")}
    write_arrays(folder / f"{FILE}.safetensors", arrays | more)
    model = Parts()
    starts.start_parts(model, recipe(part=FILE))
    np.testing.assert_array_equal(
        model_arrays(model)["part/hidden/kernel"], arrays["hidden/kernel"]
    )
