"""What every public layer promises, asked of each in the same way.

The cases are in `contract_cases.py`; a layer without one fails here. The properties
hold on every backend:

    python -m pytest tests/layers/test_contract.py
    KERAS_BACKEND=jax python -m pytest tests/layers/test_contract.py
    KERAS_BACKEND=torch python -m pytest tests/layers/test_contract.py

`tests/models/test_backends.py` runs a part of them on other backends with the rest of
the tests.
"""

import dataclasses
import inspect
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
from tests.backend import BACKEND, HAS_GRAPHS, compiled, gradients
from tests.layers.contract_cases import CASES, LENGTHS, Asked, Shelf

# Keras copies variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

ROOT = Path(__file__).resolve().parents[2]


def every_case(where=lambda case: True):
    chosen = [case for case in CASES if where(case)]
    return pytest.mark.parametrize("case", chosen, ids=str)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def as_numpy(outputs) -> dict:
    """Arrays; half precision as float32, which holds it exactly."""
    return {
        name: ops.convert_to_numpy(
            ops.cast(output, "float32") if is_half(output) else output
        )
        for name, output in outputs.items()
    }


def is_half(tensor):
    return dtype_of(tensor) in ("float16", "bfloat16")


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


_known = {}


def known(case, policy="float32"):
    """A layer, inputs and outputs, made once for all tests that change none of them.

    Every weight is random: a bias at its start, zero, would hide mistakes.
    """
    if (case.name, policy) not in _known:
        rng = np.random.default_rng(7)
        inputs = case.make_inputs(rng)
        layer = case.built(inputs, policy)
        layer.set_weights(
            [rng.normal(scale=case.scale, size=tuple(w.shape)) for w in layer.weights]
        )
        _known[case.name, policy] = layer, inputs, case.run(layer, inputs)
    return _known[case.name, policy]


def assert_all_equal(outputs, expected):
    assert list(outputs) == list(expected)
    outputs, expected = as_numpy(outputs), as_numpy(expected)
    for name, output in outputs.items():
        np.testing.assert_array_equal(output, expected[name], err_msg=name)


def assert_all_close(outputs, expected):
    assert list(outputs) == list(expected)
    outputs, expected = as_numpy(outputs), as_numpy(expected)
    for name, output in outputs.items():
        assert_close(output, expected[name], name)


def assert_close(output, expected, name):
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5, err_msg=name)


# The cases themselves.


def public_layers():
    return {getattr(zoo.layers, name) for name in zoo.layers.__all__}


def is_abstract(layer_class):
    """Only what can be made from a config is registered; bases are not."""
    return keras.saving.get_registered_name(layer_class) == layer_class.__name__


def test_every_public_layer_has_a_case():
    covered = set()
    for case in CASES:
        layer = case.make(dtype="float32")
        covered.add(type(layer))
        # What cannot be called is asked through the layer that holds it.
        covered |= {
            type(part)
            for part in layer._flatten_layers()
            if type(part).call is keras.layers.Layer.call
        }
    missing = {
        layer_class.__name__
        for layer_class in public_layers() - covered
        if not is_abstract(layer_class)
    }
    assert not missing, f"add cases of {missing} to tests/layers/contract_cases.py"


def test_cases_have_names_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES)


@every_case()
def test_no_two_axes_of_a_case_have_one_size(case):
    letters = {
        letter.upper()
        for name in (*case.inputs, *case.outputs)
        for letter in case.axes(name)
    }
    sizes = [case.size(letter) for letter in letters]
    assert len(set(sizes)) == len(sizes)


# Shapes, types, configs and files.


@every_case()
def test_outputs_have_the_shapes_and_types_that_are_promised(case):
    _, _, outputs = known(case)
    for name, output in outputs.items():
        assert tuple(output.shape) == case.shape(name), name
        assert dtype_of(output) == case.dtype(name, "float32"), name


SYMBOLIC = [
    (case, policy, open_sizes)
    for case in CASES
    for policy, open_sizes in (("float32", False), ("mixed_bfloat16", True))
    # Only a call of the layer itself can answer with a shape of its own making.
    if open_sizes or case.ask is None
]


@pytest.mark.parametrize(
    ("case", "policy", "open_sizes"),
    SYMBOLIC,
    ids=[f"{case} {policy}" for case, policy, _ in SYMBOLIC],
)
def test_symbolic_outputs_have_the_real_shapes_and_types(case, policy, open_sizes):
    unknown = case.unknown if open_sizes else ""
    layer, _, _ = known(case, policy)
    inputs = {
        name: keras.KerasTensor(case.shape(name, unknown), case.dtype(name, "float32"))
        for name in case.inputs
    }
    for name, output in ask_symbolically(case, layer, inputs).items():
        assert output.shape == case.shape(name, unknown), name
        # Of calls within calls Keras on torch does not know half precision.
        if case.ask is None or BACKEND != "torch":
            assert output.dtype == case.dtype(name, layer.compute_dtype), name


def ask_symbolically(case, layer, inputs):
    if case.ask is None:
        return case.run(layer, inputs)
    # Several calls and methods, which Keras need not follow one by one.
    return Asked(layer, case.name, dtype=layer.dtype_policy)(inputs)


def arguments_of(layer_class):
    """The names of what a layer is made with, its bases' too, without Keras's own."""
    return {
        parameter.name
        for base in layer_class.__mro__
        if base.__module__.startswith("zoo.")
        for parameter in inspect.signature(base.__init__).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    } - {"self"}


@every_case()
def test_the_config_makes_the_same_layer(case, rng):
    layer, _, _ = known(case)
    # Of the two, one has seen other inputs before: nothing is remembered.
    inputs = case.make_inputs(rng)
    assert arguments_of(type(layer)) <= set(layer.get_config())
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(layer)
    assert json.dumps(copy.get_config()) == json.dumps(layer.get_config())
    if not copy.built:
        case.run(copy, inputs)
    copy.set_weights(layer.get_weights())
    assert_all_equal(case.run(copy, inputs), case.run(layer, inputs))
    if case.drops:
        case.run(copy, inputs, training=True)


LOAD_AND_ASK = """
import sys
import keras, numpy as np
import zoo.layers, tests.layers.contract_cases
model = keras.models.load_model(sys.argv[1] + "/model.keras")
answer = model(dict(np.load(sys.argv[1] + "/asked.npz")))
answer = {name: keras.ops.convert_to_numpy(answer[name]) for name in answer}
np.savez(sys.argv[1] + "/answer.npz", **answer)
"""


def test_a_saved_model_answers_the_same_in_another_process(tmp_path):
    """One model holds every layer: a file and a process for each would take long."""
    asked, expected = {}, {}
    for index, case in enumerate(CASES):
        _, inputs, outputs = known(case)
        asked |= {f"{index} {name}": inputs[name] for name in inputs}
        outputs = as_numpy(outputs)
        expected |= {f"{index} {name}": outputs[name] for name in outputs}
    Shelf([known(case)[0] for case in CASES]).save(tmp_path / "model.keras")
    np.savez(tmp_path / "asked.npz", **asked)
    command = [sys.executable, "-c", LOAD_AND_ASK, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = np.load(tmp_path / "answer.npz")
    assert set(answer) == set(expected)
    for name in expected:
        case = CASES[int(name.split()[0])]
        assert_close(answer[name], expected[name], f"{case}: {name}")


@every_case()
def test_lengths_of_one_are_long_enough(case, rng):
    """A single token, a single key, as at the first step of a decoder."""
    layer, _, _ = known(case)
    single = {letter: 1 for letter in LENGTHS if letter not in case.known}
    outputs = as_numpy(case.run(layer, case.make_inputs(rng, **single)))
    case = dataclasses.replace(case, sizes={**case.sizes, **single})
    for name, output in outputs.items():
        assert output.shape == case.shape(name), name
        assert np.isfinite(output).all(), name


# Masks.


def visible_for(case, name, inputs):
    """Which keys each row of an output's weights may have, of the output's shape."""
    axes = case.axes(name)
    visible = np.ones(case.shape(name), bool)
    for mask in case.weights[name].split():
        order = [axes.index(letter) for letter in case.axes(mask)]
        assert order == sorted(order)
        missing = [axis for axis in range(len(axes)) if axis not in order]
        visible &= np.expand_dims(inputs[mask], missing)
    return visible


def fully_masked(case, inputs):
    """The inputs with nothing to attend to in the last example."""
    masks = {mask for names in case.weights.values() for mask in names.split()}
    masks = masks or {name for name in case.inputs if name == "key_mask"}
    changed = {name: inputs[name].copy() for name in masks}
    for mask in changed.values():
        mask[-1] = False
    return inputs | changed


@every_case(lambda case: case.weights)
def test_masked_keys_have_no_weight_at_all(case):
    _, inputs, outputs = known(case)
    outputs = as_numpy(outputs)
    for name in case.weights:
        visible = visible_for(case, name, inputs)
        assert not visible.all()
        assert (outputs[name][~visible] == 0).all(), name
        assert (outputs[name][visible] != 0).any(), name


@every_case(lambda case: case.zeros)
def test_an_example_without_a_visible_key_gives_zeros(case):
    layer, inputs, expected = known(case)
    expected = as_numpy(expected)
    outputs = as_numpy(case.run(layer, fully_masked(case, inputs)))
    for name, output in outputs.items():
        assert np.isfinite(output).all(), name
        # Its neighbours notice nothing.
        assert_close(output[:-1], expected[name][:-1], name)
    for name in case.zeros:
        assert (outputs[name][-1] == 0).all(), name


@every_case(lambda case: case.zeros and case.learns)
def test_an_example_without_a_visible_key_has_finite_gradients(case, rng):
    layer, inputs, _ = known(case)
    inputs = fully_masked(case, inputs)
    found = gradients(*slope_of(case, layer, inputs, case.make_slopes(rng)))
    assert found
    for name, gradient in found.items():
        if gradient is not None:
            assert np.isfinite(gradient).all(), name


EXTENDED = [(case, letters) for case in CASES for letters in case.extended]


@pytest.mark.parametrize(
    ("case", "letters"),
    EXTENDED,
    ids=[f"{case} {letters}" for case, letters in EXTENDED],
)
def test_further_masked_keys_change_nothing(case, letters, rng):
    layer, inputs, expected = known(case)
    expected = as_numpy(expected)
    longer = {name: extend(case, name, inputs[name], letters, rng) for name in inputs}
    outputs = as_numpy(case.run(layer, longer))
    for name, output in outputs.items():
        here = tuple(slice(0, size) for size in case.shape(name))
        assert_close(output[here], expected[name], name)
        if name in case.weights and case.axes(name)[-1] in letters:
            assert (output[..., case.shape(name)[-1] :] == 0).all(), name


def extend(case, name, array, letters, rng):
    """Two further positions along some axes: masked, and of wild numbers."""
    for axis, letter in enumerate(case.axes(name)):
        if letter in letters:
            shape = (*array.shape[:axis], 2, *array.shape[axis + 1 :])
            more = np.zeros(shape, array.dtype)
            if array.dtype.kind == "f":
                more = rng.normal(scale=9.0, size=shape).astype(array.dtype)
            array = np.concatenate([array, more], axis=axis)
    return array


# Causality.


def changed_later(case, inputs, count, rng):
    """The inputs with other numbers in the last positions."""
    inputs = dict(inputs)
    for name, array in inputs.items():
        for axis, letter in enumerate(case.axes(name)):
            if letter in case.causal and array.dtype.kind == "f":
                array = array.copy()
                later = np.moveaxis(array, axis, 0)[-count:]
                later[...] = rng.normal(scale=3.0, size=later.shape)
                inputs[name] = array
    return inputs


def with_same_seeds(layer, run):
    """Runs, and puts the seeds back as they were before."""
    # Torch draws from its own state where no seed is given.
    keras.utils.set_random_seed(7)
    weights = {id(weight) for weight in layer.weights}
    seeds = [state for state in layer.variables if id(state) not in weights]
    before = [state.numpy() for state in seeds]
    outputs = as_numpy(run())
    for state, number in zip(seeds, before, strict=True):
        state.assign(number)
    return outputs


WAYS = {
    "inference": ("float32", {}),
    "half precision": ("mixed_bfloat16", {}),
    "training": ("float32", {"training": True}),
    "training in half precision": ("mixed_float16", {"training": True}),
    "without weights": ("float32", {"return_weights": False}),
    "training without weights": (
        "float32",
        {"training": True, "return_weights": False},
    ),
}
CAUSAL = [
    (case, way)
    for case in CASES
    for way, (_, options) in WAYS.items()
    if case.causal
    and ("training" not in options or case.drops)
    and ("return_weights" not in options or case.returns_weights)
]


@pytest.mark.parametrize(
    ("case", "way"), CAUSAL, ids=[f"{case} {way}" for case, way in CAUSAL]
)
def test_what_comes_later_changes_nothing_earlier(case, way, rng):
    policy, options = WAYS[way]
    layer, inputs, before = known(case, policy)
    before = as_numpy(before)
    if options:
        still = before
        before = with_same_seeds(layer, lambda: case.run(layer, inputs, **options))
        if options.get("training"):
            assert any((still[name] != before[name]).any() for name in before)
    count = min(2, case.size(case.causal[0]) - 1)
    later = changed_later(case, inputs, count, rng)
    after = with_same_seeds(layer, lambda: case.run(layer, later, **options))
    moved = False
    for name, output in after.items():
        if case.causal[0] not in case.axes(name):
            continue
        axis = case.axes(name).index(case.causal[0])
        old, new = np.moveaxis(before[name], axis, 0), np.moveaxis(output, axis, 0)
        np.testing.assert_array_equal(new[:-count], old[:-count], err_msg=name)
        moved |= bool((new[-count:] != old[-count:]).any())
    assert moved or case.ignored


# Precision.


# How far from float32: the bits of the type, and the sums of some dozen terms.
NEAR = {"bfloat16": 0.12, "float16": 0.02}
HALF = ["bfloat16", "mixed_float16"]


@every_case()
@pytest.mark.parametrize("policy", HALF)
def test_half_precision_is_near_full_precision(case, policy):
    _, _, expected = known(case)
    expected = as_numpy(expected)
    layer, _, outputs = known(case, policy)
    for name, output in outputs.items():
        assert dtype_of(output) == case.dtype(name, layer.compute_dtype), name
    assert layer.compute_dtype in NEAR
    for name, output in as_numpy(outputs).items():
        assert np.isfinite(output).all(), name
        if output.dtype == bool:
            np.testing.assert_array_equal(output, expected[name], err_msg=name)
            continue
        tolerance = NEAR[layer.compute_dtype] * max(1.0, abs(expected[name]).max())
        np.testing.assert_allclose(
            output, expected[name], rtol=0.0, atol=tolerance, err_msg=name
        )


# Graphs and gradients.


@pytest.mark.skipif(not HAS_GRAPHS, reason="torch runs eagerly")
@every_case()
def test_a_graph_gives_what_eager_calls_give(case, rng):
    layer, inputs, expected = known(case)
    graph = compiled(
        lambda asked: case.run(layer, asked),
        {name: case.shape(name, case.unknown) for name in inputs},
        {name: case.dtype(name, "float32") for name in inputs},
    )
    assert_all_close(graph(inputs), expected)
    if BACKEND == "tensorflow":
        # The same graph takes other sizes.
        upper = {letter.upper() for letter in case.unknown}
        larger = case.make_inputs(rng, **{name: case.size(name) + 1 for name in upper})
        assert_all_close(graph(larger), case.run(layer, larger))


def slope_of(case, layer, inputs, slopes):
    """A number that depends on all outputs, and what it depends on.

    Returns:
        A function of a dictionary of tensors, and that dictionary: the layer's weights
        and the inputs, as arrays.
    """
    weights = {
        f"{index} {weight.path.split('/', 1)[1]}": weight
        for index, weight in enumerate(layer.trainable_weights)
    }
    sources = {
        name: array
        for name, array in inputs.items()
        if array.dtype.kind == "f" and name not in case.ignored
    }
    sources |= {name: w.numpy() for name, w in weights.items()}

    def loss(tensors):
        mapping = [(weights[name], tensors[name]) for name in weights]
        asked = {name: tensors.get(name, inputs[name]) for name in inputs}
        with keras.StatelessScope(state_mapping=mapping):
            outputs = case.run(layer, asked)
        return sum(
            ops.sum(outputs[name] * ops.cast(slope, outputs[name].dtype))
            for name, slope in slopes.items()
        )

    return loss, sources


@every_case(lambda case: case.learns)
def test_gradients_equal_finite_differences(case, rng):
    """A random direction tests all weights and inputs at once.

    In float64 a step of 1e-6 tells eight digits, and where a part is computed in
    float32 a step of 1e-3 tells three. Off TensorFlow Keras has such parts itself, and
    JAX knows no float64 unless it is told to.
    """
    exact = case.exact and BACKEND == "tensorflow"
    step, tolerance = (1e-6, 1e-6) if exact else (1e-3, 3e-3)
    dtype = "float32" if BACKEND == "jax" else "float64"
    inputs = case.make_inputs(rng, dtype)
    layer = case.built(inputs, dtype)
    numbers = [rng.normal(scale=case.scale, size=tuple(w.shape)) for w in layer.weights]
    layer.set_weights(numbers)
    twin = case.built(inputs, dtype, case.follows) if case.follows else layer
    twin.set_weights(numbers)
    slopes = case.make_slopes(rng)
    loss, sources = slope_of(case, layer, inputs, slopes)
    found = gradients(loss, sources)
    loss, sources = slope_of(case, twin, inputs, slopes)
    directions = [rng.normal(size=array.shape) for array in sources.values()]
    gradients_along = {
        name: 0.0 if gradient is None else (gradient * direction).sum()
        for (name, gradient), direction in zip(found.items(), directions, strict=True)
    }

    def difference(names):
        """Of the loss along the directions of some sources."""
        ends = []
        for sign in (1.0, -1.0):
            moved = {
                name: array + (sign * step * direction * (name in names)).astype(dtype)
                for (name, array), direction in zip(
                    sources.items(), directions, strict=True
                )
            }
            ends.append(float(loss(moved)))
        return (ends[0] - ends[1]) / (2 * step)

    def is_right(names):
        along = sum(gradients_along[name] for name in names)
        return along == pytest.approx(difference(names), abs=tolerance * scale)

    scale = sum(abs(along) for along in gradients_along.values())
    assert scale > 0.1
    if not is_right(list(found)):
        wrong = [name for name in found if not is_right([name])]
        pytest.fail(f"gradients of {wrong or 'all together'}")


@every_case()
def test_nothing_is_remembered_between_calls(case, rng):
    layer, inputs, expected = known(case)
    case.run(layer, case.make_inputs(rng))
    assert_all_equal(case.run(layer, inputs), expected)
